package upstream_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"authy/server/provider"
	"authy/server/servertest"
)

// OpenID Connect Core 1.0, section 5.3.2: userinfo may be a JWT that the provider has signed.
func TestUserinfoComesSigned(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	stub.Userinfo = []string{"email", "email_verified", "name"}
	p, foreign := at(provider.OIDC, stub), servertest.NewStubOIDC(t)
	now := time.Now()
	for name, c := range map[string]struct {
		typ    string
		change func(claims)
		by     *servertest.StubOIDC
		kind   string
		reason string // "" if it is believed
	}{
		"as it should be":      {typ: "JWT"},
		"with a media type":    {typ: "JWT", kind: "application/jwt; charset=utf-8"},
		"with exp":             {typ: "JWT", change: func(c claims) { c["exp"] = now.Add(time.Minute).Unix() }},
		"several audiences":    {typ: "JWT", change: func(c claims) { c["aud"] = []string{"another", stub.ClientID} }},
		"expired":              {typ: "JWT", change: func(c claims) { c["exp"] = now.Add(-time.Hour).Unix() }, reason: "wrong_times"},
		"of another issuer":    {typ: "JWT", change: func(c claims) { c["iss"] = "https://evil.example" }, reason: "wrong_issuer"},
		"of no issuer":         {typ: "JWT", change: func(c claims) { delete(c, "iss") }, reason: "wrong_issuer"},
		"for another client":   {typ: "JWT", change: func(c claims) { c["aud"] = "another" }, reason: "wrong_audience"},
		"for nobody":           {typ: "JWT", change: func(c claims) { delete(c, "aud") }, reason: "wrong_audience"},
		"about somebody else":  {typ: "JWT", change: func(c claims) { c["sub"] = "person-2" }, reason: "wrong_userinfo_subject"},
		"an access token":      {typ: "at+jwt", reason: "wrong_token_type"},
		"a logout token":       {typ: "logout+jwt", reason: "wrong_token_type"},
		"signed by another":    {typ: "JWT", by: foreign, reason: "wrong_signature"},
		"signed, said as JSON": {typ: "JWT", kind: "application/json", reason: "bad_userinfo"},
	} {
		signer, kind := stub, "application/jwt"
		if c.by != nil {
			signer = c.by
		}
		if c.kind != "" {
			kind = c.kind
		}
		stub.Set(func(s *servertest.StubOIDC) {
			s.Inform = func(info map[string]any) (string, string) {
				info["iss"], info["aud"] = stub.Issuer, stub.ClientID
				if c.change != nil {
					c.change(info)
				}
				return kind, signer.Token(c.typ, info)
			}
		})
		got, err := come(t, s, p, provider.Ask{})
		if c.reason != "" {
			refused(t, name, err, provider.Untrue, c.reason)
		} else if err != nil || got.Email != "pat@example.com" || got.Name != "Pat Doe" || !got.EmailVerified {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for reason, body := range map[string]string{
		"wrong_algorithm": "eyJhbGciOiJub25lIn0.e30.", "bad_token": "no token", "encrypted_token": "a.b.c.d.e",
	} {
		stub.Set(func(s *servertest.StubOIDC) {
			s.Inform = func(map[string]any) (string, string) { return "application/jwt", body }
		})
		kind := provider.Untrue
		if reason == "encrypted_token" {
			kind = provider.Misconfigured
		}
		_, err := come(t, s, p, provider.Ask{})
		refused(t, body, err, kind, reason)
	}
}

// OpenID Connect Core 1.0, section 9, private_key_jwt.
func TestAClientProvesByAKeyWhoItIs(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubOIDC(t), newService()
	p := at(provider.OIDC, stub)
	p.Secret, p.Options.AuthMethod = "", provider.AuthKey
	_, err := come(t, s, p, provider.Ask{})
	refused(t, "without keys", err, provider.Misconfigured, "no_client_key")

	var asked []string
	s.Assert = func(_ context.Context, clientID, audience string, algs []string) (string, error) {
		asked = append([]string{clientID, audience}, algs...)
		return "the.assertion.made", nil
	}
	stub.Set(func(s *servertest.StubOIDC) {
		s.Proves = func(assertion string) bool { return assertion == "the.assertion.made" }
		s.Announce = func(m map[string]any) {
			m["token_endpoint_auth_signing_alg_values_supported"] = []string{"ES512", "ES256"}
		}
	})
	fresh := newService()
	fresh.Assert = s.Assert
	if _, err := come(t, fresh, p, provider.Ask{}); err != nil {
		t.Fatal(err)
	}
	if want := []string{stub.ClientID, stub.Issuer, "ES512", "ES256"}; !slices.Equal(asked, want) {
		t.Errorf("the assertion was asked for with %q, want %q", asked, want)
	}
	fresh.Assert = func(context.Context, string, string, []string) (string, error) { return "", errors.New("no such key") }
	_, err = come(t, fresh, p, provider.Ask{})
	refused(t, "without a key", err, provider.Misconfigured, "no_client_key")

	// A method that was chosen is used, whatever the provider says that it takes.
	p.Secret, p.Options.AuthMethod = stub.Secret, provider.AuthPost
	if _, err := come(t, fresh, p, provider.Ask{}); err != nil {
		t.Errorf("with the secret in the form: %v", err)
	}
}
