package servertest_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/provider"
	"authy/server/servertest"
)

const providerPages = "/admin/providers"

// adminVisitor signs in as one, at a server that may ask stubs.
func adminVisitor(t *testing.T, s *servertest.Server) visitor {
	t.Helper()
	makeAdmin(t, s, root)
	return visitorAs(t, s, root)
}

func visitorAs(t *testing.T, s *servertest.Server, email string) visitor {
	t.Helper()
	v := newVisitor(t, s)
	s.SignIn(t, v.browser, email, seedPassword(email))
	return v
}

func TestAProviderIsAddedTestedChangedAndRemovedByPages(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	v, stub := adminVisitor(t, s), servertest.NewStubOIDC(t)
	v.page(v.get(providerPages), 200, "There are none yet")
	v.page(v.get(providerPages+"/new"), 200, `href="/admin/providers/new?kind=saml"`)
	page := v.page(v.get(providerPages+"/new?kind=oidc"), 200, s.URL+"/external/oidc/callback")
	if got := page.Hidden().Get("slug"); got != "oidc" {
		t.Errorf("the slug is %q, want oidc", got)
	}
	v.page(v.get(providerPages+"/new?kind=oidc&slug=lab"), 200, s.URL+"/external/lab/callback")
	v.page(v.get(providerPages+"/new?kind=oidc&slug=new"), 400, "A page of this server has this name")

	form := []string{
		"kind", "oidc", "slug", "lab", "name", "The Lab", "issuer", stub.Issuer, "client_id", stub.ClientID,
		"client_secret", stub.Secret,
	}
	bad := v.page(v.post(providerPages, append(form, "name", "", "issuer", "http://example.com")...), 400, `id="field-issuer-problem"`)
	if strings.Contains(bad.Body, stub.Secret) || !strings.Contains(bad.Body, `value="`+stub.ClientID+`"`) {
		t.Errorf("a refused form forgets what was typed, or repeats the secret:\n%s", bad.Body)
	}
	v.leads(v.post(providerPages, form...), providerPages+"/lab")
	v.page(v.get(providerPages+"/lab"), 200, "The Lab is added.")
	v.page(v.post(providerPages, form...), 400, "There is an identity provider with this slug already")
	v.page(v.get(providerPages+"/new?kind=oidc&slug=lab"), 400, s.URL+"/external/oidc/callback")

	v.page(v.post(providerPages+"/lab/test"), 200, "Its endpoints can be asked.")
	guest := newVisitor(t, s)
	guest.leads(guest.join(guest.via("lab"), "full_name", "Pat"), "/account")
	v.page(v.get(providerPages+"/lab"), 200, `<dd id="identities">1</dd>`)

	got := in(t, s, root).call("GET", providersPath+"/lab", nil).succeeded(200, "Provider retrieved successfully")
	if got.at("provider", "identities") != 1.0 || got.at("provider", "last_used_at") == nil {
		t.Errorf("the API says %s", got.Raw)
	}

	edit := v.page(v.get(providerPages+"/lab/edit"), 200, `name="auth_method"`)
	if strings.Contains(edit.Body, stub.Secret) {
		t.Error("the form shows the secret")
	}
	changed := []string{
		"name", "Lab & Co", "issuer", stub.Issuer, "client_id", stub.ClientID, "scopes", "openid email",
		"domains", "lab.example\nLab.example\n", "registration", "domains", "groups", "groups",
		"roles", "heads=acme-corp:admin\n*=tech-startup:guest", "trusted_methods", "mfa hwk", "trusted_contexts", "a\nb", "logout", "yes",
	}
	v.leads(v.post(providerPages+"/lab/edit", changed...), providerPages+"/lab")
	p, err := s.Providers.Find(t.Context(), "lab")
	if err != nil {
		t.Fatal(err)
	}
	o := p.Options
	if p.Name != "Lab & Co" || p.Secret != stub.Secret || !p.IsActive || !o.Logout || o.KeepProfile || len(o.Roles) != 2 ||
		!slices.Equal(o.Domains, []string{"lab.example"}) || !slices.Equal(o.TrustedMethods, []string{"mfa", "hwk"}) ||
		!slices.Equal(o.TrustedContexts, []string{"a", "b"}) || o.Registration != "domains" {
		t.Errorf("it is %+v", p)
	}
	v.page(v.get(providerPages+"/lab"), 200, "<code>heads=acme-corp:admin</code>")
	v.page(v.get(providerPages+"/lab/edit"), 200, "*=tech-startup:guest")
	v.page(v.get(providerPages+"/lab"), 200, s.URL+"/signed-out") // to be registered for the logout
	v.page(v.post(providerPages+"/lab/edit", append(changed, "roles", "heads=nowhere:admin")...), 400, "There is no organization nowhere.")
	v.page(v.post(providerPages+"/lab/edit", append(changed, "issuer", "https://evil.example")...), 400, "Give it again")

	v.leads(v.post(providerPages+"/lab/state", "on", ""), providerPages+"/lab")
	if page := newVisitor(t, s).get("/sign-in"); strings.Contains(page.Body, "/external/lab/start") {
		t.Error("what is switched off is offered")
	}
	v.leads(v.post(providerPages+"/lab/state", "on", "yes"), providerPages+"/lab")
	v.page(newVisitor(t, s).get("/sign-in"), 200, "/external/lab/start")
	v.page(v.get(providerPages+"/lab/remove"), 200, "1 account is linked by it, and loses that link.")
	v.leads(v.post(providerPages+"/lab/remove"), providerPages)
	v.page(v.get(providerPages+"/lab"), 404, "")

	var actions []string
	for _, e := range eventsNow(t, s) {
		if strings.HasPrefix(e.Action, "provider.") {
			actions = append(actions, e.Action)
			if e.ActorID != userID(t, s, root) || strings.Contains(e.Details, stub.Secret) {
				t.Errorf("%s is by %s, and says %s", e.Action, e.ActorID, e.Details)
			}
		}
	}
	slices.Sort(actions)
	want := []string{"provider.create", "provider.delete", "provider.update", "provider.update", "provider.update"}
	if !slices.Equal(actions, want) {
		t.Errorf("the audit log has %q, want %q", actions, want)
	}
}

