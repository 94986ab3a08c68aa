package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/keyset"
	"authy/server/outbound"
	"authy/server/steady"
	"authy/storage"
)

const (
	maxDocument = 256 << 10   // of a discovery document, in bytes
	maxSkew     = time.Minute // between the clocks
	personal    = "9188040d-6c67-4c5b-b112-36a304b66dad"
	anyTenant   = "{tenantid}" // how Microsoft writes an issuer that stands for many
)

// Check is something about a provider that was looked at.
type Check struct {
	Name string
	OK   bool
	Text string // what was found, and what to do where it is not right
}

// RedirectURI is where people come back to from a provider; it is registered there.
func (s *Service) RedirectURI(p *storage.Provider) string {
	if p.Kind == SAML {
		return s.PublicURL + "/saml/sp/acs"
	}
	return s.PublicURL + "/external/" + p.Slug + "/callback"
}

// Test looks at a provider as far as that goes without a person: whether it can be
// asked, is who it should be, and agrees on the time. orgID is as in
// [Service.Show].
func (s *Service) Test(ctx context.Context, by audit.Actor, orgID, slug string) ([]Check, error) {
	p, err := s.Show(ctx, by, orgID, slug)
	if err != nil {
		return nil, err
	}
	usable, err := s.Usable(ctx, s.db.Reader, p)
	if err != nil {
		return nil, err
	}
	t := &trial{s: s, p: p, ctx: ctx}
	t.note("enabled", usable, "People can come from it.", "Nobody can come from it: enable it, and its organization.")
	switch p.Kind {
	case SAML:
		if s.TestSAML != nil {
			t.checks = append(t.checks, s.TestSAML(ctx, p)...)
		}
	case GitHub:
		t.gitHub()
	default:
		t.openID()
	}
	if p.Kind != SAML {
		t.secret()
	}
	t.note("redirect_uri", true, "Register this at the provider: "+s.RedirectURI(p), "")
	return t.checks, nil
}

// trial is a test in progress.
type trial struct {
	ctx    context.Context //nolint:containedctx // it lives as long as the call
	s      *Service
	p      *storage.Provider
	checks []Check
	// token is the token endpoint, if the secret may be tried there, and algs how a
	// client assertion may be signed.
	token string
	algs  []string
}

// note adds what was found: good if it is right, else bad.
func (t *trial) note(name string, ok bool, good, bad string) bool {
	text := good
	if !ok {
		text = bad
	}
	t.checks = append(t.checks, Check{name, ok, audit.Cut(text, 500)})
	return ok
}

// get asks for a document and notes whether it came.
func (t *trial) get(name, address string) *outbound.Answer {
	answer, err := t.s.Outbound.Get(t.ctx, address, maxDocument)
	if err != nil {
		t.note(name, false, "", fmt.Sprintf("%v. Is the issuer right, and can this machine reach it?", err))
		return nil
	}
	t.note(name, true, address+" answered.", "")
	return answer
}

// clock compares the Date of an answer with ours.
func (t *trial) clock(answer *outbound.Answer) {
	there, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		t.note("clock", true, "The provider does not say what time it has.", "")
		return
	}
	apart := steady.Since(there).Round(time.Second)
	t.note("clock", apart.Abs() <= maxSkew, "The clocks agree.", fmt.Sprintf(
		"This machine's clock and the provider's are %s apart: set this one's by NTP, or tokens will be refused.", apart.Abs()))
}

// discovery is what is needed of a discovery document (OpenID Connect Discovery
// 1.0, section 3).
type discovery struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Userinfo      string `json:"userinfo_endpoint"`
	Keys          string `json:"jwks_uri"`
	// Methods are client_secret_basic if it says none.
	Methods []string `json:"token_endpoint_auth_methods_supported"`
	// Algs are those of client assertions.
	Algs []string `json:"token_endpoint_auth_signing_alg_values_supported"`
}

