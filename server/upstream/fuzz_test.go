package upstream

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"authy/server/keyset"
	"authy/server/outbound"
	"authy/server/provider"
	"authy/storage"
)

// FuzzGranted reads what a token endpoint answers.
func FuzzGranted(f *testing.F) {
	for _, seed := range []string{
		"", "null", "[]", "{}", `{"access_token":"a","token_type":"Bearer","id_token":"a.b.c"}`, `{"error":"invalid_grant"}`,
		`{"error":null,"access_token":"a","token_type":"bearer"}`, `{"access_token":"a\n","token_type":"Bearer"}`, "access_token=a&token_type=bearer",
	} {
		f.Add(seed, 200)
		f.Add(seed, 400)
	}
	f.Fuzz(func(t *testing.T, body string, status int) {
		members, err := granted(&outbound.Answer{Status: status, Body: []byte(body)})
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if access := text(members, "access_token"); status != 200 || !isToken(access) || members["error"] != nil {
			t.Fatalf("%d %q grants %q", status, body, access)
		}
	})
}

// checkRefusal requires that a refusal repeats nothing.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	refusal, is := errors.AsType[*provider.Refusal](err)
	if !is || refusal.Kind == 0 || refusal.Text == "" || strings.Trim(refusal.Reason, "abcdefghijklmnopqrstuvwxyz_") != "" {
		t.Fatalf("refused as %#v", err)
	}
}

// FuzzClaims makes statements of claims that a provider has signed.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`{"iss":"https://op.example","aud":"me","sub":"1","exp":9999999999,"iat":1,"nonce":"n","email":"a@example.com","email_verified":true}`,
		`{"aud":["me"],"azp":"me","sub":"x","exp":99999999999,"iat":1,"nonce":"n","iss":"https://op.example","groups":{"a":["b",1]},"name":"\u0000x"}`,
		`{"iss":"https://op.example/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0","tid":"72f988bf-86f1-41af-91ab-2d7cd011db47","xms_edov":"1"}`,
		`{"sub":null,"amr":"pwd","picture":"javascript:1","auth_time":-1,"given_name":"A","family_name":"\n"}`, `{"iss":"op.example"}`, `{}`,
	} {
		f.Add(seed)
	}
	p := &storage.Provider{ClientID: "me", Issuer: "https://op.example/common/v2.0", Options: storage.ProviderOptions{Groups: "groups.a"}}
	now, trip := time.Now(), provider.Trip{Nonce: "n"}
	f.Fuzz(func(t *testing.T, payload string) {
		claims, err := object([]byte(payload))
		if err != nil {
			return
		}
		for kind, how := range map[string]flavor{"https://op.example": plain{}, "https://op.example/": google{}, "https://op.example/{tenantid}/v2.0": microsoft{}} {
			o := &openID{p: p, flavor: how}
			s, err := o.said(&metadata{Issuer: kind}, now, trip, claims)
			if err != nil {
				checkRefusal(t, err)
				continue
			}
			checkStatement(t, payload, s)
		}
	})
}

// said is what becomes of claims whose signature is right.
func (o *openID) said(m *metadata, now time.Time, trip provider.Trip, claims keyset.Claims) (*provider.Statement, error) {
	issuer, err := o.checkIssued(m, now, claims)
	if err != nil {
		return nil, err
	}
	subject, err := subjectOf(claims)
	if err != nil {
		return nil, err
	}
	if err := checkNonce(claims, trip); err != nil {
		return nil, err
	}
	s, err := statement(o.p, &idToken{issuer: issuer, subject: subject, claims: claims})
	if err != nil {
		return nil, err
	}
	return s, o.state(o.p, claims, s)
}

func checkStatement(t *testing.T, payload string, s *provider.Statement) {
	t.Helper()
	all := append([]string{s.Issuer, s.Subject, s.Email, s.Name, s.Picture, s.Locale, s.Context, s.SessionID}, append(s.Groups, s.Methods...)...)
	for _, one := range all {
		if !utf8.ValidString(one) || strings.ContainsFunc(one, unprintable) || len(one) > 4*maxName {
			t.Fatalf("%q says %q", payload, one)
		}
	}
	if s.Issuer == "" || s.Subject == "" || s.EmailVerified && s.Email == "" || s.Picture != "" && !strings.HasPrefix(strings.ToLower(s.Picture), "https://") {
		t.Fatalf("%q says %+v", payload, s)
	}
}

// FuzzMetadata reads what a provider says of itself.
func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"issuer":"https://op.example","authorization_endpoint":"https://op.example/a","token_endpoint":"https://op.example/t","jwks_uri":"https://op.example/k"}`,
		`{"authorization_endpoint":"javascript:1","token_endpoint":"http://127.0.0.1/t","jwks_uri":"https://op.example/k#x"}`,
	} {
		f.Add(seed)
	}
	ask := outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	f.Fuzz(func(t *testing.T, body string) {
		m, err := parseMetadata([]byte(body), ask.Check)
		if err != nil {
			return
		}
		for _, address := range []string{m.AuthorizationEndpoint, m.TokenEndpoint, m.KeysURL} {
			if ask.Check(address) != nil || strings.Contains(address, "#") {
				t.Fatalf("%q leads to %q", body, address)
			}
		}
	})
}

func TestAClaimIsFoundByItsNameOrWithinOthers(t *testing.T) {
	t.Parallel()
	const document = `{"groups":["a"],"https://x.example/groups":["b"],"realm":{"roles":["c"],"d.e":["f"],"n":1},"a.b":["g"],"a":{"b":["h"]}}`
	var claims keyset.Claims
	if err := json.Unmarshal([]byte(document), &claims); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"groups": `["a"]`, "https://x.example/groups": `["b"]`, "realm.roles": `["c"]`, "realm.d.e": `["f"]`, "a.b": `["g"]`,
		"realm.x": "", "groups.x": "", "x": "", "realm.n.o": "", ".": "",
	} {
		if got := string(find(claims, name)); got != want {
			t.Errorf("find(%q) = %q, want %q", name, got, want)
		}
	}
}
