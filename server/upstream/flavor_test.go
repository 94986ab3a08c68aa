package upstream_test

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"authy/server/provider"
	"authy/server/servertest"
)

func TestSomebodyComesFromGoogle(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubGoogle(t), newService()
	p := at(provider.Google, stub)
	quirk := stub.Claim
	for name, c := range map[string]struct {
		claim    func(claims)
		verified bool
	}{
		"gmail.com":               {func(claims) {}, true},
		"the whole issuer":        {func(c claims) { c["iss"] = stub.Issuer }, true},
		"gmail.com, not verified": {func(c claims) { c["email_verified"] = false }, false},
		"Workspace":               {func(c claims) { c["email"], c["hd"] = "pat@acme-corp.com", "acme-corp.com" }, true},
		"Workspace, not verified": {func(c claims) { c["email"], c["hd"], c["email_verified"] = "pat@acme-corp.com", "acme-corp.com", false }, false},
		"another's address":       {func(c claims) { c["email"] = "pat@acme-corp.com" }, false},
		"empty hd":                {func(c claims) { c["email"], c["hd"] = "pat@acme-corp.com", "" }, false},
		"like gmail.com":          {func(c claims) { c["email"] = "pat@notgmail.com" }, false},
	} {
		stub.Set(func(s *servertest.StubOIDC) { s.Claim = func(all claims) { quirk(all); c.claim(all) } })
		got, err := come(t, s, p, provider.Ask{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Issuer != stub.Issuer || got.Subject != "110169484474386276334" || got.EmailVerified != c.verified || got.Email == "" {
			t.Errorf("FE-04 %s: %+v, want verified: %v", name, got, c.verified)
		}
	}
	stub.Set(func(s *servertest.StubOIDC) {
		s.Claim = func(all claims) { quirk(all); all["iss"] = "accounts.google.com" }
	})
	_, err := come(t, s, p, provider.Ask{})
	refused(t, "the name of another Google", err, provider.Untrue, "wrong_issuer")
}

func TestSomebodyComesFromMicrosoft(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubMicrosoft(t), newService()
	got, err := come(t, s, at(provider.Microsoft, stub), provider.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	want := &provider.Statement{
		Issuer:  stub.URL + "/" + servertest.StubTenant + "/v2.0",
		Subject: servertest.StubTenant + ".6467882c-fdfd-4354-a1ed-4e13f064be25", Name: "Pat Doe",
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(provider.Statement{}, "Hint")); diff != "" {
		t.Errorf("somebody without mail (-want +got):\n%s", diff)
	}
	if stub.Asked("/oidc/userinfo") != 0 {
		t.Error("userinfo of Microsoft was asked, which says nothing more")
	}
}

// FE-06, nOAuth: whoever administers a tenant writes any address into an account.
func TestAnAddressOfMicrosoftIsNobodysProof(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubMicrosoft(t), newService()
	p := at(provider.Microsoft, stub)
	const bob = "bob@acme-corp.com"
	for name, c := range map[string]struct {
		person   claims
		email    string
		verified bool
	}{
		"mail alone":                        {claims{"email": bob}, bob, false},
		"mail and email_verified":           {claims{"email": bob, "email_verified": true}, bob, false},
		"xms_edov false":                    {claims{"email": bob, "xms_edov": false, "email_verified": true}, bob, false},
		"xms_edov 0":                        {claims{"email": bob, "xms_edov": "0"}, bob, false},
		"xms_edov a list":                   {claims{"email": bob, "xms_edov": []any{true}}, bob, false},
		"xms_edov null":                     {claims{"email": bob, "xms_edov": nil}, bob, false},
		"preferred_username and upn":        {claims{"preferred_username": bob, "upn": bob, "unique_name": bob, "xms_edov": true}, "", false},
		"verified_primary_email":            {claims{"verified_primary_email": []string{bob}}, "", false},
		"a personal account":                {claims{"email": bob, "tid": servertest.StubPersonalTenant}, bob, false},
		"xms_edov true":                     {claims{"email": bob, "xms_edov": true}, bob, true},
		"xms_edov 1":                        {claims{"email": bob, "xms_edov": 1}, bob, true},
		"xms_edov as a text":                {claims{"email": bob, "xms_edov": "1"}, bob, true},
		"a personal account, with xms_edov": {claims{"email": bob, "xms_edov": true, "tid": servertest.StubPersonalTenant}, bob, true},
	} {
		stub.Set(func(s *servertest.StubOIDC) {
			s.Person = maps.Clone(s.Person)
			for _, name := range []string{"email", "email_verified", "xms_edov", "upn", "verified_primary_email"} {
				delete(s.Person, name)
			}
			s.Person["tid"], s.Person["oid"] = servertest.StubTenant, "00000000-0000-0000-66f3-3332eca7ea81"
			maps.Copy(s.Person, c.person)
		})
		got, err := come(t, s, p, provider.Ask{})
		if err != nil {
			t.Errorf("FE-06 %s: %v", name, err)
			continue
		}
		tenant := stub.Person["tid"].(string)
		if got.Email != c.email || got.EmailVerified != c.verified || got.Subject != tenant+".00000000-0000-0000-66f3-3332eca7ea81" {
			t.Errorf("FE-06 %s: %+v, want %q, verified: %v", name, got, c.email, c.verified)
		}
	}
}

func TestTenantsOfMicrosoft(t *testing.T) {
	t.Parallel()
	const attacker = "11111111-2222-3333-4444-555555555555"
	for name, c := range map[string]struct {
		authority string
		tenants   []string
		claim     func(stub *servertest.StubOIDC, c claims)
		kind      provider.Fault // 0 if they come in
		reason    string
	}{
		"any":                       {"common", nil, nil, 0, ""},
		"an allowed one":            {"common", []string{attacker, strings.ToUpper(servertest.StubTenant)}, nil, 0, ""},
		"one by its id":             {servertest.StubTenant, nil, nil, 0, ""},
		"one that is not allowed":   {"common", []string{attacker}, nil, provider.Denied, "tenant_not_allowed"},
		"personal at organizations": {"organizations", nil, func(s *servertest.StubOIDC, c claims) { tenant(s, c, servertest.StubPersonalTenant) }, provider.Denied, "tenant_not_allowed"},
		"personal at consumers":     {"consumers", nil, func(s *servertest.StubOIDC, c claims) { tenant(s, c, servertest.StubPersonalTenant) }, 0, ""},
		"work at consumers":         {"consumers", nil, nil, provider.Untrue, "wrong_issuer"},
		"another at one's own":      {servertest.StubTenant, nil, func(s *servertest.StubOIDC, c claims) { tenant(s, c, attacker) }, provider.Untrue, "wrong_issuer"},
		"tid of another":            {"common", nil, func(_ *servertest.StubOIDC, c claims) { c["tid"] = attacker }, provider.Untrue, "wrong_issuer"},
		"no tid":                    {"common", nil, func(_ *servertest.StubOIDC, c claims) { delete(c, "tid") }, provider.Untrue, "wrong_issuer"},
		"the template itself":       {"common", nil, func(s *servertest.StubOIDC, c claims) { tenant(s, c, "{tenantid}") }, provider.Untrue, "wrong_issuer"},
		"a tenant that is a path":   {"common", nil, func(s *servertest.StubOIDC, c claims) { tenant(s, c, "a/b") }, provider.Untrue, "wrong_issuer"},
		"an issuer of another host": {"common", nil, func(_ *servertest.StubOIDC, c claims) {
			c["iss"] = "https://evil.example/" + servertest.StubTenant + "/v2.0"
		}, provider.Untrue, "wrong_issuer"},
		"an issuer of version 1":     {"common", nil, func(s *servertest.StubOIDC, c claims) { c["iss"] = s.URL + "/" + servertest.StubTenant + "/" }, provider.Untrue, "wrong_issuer"},
		"no oid":                     {"common", nil, func(_ *servertest.StubOIDC, c claims) { delete(c, "oid") }, provider.Misconfigured, "no_object_id"},
		"an oid that is none":        {"common", nil, func(_ *servertest.StubOIDC, c claims) { c["oid"] = "x." + attacker }, provider.Misconfigured, "no_object_id"},
		"too many groups, elsewhere": {"common", nil, func(_ *servertest.StubOIDC, c claims) { c["_claim_names"] = claims{"groups": "src1"} }, provider.Misconfigured, "too_many_groups"},
		"no groups":                  {"common", nil, func(_ *servertest.StubOIDC, c claims) { delete(c, "groups") }, 0, ""},
	} {
		stub := servertest.NewStubMicrosoft(t)
		stub.Issuer = stub.URL + "/" + c.authority + "/v2.0"
		quirk := stub.Claim
		stub.Claim = func(all claims) {
			quirk(all)
			if c.claim != nil {
				c.claim(stub, all)
			}
		}
		p := at(provider.Microsoft, stub)
		p.Options.Tenants, p.Options.Groups = c.tenants, "groups"
		got, err := come(t, newService(), p, provider.Ask{})
		if c.kind != 0 {
			refused(t, "FE-06 "+name, err, c.kind, c.reason)
			continue
		}
		if err != nil || !strings.HasPrefix(got.Issuer, stub.URL+"/") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// tenant makes a token that of a tenant.
func tenant(s *servertest.StubOIDC, c claims, id string) {
	c["tid"], c["iss"] = id, s.URL+"/"+id+"/v2.0"
}

func TestMetadataOfMicrosoftIsOfTheAuthority(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ authority, issuer string }{
		{"common", "https://evil.example/{tenantid}/v2.0"},
		{"common", "/" + servertest.StubTenant + "/v2.0"},
		{"common", "/{tenantid}"},
		{servertest.StubTenant, "/{tenantid}/v2.0"},
		{servertest.StubTenant, "/" + servertest.StubPersonalTenant + "/v2.0"},
		{"consumers", "/" + servertest.StubTenant + "/v2.0"},
		{"contoso.example", "/{tenantid}/v2.0"},
		{"contoso.example", "/contoso.example/v2.0"},
		{"common", ""},
		{"organizations", "/common/v2.0"},
	} {
		stub := servertest.NewStubMicrosoft(t)
		stub.Issuer = stub.URL + "/" + c.authority + "/v2.0"
		quirk := stub.Announce
		stub.Announce = func(m claims) {
			quirk(m)
			m["issuer"] = c.issuer
			if strings.HasPrefix(c.issuer, "/") {
				m["issuer"] = stub.URL + c.issuer
			}
		}
		_, err := newService().Begin(t.Context(), at(provider.Microsoft, stub), provider.Ask{State: "s", ReturnURL: returnURL})
		refused(t, "FE-13 "+c.authority+" with "+c.issuer, err, provider.Misconfigured, "wrong_metadata")
	}
}

func TestSomebodyComesFromGitHub(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubGitHub(t), newService()
	p := atGitHub(stub)
	want := &provider.Statement{
		Issuer: stub.URL, Subject: "583231", Email: "pat@example.com", EmailVerified: true, Name: "Pat Doe",
		Picture: "https://avatars.example/u/583231?v=4",
	}
	got, err := come(t, s, p, provider.Ask{LoginHint: "octopat"})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("with a hidden address: %v (-want +got):\n%s", err, diff)
	}
	stub.Set(func(g *servertest.StubGitHub) { g.Login, g.Name = "renamed", "" })
	want.Name = "renamed"
	if got, err = come(t, s, p, provider.Ask{}); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("after a rename: %v (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	stub.Set(func(g *servertest.StubGitHub) { g.ID = 7 })
	if got, err = come(t, s, p, provider.Ask{}); err != nil || got.Subject != "7" {
		t.Errorf("who has the name of somebody who left is %+v, %v, want another subject", got, err)
	}
	for name, change := range map[string]func(g *servertest.StubGitHub){
		"not verified": func(g *servertest.StubGitHub) {
			g.Emails = []servertest.StubEmail{{Email: "a@example.com", Primary: true}}
		},
		"not primary": func(g *servertest.StubGitHub) {
			g.Emails = []servertest.StubEmail{{Email: "a@example.com", Verified: true}}
		},
		"none":        func(g *servertest.StubGitHub) { g.Emails = nil },
		"not granted": func(g *servertest.StubGitHub) { g.Scopes = []string{"read:user"} },
	} {
		stub.Set(func(g *servertest.StubGitHub) { change(g) })
		if got, err := come(t, s, p, provider.Ask{}); err != nil || got.Email != "" || got.EmailVerified {
			t.Errorf("FE-04 an address that is %s: %+v, %v, want none", name, got, err)
		}
	}
}

func TestTeamsAreGroups(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubGitHub(t), newService()
	p := atGitHub(stub)
	p.Options.Groups = "teams"
	for i := range 201 { // three pages
		stub.Teams = append(stub.Teams, servertest.StubTeam{Organization: "acme", Slug: "team-" + strconv.Itoa(i)})
	}
	got, err := come(t, s, p, provider.Ask{})
	if err != nil || len(got.Groups) != 202 || got.Groups[0] != "acme" || got.Groups[1] != "acme/team-0" {
		t.Errorf("201 teams of one organization: %v, %v", got, err)
	}
	stub.Set(func(g *servertest.StubGitHub) { g.Scopes = []string{"read:user", "user:email"} })
	_, err = come(t, s, p, provider.Ask{})
	refused(t, "without read:org", err, provider.Misconfigured, "groups_not_allowed")
}

func TestWhatGitHubDoesNotSayIsRefused(t *testing.T) {
	t.Parallel()
	stub, s := servertest.NewStubGitHub(t), newService()
	p := atGitHub(stub)
	for name, id := range map[string]any{"no id": nil, "id 0": 0, "negative id": -1, "id with a fraction": 1.5, "id of a text": "x"} {
		stub.Set(func(g *servertest.StubGitHub) { g.Tell = func(u map[string]any) { u["id"] = id } })
		if got, err := come(t, s, p, provider.Ask{}); err == nil {
			t.Errorf("%s: %+v, want refused", name, got)
		}
	}
	stub.Set(func(g *servertest.StubGitHub) { g.Tell = nil })
	p.Secret = "another"
	_, err := come(t, s, p, provider.Ask{})
	refused(t, "another secret, with status 200", err, provider.Misconfigured, "invalid_client")
	p = atGitHub(stub)
	trip, answer, err := depart(t, s, p, provider.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Finish(t.Context(), p, trip, answer); err != nil {
		t.Error(err)
	}
	_, err = s.Finish(t.Context(), p, trip, answer)
	refused(t, "a code twice, with status 200", err, provider.Untrue, "invalid_grant")
	answer.Set("iss", "https://evil.example")
	_, err = s.Finish(t.Context(), p, trip, answer)
	refused(t, "the answer of another", err, provider.Untrue, "wrong_answer_issuer")
	for code, kind := range map[int]provider.Fault{500: provider.Unreachable, 429: provider.Unreachable, 401: provider.Untrue, 403: provider.Misconfigured, 302: provider.Untrue} {
		stub.Set(func(g *servertest.StubGitHub) {
			g.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/api/v3/user" {
					w.WriteHeader(code)
				}
				return r.URL.Path == "/api/v3/user"
			}
		})
		_, err := come(t, s, p, provider.Ask{})
		refused(t, "/user "+strconv.Itoa(code), err, kind, "userinfo_refused")
	}
	stub.Set(func(g *servertest.StubGitHub) {
		g.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/api/v3/user/emails" {
				endless(w, r)
			}
			return r.URL.Path == "/api/v3/user/emails"
		}
	})
	_, err = come(t, s, p, provider.Ask{})
	refused(t, "endless addresses", err, provider.Untrue, "answer_too_long")
}

func TestASecondStubKnowsNobodyOfTheFirst(t *testing.T) {
	t.Parallel()
	one, two, s := servertest.NewStubOIDC(t), servertest.NewStubOIDC(t), newService()
	a, err := come(t, s, at(provider.OIDC, one), provider.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := come(t, s, at(provider.OIDC, two), provider.Ask{})
	if err != nil || a.Subject != b.Subject || a.Issuer == b.Issuer {
		t.Errorf("FE-07: %+v and %+v, %v, want one subject of two issuers", a, b, err)
	}
	trip, answer, err := depart(t, s, at(provider.OIDC, one), provider.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	answer.Del("iss")
	_, err = s.Finish(t.Context(), at(provider.OIDC, two), trip, answer)
	refused(t, "an answer for another provider", err, provider.Untrue, "no_answer_issuer")
}