// What a provider was set to elsewhere is not lost where the form says nothing of it.
func TestAFormKeepsWhoPeopleAreAtAProvider(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	newSAMLStub(t, s, func(o *provider.Options) {
		o.SubjectAttribute, o.Attributes = "uid", map[string]string{"email": "mail"}
	})
	v := adminVisitor(t, s)
	v.page(v.get(providerPages+"/stub/edit"), 200, `value="uid"`)
	form := []string{"name", "Renamed", "issuer", "https://idp.example/saml", "domains", "acme-corp.com", "attributes", "email=mail"}
	v.leads(v.post(providerPages+"/stub/edit", append(form, "subject_attribute", "uid")...), providerPages+"/stub")
	p, err := s.Providers.Find(t.Context(), "stub")
	if err != nil {
		t.Fatal(err)
	}
	if o := p.Options; p.Name != "Renamed" || o.SubjectAttribute != "uid" || o.Metadata == "" || o.Attributes["email"] != "mail" {
		t.Errorf("it is %s, %+v", p.Name, o)
	}
}

func TestProvidersAreSearchedAndPaged(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	v, stub := adminVisitor(t, s), servertest.NewStubOIDC(t)
	for _, n := range []int{60, 1} {
		for range n {
			addProvider(t, s, stub, strings.ToLower(letters(20)), "")
		}
	}
	addProvider(t, s, stub, "needle", "")
	first := v.page(v.get(providerPages), 200, `id="next-page"`)
	_, next, _ := strings.Cut(first.Body, `id="next-page" href="`)
	next, _, _ = strings.Cut(next, `"`)
	second := v.page(v.get(strings.ReplaceAll(next, "&amp;", "&")), 200, `rel="prev"`)
	if a, b := strings.Count(first.Body, `scope="row"`), strings.Count(second.Body, `scope="row"`); a != 50 || b != 12 {
		t.Errorf("the pages have %d and %d, want 50 and 12", a, b)
	}
	if page := v.get(providerPages + "?q=NEEDLE"); strings.Count(page.Body, `scope="row"`) != 1 {
		t.Errorf("the search finds not one:\n%s", page.Body)
	}
	v.page(v.get(providerPages+"?q="+url.QueryEscape("<script>")), 200, "&lt;script&gt;")
}

