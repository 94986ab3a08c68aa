package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"authy/server/outbound"
	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

const (
	fresh       = time.Hour        // how long metadata is good without asking again
	stale       = 24 * time.Hour   // how long it is used when asking again fails
	retry       = 10 * time.Second // how long nobody is asked after a failure
	impatience  = 5 * time.Second  // how long somebody is waited for
	maxMetadata = 64 << 10         // bytes
	maxKept     = 1000             // of how many providers metadata is kept
)

// metadata is what a provider says of itself (OpenID Connect Discovery 1.0,
// section 3).
type metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	KeysURL               string   `json:"jwks_uri"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	TokenMethods          []string `json:"token_endpoint_auth_methods_supported"`
	Scopes                []string `json:"scopes_supported"`
	// TokenAlgs are those of client assertions.
	TokenAlgs     []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	ResponseModes []string `json:"response_modes_supported"`
	// NamesIssuer says that answers have the parameter iss (RFC 9207, section 3).
	NamesIssuer bool `json:"authorization_response_iss_parameter_supported"`
}

// wellKnown returns where the metadata of an authority is.
func wellKnown(authority string) string {
	return strings.TrimSuffix(authority, "/") + "/.well-known/openid-configuration"
}

// parseMetadata reads metadata. Each endpoint must be one that may be asked: a
// provider sends nobody to plain http.
func parseMetadata(body []byte, check func(string) error) (*metadata, error) {
	m := new(metadata)
	if err := json.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("its metadata is not what OpenID Connect describes: %w", err)
	}
	for _, endpoint := range []struct {
		name, address string
		optional      bool
	}{
		{"authorization_endpoint", m.AuthorizationEndpoint, false},
		{"token_endpoint", m.TokenEndpoint, false},
		{"jwks_uri", m.KeysURL, false},
		{"userinfo_endpoint", m.UserinfoEndpoint, true},
		{"end_session_endpoint", m.EndSessionEndpoint, true},
	} {
		if endpoint.address == "" && endpoint.optional {
			continue
		}
		if err := check(endpoint.address); err != nil {
			return nil, fmt.Errorf("its %s: %w", endpoint.name, err)
		}
		if strings.Contains(endpoint.address, "#") {
			return nil, fmt.Errorf("its %s has a fragment", endpoint.name)
		}
	}
	return m, nil
}

// clientMethod returns how authy says at the token endpoint of a provider who it
// is, and whether it is a way that is known here. What was chosen is not doubted.
func (m *metadata) clientMethod(p *storage.Provider) (method string, known bool) {
	switch chosen := p.Options.AuthMethod; {
	case chosen != "":
		return chosen, true
	case p.Secret == "":
		return "none", true
	case len(m.TokenMethods) == 0 || slices.Contains(m.TokenMethods, provider.AuthBasic):
		return provider.AuthBasic, true // which is the default by section 3
	}
	return provider.AuthPost, slices.Contains(m.TokenMethods, provider.AuthPost)
}

// documents keeps metadata, so that one provider, however slow, holds up nobody
// who comes from another, and nobody twice.
type documents struct {
	ask *outbound.Client

	mu   sync.Mutex
	kept map[string]*document
}

func newDocuments(ask *outbound.Client) *documents {
	return &documents{ask: ask, kept: map[string]*document{}}
}

// document is the metadata of one authority.
type document struct {
	authority string

	mu      sync.Mutex
	found   *metadata
	err     error         // of the last attempt
	at      time.Time     // when found was had
	tried   time.Time     // when the last attempt was begun
	pending chan struct{} // closed when the attempt that is being made ends; nil if none is
}

func (d *documents) of(authority string) *document {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.kept[authority]
	if kept == nil {
		if len(d.kept) >= maxKept {
			clear(d.kept)
		}
		kept = &document{authority: authority}
		d.kept[authority] = kept
	}
	return kept
}

// get returns the metadata of an authority. While there is some that can be
// used nobody waits. An error is a [provider.Refusal].
func (d *documents) get(ctx context.Context, authority string) (*metadata, error) {
	kept := d.of(authority)
	found, pending, err := kept.look(ctx, d.ask)
	if found != nil || pending == nil {
		return found, err
	}
	select {
	case <-pending:
	case <-ctx.Done():
		return nil, unanswered(ctx.Err())
	}
	kept.mu.Lock()
	defer kept.mu.Unlock()
	return kept.found, kept.err
}

// look returns what is there, and begins an attempt if it is time for one.
func (d *document) look(ctx context.Context, ask *outbound.Client) (*metadata, chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := steady.Now()
	if d.pending == nil && now.Sub(d.at) >= fresh && now.Sub(d.tried) >= retry {
		d.pending, d.tried = make(chan struct{}), now
		go d.fetch(context.WithoutCancel(ctx), ask)
	}
	if d.found != nil && now.Sub(d.at) >= stale {
		d.found = nil
	}
	if d.found != nil {
		return d.found, nil, nil
	}
	return nil, d.pending, d.err
}

// fetch makes one attempt.
func (d *document) fetch(ctx context.Context, ask *outbound.Client) {
	ctx, cancel := context.WithTimeout(ctx, impatience)
	defer cancel()
	found, err := fetchMetadata(ctx, ask, d.authority)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.found, d.at, d.tried = found, steady.Now(), time.Time{}
	}
	d.err = err
	close(d.pending)
	d.pending = nil
}

func fetchMetadata(ctx context.Context, ask *outbound.Client, authority string) (*metadata, error) {
	answer, err := ask.Ask(ctx, outbound.Question{URL: wellKnown(authority), Limit: maxMetadata})
	if err != nil {
		return nil, unanswered(err)
	}
	if answer.Status != 200 {
		return nil, provider.Refuse(provider.Unreachable, "no_metadata",
			fmt.Errorf("ask %s: it answered %d", wellKnown(authority), answer.Status))
	}
	m, err := parseMetadata(answer.Body, ask.Check)
	if err != nil {
		return nil, provider.Refuse(provider.Misconfigured, "bad_metadata", err)
	}
	return m, nil
}
