package openid

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
)

// claimsOf reads a claims parameter for a client of the scopes openid, profile and email.
func claimsOf(p *Provider, text, hint string) (*Request, *Refusal) {
	r := &Request{Scopes: []string{"openid"}, HintSubject: hint}
	client := &storage.Client{Scopes: storage.Words{"openid", "profile", "email"}}
	return r, p.checkClaims(context.Background(), client, r, url.Values{"claims": {text}})
}

func TestClaimsAreAskedForOneByOne(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Request{
		``:                       {},
		`{}`:                     {},
		" {\n\t\"userinfo\":{}}": {},
		`{"userinfo":null}`:      {},
		`{"userinfo":{"name":{"essential":true},"email":null}}`:        {Claims: ClaimsRequest{Userinfo: []string{"name", "email"}}},
		`{"id_token":{"email":{"value":"x"},"auth_time":null}}`:        {Claims: ClaimsRequest{IDToken: []string{"email"}}},
		`{"userinfo":{"phone_number":null,"what":null}}`:               {},
		`{"more":[{"a":1}],"userinfo":{"name":{"other":[]}}}`:          {Claims: ClaimsRequest{Userinfo: []string{"name"}}},
		`{"USERINFO":{"name":null}}`:                                   {},
		`{"id_token":{"acr":{"essential":true,"values":["a","b"]}}}`:   {ACR: []string{"a", "b"}, MustACR: true},
		`{"id_token":{"acr":{"essential":true,"value":"a"}}}`:          {ACR: []string{"a"}, MustACR: true},
		`{"id_token":{"acr":{"values":["a"]}}}`:                        {ACR: []string{"a"}},
		`{"userinfo":{"acr":{"essential":true,"values":["a"]}}}`:       {},
		`{"id_token":{"sub":{"value":"bob"}}}`:                         {HintSubject: "bob"},
		`{"userinfo":{"sub":{"value":"bob"}},"id_token":{"sub":null}}`: {HintSubject: "bob"},
	} {
		got, refusal := claimsOf(nil, text, "")
		want.Scopes = []string{"openid"}
		if diff := cmp.Diff(&want, got); refusal != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", text, refusal, diff)
		}
	}
	r, refusal := claimsOf(nil, `{"id_token":{"sub":{"value":"bob"}}}`, "bob")
	if refusal != nil || r.HintSubject != "bob" {
		t.Errorf("the user of the hint: %v", refusal)
	}
}

func TestAMalformedClaimsParameterIsRefused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20)
	for _, text := range []string{
		"x", "[]", "null", `"userinfo"`, "1", "{", "{}{}", `{"userinfo":[]}`, `{"userinfo":{"name":"x"}}`, `{"id_token":1}`,
		`{"userinfo":{"name":{"essential":"yes"}}}`, `{"id_token":{"acr":{"essential":true,"values":["a",1]}}}`, `{"userinfo":{"name":{"values":"x"}}}`, `{"userinfo":{},"userinfo":{}}`,
		`{"userinfo":{"name":null,"name":null}}`, deep, `{"a":[` + strings.Repeat("1,", 200) + "1]}", "{\"a\":\"\xff\"}",
		`{"a":"` + strings.Repeat("a", maxClaims) + `"}`, `{"a":tru}`, `{"a":1e}`, `{"a" 1}`, "{\x00}",
	} {
		if r, refusal := claimsOf(nil, text, ""); refusal == nil || refusal.Code != "invalid_request" || refusal.Parameter != "claims" {
			t.Errorf("%.60s is taken for %+v", text, r.Claims)
		}
	}
	if _, refusal := claimsOf(nil, `{"id_token":{"sub":{"value":"bob"}}}`, "eve"); refusal == nil {
		t.Error("two users are asked for, and that is accepted")
	}
	if _, refusal := claimsOf(nil, `{"id_token":{"sub":{"values":["bob","eve"]}}}`, ""); refusal == nil {
		t.Error("one of two users is asked for, and that is accepted")
	}
}