func TestProviderPagesAreForWhoManagesThem(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	stub := servertest.NewStubOIDC(t)
	acme, err := s.Orgs.Find(t.Context(), "acme-corp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Providers.AddDomain(t.Context(), audit.Shell(), acme.ID, "acme-corp.com"); err != nil {
		t.Fatal(err)
	}
	addProvider(t, s, stub, "stub", "")
	addProvider(t, s, stub, "acme-corp-oidc", acme.ID)
	own := "/organizations/" + acme.ID + "/providers"
	member, owner, outsider := newVisitor(t, s), visitorAs(t, s, alice), newVisitor(t, s)
	s.SignIn(t, outsider.browser, cast["outsider"], bobPass)
	s.SignIn(t, member.browser, bob, bobPass)
	for _, path := range []string{"", "/new", "/stub", "/stub/edit", "/stub/remove"} {
		member.page(member.get(providerPages+path), 403, "administrators of the server")
		newVisitor(t, s).leads(newVisitor(t, s).get(providerPages+path), "/sign-in")
		if path != "/stub" {
			member.page(member.get(own+strings.ReplaceAll(path, "stub", "acme-corp-oidc")), 403, "")
			outsider.page(outsider.get(own+strings.ReplaceAll(path, "stub", "acme-corp-oidc")), 404, "")
		}
		if strings.Contains(path, "stub") { // the server's is not the organization's
			owner.page(owner.get(own+path), 404, "")
		}
	}
	for _, path := range []string{"/stub/test", "/stub/state", "/stub/remove", "/stub/edit", ""} {
		member.page(member.post(providerPages+path, "kind", "oidc"), 403, "")
		owner.page(owner.post(providerPages+path, "kind", "oidc"), 403, "")
	}
	owner.page(owner.get(own), 200, "acme-corp-oidc")
	if page := owner.get(own); strings.Contains(page.Body, "/stub") {
		t.Error("an organization sees the providers of the server")
	}
	owner.page(owner.get(own+"/new?kind=oidc"), 200, "/external/acme-corp-oidc-2/callback")
	edit := owner.page(owner.get(own+"/acme-corp-oidc/edit"), 200, "Only an administrator of the server can set this.")
	if strings.Contains(edit.Body, `value="open"`) {
		t.Error("an organization is offered what it cannot have")
	}
	base := []string{"name", "X", "issuer", stub.Issuer, "client_id", "x"}
	owner.page(owner.post(own+"/acme-corp-oidc/edit", append(base, "trusted_methods", "mfa")...), 400, "Only an administrator of the server can set this for")
	owner.page(owner.post(own+"/acme-corp-oidc/edit", append(base, "groups", "g", "roles", "a=tech-startup:member")...), 400, "in that organization alone")
	owner.leads(owner.post(own+"/acme-corp-oidc/edit", append(base, "groups", "g", "roles", "a=member\nb=acme-corp:guest",
		"domains", "acme-corp.com")...), own+"/acme-corp-oidc")
	owner.page(owner.get(own+"/acme-corp-oidc/edit"), 200, "a=member\nb=guest")

	domains := "/organizations/" + acme.ID + "/domains"
	owner.page(owner.get(domains), 200, "acme-corp.com")
	member.page(member.get(domains), 403, "")
	member.page(member.post("/admin"+domains, "domain", "x.example"), 403, "")
	owner.page(owner.get("/admin"+domains), 403, "")
}

func TestTheConfigurationsProvidersAreOnlyLookedAt(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		toStubs(c)
		c.Providers = map[string]*config.Provider{"google": {Kind: "google", ClientID: "id", ClientSecret: "the secret"}}
	}})
	v := adminVisitor(t, s)
	v.page(v.get(providerPages), 200, "configuration file")
	page := v.page(v.get(providerPages+"/google"), 200, `id="managed"`)
	for _, act := range []string{"/edit", "/remove", "/state"} {
		if strings.Contains(page.Body, providerPages+"/google"+act) {
			t.Errorf("%s is offered", act)
		}
	}
	const set = "set by the configuration file"
	v.page(v.get(providerPages+"/google/edit"), 409, set)
	v.page(v.get(providerPages+"/google/remove"), 409, set)
	v.page(v.post(providerPages+"/google/remove"), 409, set)
	v.page(v.post(providerPages+"/google/state"), 409, set)
	v.page(v.post(providerPages+"/google/edit", "name", "X", "client_id", "x"), 409, set)
}

func TestDomainsAreGrantedAndRemovedByPages(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: toStubs})
	v := adminVisitor(t, s)
	acme, err := s.Orgs.Find(t.Context(), "acme-corp")
	if err != nil {
		t.Fatal(err)
	}
	path := "/admin/organizations/" + acme.ID + "/domains"
	v.page(v.get(path), 200, "has no domain yet")
	v.page(v.post(path, "domain", "gmail.com"), 400, `id="field-domain-problem"`)
	v.page(v.post(path, "domain", "<script>"), 400, "&lt;script&gt;")
	v.leads(v.post(path, "domain", "Acme-Corp.com"), path)
	v.page(v.get(path), 200, "acme-corp.com is granted.")
	v.page(v.post(path, "domain", "acme-corp.com"), 409, "An organization has this domain already")
	v.page(v.get(path+"/remove?domain=acme-corp.com"), 200, "Remove acme-corp.com?")
	v.page(v.get(path+"/remove?domain=other.example"), 404, "")
	v.leads(v.post(path+"/remove", "domain", "acme-corp.com"), path)
	v.page(v.post(path+"/remove", "domain", "acme-corp.com"), 404, "")
	v.page(v.get("/admin/organizations/none/domains"), 404, "")
	var actions []string
	for _, e := range eventsNow(t, s) {
		if strings.HasPrefix(e.Action, "org.domain") {
			actions = append(actions, e.Action)
		}
	}
	slices.Sort(actions)
	if !slices.Equal(actions, []string{"org.domain_add", "org.domain_remove"}) {
		t.Errorf("the audit log has %q", actions)
	}
}