func (t *trial) openID() {
	answer := t.get("discovery", strings.TrimSuffix(t.p.Issuer, "/")+"/.well-known/openid-configuration")
	if answer == nil {
		return
	}
	t.clock(answer)
	var d discovery
	if err := json.Unmarshal(answer.Body, &d); err != nil {
		t.note("issuer", false, "", "What is there is no discovery document: is the issuer right?")
		return
	}
	t.note("issuer", isIssuer(t.p, d.Issuer), "It calls itself "+d.Issuer+".", fmt.Sprintf(
		"It calls itself %q, and not %q: they must be equal, letter by letter. Set the issuer to what it calls itself, if you trust that.",
		d.Issuer, t.p.Issuer))
	if t.byKey() {
		t.note("client_key", len(d.Methods) == 0 || slices.Contains(d.Methods, AuthKey),
			"Give the provider the address of the keys that sign for authy: "+t.s.KeysURL, fmt.Sprintf(
				"It does not take private_key_jwt, but %s: choose another way and set a secret.", strings.Join(d.Methods, ", ")))
	}
	if t.endpoints(d) && isIssuer(t.p, d.Issuer) && (t.byKey() || slices.Contains(d.Methods, AuthPost)) {
		t.token, t.algs = d.Token, d.Algs
	}
	if d.Keys != "" && t.s.urlProblem(d.Keys) == "" {
		t.keys(d.Keys)
	}
}

// isIssuer says whether a provider may call itself so. Microsoft stands for many
// issuers, and for those of personal accounts by another name.
func isIssuer(p *storage.Provider, found string) bool {
	if p.Kind != Microsoft {
		return found == p.Issuer
	}
	tenant := strings.TrimSuffix(p.Issuer[strings.LastIndexByte(strings.TrimSuffix(p.Issuer, "/v2.0"), '/')+1:], "/v2.0")
	base := strings.TrimSuffix(p.Issuer, tenant+"/v2.0")
	rest, ours := strings.CutPrefix(found, base)
	switch rest, isV2 := strings.CutSuffix(rest, "/v2.0"); {
	case !ours || !isV2:
		return false
	case tenant == "common" || tenant == "organizations":
		return rest == anyTenant
	case tenant == "consumers":
		return rest == personal
	case strings.Contains(tenant, "."):
		return rest != "" && !strings.Contains(rest, "/") // a domain: it answers with the id
	default:
		return rest == tenant
	}
}

func (t *trial) endpoints(d discovery) bool {
	var bad []string
	for _, e := range []struct {
		name, address string
		needed        bool
	}{
		{"authorization_endpoint", d.Authorization, true},
		{"token_endpoint", d.Token, true},
		{"jwks_uri", d.Keys, true},
		{"userinfo_endpoint", d.Userinfo, false},
	} {
		switch {
		case e.address == "" && e.needed:
			bad = append(bad, e.name+" is missing")
		case e.address != "" && t.s.urlProblem(e.address) != "":
			bad = append(bad, e.name+" ("+e.address+") is not a URL that may be asked")
		}
	}
	return t.note("endpoints", len(bad) == 0, "Its endpoints can be asked.",
		strings.Join(bad, "; ")+". Whoever runs the provider must put that right.")
}

func (t *trial) keys(address string) {
	answer, err := t.s.Outbound.Get(t.ctx, address, keyset.MaxDocument)
	if err != nil {
		t.note("keys", false, "", fmt.Sprintf("%v. Without its keys no sign-in can be checked.", err))
		return
	}
	set, err := keyset.Parse(answer.Body)
	if err != nil {
		t.note("keys", false, "", fmt.Sprintf("Its keys cannot be used: %v.", err))
		return
	}
	t.note("keys", set.Len() > 0, fmt.Sprintf("It has %d usable keys.", set.Len()),
		"It has no key that a signature could be checked with.")
}

// gitHub looks at what needs nobody signed in.
func (t *trial) gitHub() {
	address := t.p.Issuer + "/api/v3/meta" // GitHub Enterprise Server
	if host := strings.TrimPrefix(t.p.Issuer, "https://"); host == "github.com" || strings.HasSuffix(host, ".ghe.com") {
		address = "https://api." + host + "/meta"
	}
	if answer := t.get("api", address); answer != nil {
		t.clock(answer)
		t.token = t.p.Issuer + "/login/oauth/access_token"
	}
}
