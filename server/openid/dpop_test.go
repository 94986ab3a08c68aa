package openid

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"authy/server/dpop"
	"authy/server/dpop/dpoptest"
	"authy/storage"
)

// told is the error code that a client is told, "" for none.
func told(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*oidc.Error](err)
	if !ok {
		t.Fatalf("%v is nothing to be told", err)
	}
	return string(e.ErrorType)
}

func newClient(t *testing.T, p *Provider, bound bool) *storage.Client {
	t.Helper()
	c, err := p.clients.Client(t.Context(), "machine")
	if err != nil {
		t.Fatal(err)
	}
	changed := *c
	changed.Options.DPoPTokens = bound
	return &changed
}

func TestAClientThatIsRegisteredForItNeedsAProofWithANonce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c, key := newClient(t, p, true), dpoptest.NewProver(t, "ES256")
	offered := http.Header{}
	p.offerNonce(offered, http.Header{"Dpop": {""}})
	for name, want := range map[string]struct {
		header http.Header
		code   string
	}{
		"no proof":        {http.Header{}, dpop.InvalidProof},
		"no nonce":        {http.Header{"Dpop": {key.Sign(t, dpoptest.Claims("POST", testIssuer+TokenPath))}}, dpop.NeedsNonce},
		"two proofs":      {http.Header{"Dpop": {"a", "b"}}, dpop.InvalidProof},
		"an empty header": {http.Header{"Dpop": {""}}, dpop.InvalidProof},
		"a nonce":         {http.Header{"Dpop": {key.Sign(t, dpoptest.Claims("POST", testIssuer+TokenPath, "nonce", offered.Get("DPoP-Nonce")))}}, ""},
	} {
		if _, err := p.ProvenKey(t.Context(), want.header, TokenPath, c); told(t, err) != want.code {
			t.Errorf("ProvenKey, %s: %v, want %q", name, err, want.code)
		}
	}
	if got, err := p.ProvenKey(t.Context(), http.Header{}, TokenPath, newClient(t, p, false)); got != "" || err != nil {
		t.Errorf("ProvenKey of a client that needs none: %q, %v", got, err)
	}
}

func TestAPushedRequestIsBoundToTheKeyThatItProves(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	key := dpoptest.NewProver(t, "ES256")
	thumbprint, named := key.Thumbprint(t), strings.Repeat("B", 43)
	web, err := p.clients.Client(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		proof bool
		named string
		want  string
		code  string
	}{
		"no proof":               {false, named, named, ""},
		"a proof":                {true, "", thumbprint, ""},
		"a proof, the same key":  {true, thumbprint, thumbprint, ""},
		"a proof of another key": {true, strings.Repeat("A", 43), "", dpop.InvalidProof},
	} {
		form, h := url.Values{
			"client_id": {"web"}, "redirect_uri": {"https://web.example/cb"}, "response_type": {"code"}, "scope": {"openid"},
			"code_challenge": {s256("verifier")}, "code_challenge_method": {"S256"}, "dpop_jkt": {c.named},
		}, http.Header{}
		if c.named == "" {
			form.Del("dpop_jkt")
		}
		if c.proof {
			h["Dpop"] = []string{key.Sign(t, dpoptest.Claims("POST", testIssuer+PushPath))}
		}
		proved, err := p.pushedKey(t.Context(), h)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ref, err := p.push(t.Context(), web, form, proved)
		if refusal, _ := errors.AsType[*Refusal](err); err != nil && (refusal == nil || refusal.Code != c.code) || err == nil && c.code != "" {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
		if err != nil {
			continue
		}
		r, err := p.ParseRequest(t.Context(), url.Values{"client_id": {"web"}, "request_uri": {ref.RequestURI}})
		if err != nil || r.JKT != c.want {
			t.Errorf("%s: %v, %v, want the key %s", name, r, err, c.want)
		}
	}
}

func TestTheKeyOfAnAuthorizationRequestIsAThumbprint(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	for sent, ok := range map[string]bool{
		"": true, strings.Repeat("A", 43): true, strings.Repeat("A", 42): false, strings.Repeat("A", 44): false,
		strings.Repeat("A", 42) + "=": false,
	} {
		r := new(Request)
		refusal := p.checkKey(t.Context(), nil, r, url.Values{"dpop_jkt": {sent}})
		if (refusal == nil) != ok || ok && r.JKT != sent {
			t.Errorf("dpop_jkt %q: %v, kept %q", sent, refusal, r.JKT)
		}
	}
}
