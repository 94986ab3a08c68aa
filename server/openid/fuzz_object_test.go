package openid

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/server/audit"
	"authy/server/registry"
	"authy/storage"
)

// writer signs whatever a fuzzer makes up.
type writer struct{ key *ecdsa.PrivateKey }

func newWriter(t testing.TB) writer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return writer{key}
}

func (w writer) jwks(t testing.TB) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: w.key.Public(), KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (w writer) sign(t testing.TB, header, payload string) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, w.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// newKeyClient registers a client that signs with a key, and returns it.
func newKeyClient(t testing.TB, p *Provider, w writer, id string, o registry.Options) *storage.Client {
	t.Helper()
	o.JWKS = w.jwks(t)
	c, err := p.clients.Create(t.Context(), audit.Shell(), registry.Registration{
		ClientID: id, Name: id, AuthMethod: registry.AuthPrivateKey, RedirectURIs: []string{"https://" + id + ".example/cb"},
		Scopes: []string{"openid", "email", "api"}, GrantTypes: []string{"authorization_code"}, RequirePKCE: true,
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: time.Hour, IDTokenLifetime: time.Hour, Options: o,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func FuzzRequestObject(f *testing.F) {
	p, w := newProvider(f), newWriter(f)
	for id, o := range map[string]registry.Options{"signer": {}, "strict": {SignedRequest: true}, "plain": {RequestAlg: "none"}} {
		newKeyClient(f, p, w, id, o)
	}
	inner := `"response_type":"code","scope":"openid","code_challenge":"` + s256("v") + `","code_challenge_method":"S256"`
	for _, id := range []string{"signer", "strict", "plain"} {
		honest := `"client_id":"` + id + `","redirect_uri":"https://` + id + `.example/cb",` + inner
		for _, payload := range []string{
			"{" + honest + "}", "{" + honest + `,"iss":"` + id + `","aud":["` + testIssuer + `"],"exp":9e9}`, "{" + honest + `,"state":["a","b"]}`,
			"{" + honest + `,"redirect_uri":"https://evil.example/"}`, strings.Replace("{"+honest+"}", "https", "evil", 1), "{}", "[]", "",
			"{" + honest + `,"max_age":1,"claims":{"userinfo":{}},"prompt":"none","resource":["a","b"]}`, "{" + honest + `,"request_uri":"x"}`,
		} {
			f.Add(id, "", `{"alg":"ES256","kid":"k"}`, payload)
			f.Add(id, "redirect_uri=https://"+id+".example/cb&state=s", `{"alg":"none"}`, payload)
		}
	}
	f.Add("signer", "state=a&state=b", `{"alg":"ES256","crit":["x"]}`, "{"+inner+"}")
	f.Fuzz(func(t *testing.T, id, query, header, payload string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		object := w.sign(t, header, payload)
		if strings.Contains(header, "none") {
			object = object[:strings.LastIndexByte(object, '.')+1]
		}
		form.Set("client_id", id)
		form.Set("request", object)
		r, err := p.ParseRequest(t.Context(), form)
		refusal, refused := errors.AsType[*Refusal](err)
		switch {
		case err != nil && !refused:
			t.Fatalf("%s %s: an internal error: %v", header, payload, err)
		case refused:
			to := refusal.Location()
			client, err := p.clients.Client(t.Context(), id)
			if to != "" && (err != nil || !strings.HasPrefix(to, client.RedirectURIs[0]+"?")) {
				t.Fatalf("%s %s is sent to %q", header, payload, to)
			}
		default:
			checkRequest(t, p, r)
			if r.ClientID != id {
				t.Fatalf("%s asks as %s", id, r.ClientID)
			}
			if strings.Contains(header, "none") && id != "plain" {
				t.Fatalf("%s of %s is accepted", header, id)
			}
		}
	})
}

func FuzzClientAssertion(f *testing.F) {
	p, w := newProvider(f), newWriter(f)
	newKeyClient(f, p, w, "signer", registry.Options{})
	ctx := audit.WithActor(f.Context(), &audit.Actor{Kind: audit.Anonymous})
	honest := fmt.Sprintf(`"iss":"signer","sub":"signer","aud":%q,"jti":"j"`, testIssuer)
	soon := time.Now().Add(time.Hour - time.Minute).Unix()
	for _, payload := range []string{
		fmt.Sprintf(`{%s,"exp":%d}`, honest, soon), fmt.Sprintf(`{%s,"exp":%d,"iat":%d,"nbf":1}`, honest, soon, soon-3600), "{" + honest + "}",
		fmt.Sprintf(`{%s,"exp":%d,"aud":"x"}`, honest, soon), fmt.Sprintf(`{"iss":"signer","sub":"signer","aud":[1],"jti":"k","exp":%d}`, soon),
		`{"sub":"signer","aud":[null],"exp":"x"}`, `{"sub":"nobody"}`, `{"sub":["signer"]}`, "{}", "[]", "", `{"sub":"signer","exp":1e400}`,
	} {
		f.Add(`{"alg":"ES256","kid":"k"}`, payload, true)
		f.Add(`{"alg":"ES256","typ":"JWT"}`, payload, false)
		f.Add(`{"alg":"none"}`, payload, true)
	}
	f.Fuzz(func(t *testing.T, header, payload string, whole bool) {
		sent := &credentials{assertion: w.sign(t, header, payload), endpoint: TokenPath}
		if !whole {
			sent.assertion = sent.assertion[:len(sent.assertion)-20] + strings.Repeat("A", 20)
		}
		c, err := p.authenticate(ctx, sent)
		if err == nil {
			checkAssertion(t, p, ctx, c, sent, payload, whole)
			return
		}
		if !errors.Is(err, errClientAuth) {
			t.Fatalf("%s %s: %v, want errClientAuth", header, payload, err)
		}
	})
}

// checkAssertion requires of an assertion that is accepted what makes it the client's, and
// that it is not accepted again.
func checkAssertion(t *testing.T, p *Provider, ctx context.Context, c *storage.Client, sent *credentials, payload string, whole bool) {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal([]byte(payload), &claims); err != nil || !whole || c.ClientID != "signer" {
		t.Fatalf("%s is accepted as %s", payload, c.ClientID)
	}
	exp, _ := claims["exp"].(float64)
	if claims["iss"] != "signer" || claims["sub"] != "signer" || claims["jti"] == "" || claims["aud"] == nil || exp <= float64(time.Now().Unix()-1) {
		t.Fatalf("%s is accepted", payload)
	}
	if _, err := p.authenticate(ctx, sent); !errors.Is(err, errClientAuth) {
		t.Fatalf("%s a second time: %v", payload, err)
	}
}