func TestThePersonIsAskedForTheScopesOfClaims(t *testing.T) {
	t.Parallel()
	r := &Request{
		Scopes: []string{"openid", "email"},
		Claims: ClaimsRequest{Userinfo: []string{"name", "email"}, IDToken: []string{"nickname", "phone_number"}},
	}
	if diff := cmp.Diff([]string{"openid", "email", "profile", "phone"}, r.Asked()); diff != "" {
		t.Errorf("Asked() (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"openid", "email"}, r.Scopes); diff != "" {
		t.Errorf("Asked() changed the scopes (-want +got):\n%s", diff)
	}
}

func TestAClaimIsCopiedAlone(t *testing.T) {
	t.Parallel()
	yes := true
	full := &claims{
		Subject: "s", Name: "x", GivenName: "x", FamilyName: "x", MiddleName: "x", Nickname: "x", PreferredUsername: "x",
		Profile: "x", Picture: "x", Website: "x", Gender: "x", Birthdate: "x", Zoneinfo: "x", Locale: "x", UpdatedAt: 1,
		Email: "x", EmailVerified: &yes, PhoneNumber: "x", PhoneNumberVerified: &yes, Address: &address{Country: "x"},
		memberships: memberships{Groups: []string{}, Roles: []membership{}},
	}
	for _, c := range userClaims {
		var got map[string]any
		one := &claims{Subject: "s"}
		c.copy(one, full)
		text, err := json.Marshal(one)
		if err == nil {
			err = json.Unmarshal(text, &got)
		}
		if err != nil || len(got) != 2 || got[c.name] == nil || got["sub"] != "s" {
			t.Errorf("%s copies %s, %v", c.name, text, err)
		}
		if !isPersonal(c.scope) {
			t.Errorf("%s belongs to the scope %s, which nobody explains", c.name, c.scope)
		}
	}
}

func FuzzClaimsParameter(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"userinfo":{"name":{"essential":true},"email":null},"id_token":{"acr":{"essential":true,"values":["a"]}}}`,
		`{"id_token":{"sub":{"value":"bob"}}}`, `[[[[`, `{"a":{"a":{"a":{}}}}`, `{"userinfo":{"name":{"value":1e400}}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, refusal := claimsOf(nil, text, "")
		if refusal != nil {
			if refusal.Code != "invalid_request" {
				t.Errorf("%q is refused as %s", text, refusal.Code)
			}
			return
		}
		for _, scope := range r.Asked() {
			if scope != "openid" && scope != "profile" && scope != "email" {
				t.Errorf("%q asks for %s, which the client may not", text, scope)
			}
		}
		kept, err := r.Claims.kept()
		again := wished(&storage.Grant{Details: storage.GrantDetails{Claims: kept}})
		if diff := cmp.Diff(ClaimsRequest{Userinfo: r.Claims.Userinfo, IDToken: r.Claims.IDToken}, again); err != nil || diff != "" {
			t.Errorf("%q is kept as %q, %v (-want +got):\n%s", text, kept, err, diff)
		}
		if text != "" && !json.Valid([]byte(text)) {
			t.Errorf("%q is no JSON, and is accepted: %v", text, errShape)
		}
	})
}

func TestWhatAGrantKeepsOfClaimsIsReadWithCare(t *testing.T) {
	t.Parallel()
	for _, kept := range []string{"", "{", "[]", "null", `{"userinfo":1}`} {
		got := wished(&storage.Grant{Details: storage.GrantDetails{Claims: kept}})
		if len(got.Userinfo)+len(got.IDToken) != 0 {
			t.Errorf("%q says %+v", kept, got)
		}
	}
	if err := checkShape(""); !errors.Is(err, errShape) {
		t.Errorf("checkShape() = %v", err)
	}
}
