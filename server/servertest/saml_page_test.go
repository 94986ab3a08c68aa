package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/saml2"
	"authy/server/servertest"
	"authy/storage"
)

// plainMetadata describes a service by its name.
func plainMetadata(name string) string {
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://` + name + `.example/saml">` +
		`<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><AssertionConsumerService index="0" ` +
		`Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://` + name + `.example/acs"/></SPSSODescriptor></EntityDescriptor>`
}

// samlPages are the pages about SAML services below root, as somebody sees them.
type samlPages struct {
	t       *testing.T
	s       *servertest.Server
	browser *http.Client
	root    string
}

func (p samlPages) get(path string) *servertest.Page {
	p.t.Helper()
	return servertest.Get(p.t, p.browser, p.s.URL+p.root+path)
}

// post sends a form, and goes where that leads.
func (p samlPages) post(path string, form url.Values) *servertest.Page {
	p.t.Helper()
	page := servertest.Post(p.t, p.browser, p.s.URL+p.root+path, form)
	if to := page.Location(); to != nil && page.Response.StatusCode == http.StatusSeeOther {
		return servertest.Get(p.t, p.browser, to.String())
	}
	return page
}

// says wants a page to have a status and texts.
func (p samlPages) says(what string, page *servertest.Page, status int, texts ...string) {
	p.t.Helper()
	if page.Response.StatusCode != status {
		p.t.Errorf("%s: status %d, want %d: %s", what, page.Response.StatusCode, status, page.Body)
	}
	for _, text := range texts {
		if !strings.Contains(page.Body, text) {
			p.t.Errorf("%s lacks %q: %s", what, text, page.Body)
		}
	}
}

func (p samlPages) trail(action string) (reasons []string) {
	p.t.Helper()
	events, err := p.s.DB.EventsMatching(p.t.Context(), storage.EventFilter{Action: action}, storage.EventKey{}, 10)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range events {
		reasons = append(reasons, e.Outcome+" by "+e.ActorKind+" to "+e.TargetID)
	}
	return reasons
}

func TestSAMLServicesAreManagedInPages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	makeAdmin(t, s, root)
	home, err := s.Orgs.BySlug(t.Context(), "acme-corp")
	if err != nil {
		t.Fatal(err)
	}
	for who, p := range map[string]samlPages{
		root:  {t, s, servertest.Browser(t), "/admin/saml"},
		alice: {t, s, servertest.Browser(t), "/organizations/" + home.ID + "/saml"},
	} {
		s.SignIn(t, p.browser, who, seedPassword(who))
		slug := strings.Split(who, "@")[0]
		at := "/services/" + slug
		p.says("an empty list", p.get(""), 200, "No application signs in by SAML yet", s.URL+saml2.MetadataPath, s.URL+saml2.SLOPath, "BEGIN CERTIFICATE")
		p.says("the form for Slack", p.get("/new?preset=slack"), 200, `name="preset" value="slack"`, "https://WORKSPACE.slack.com/sso/saml", `value="https://slack.com"`)
		p.says("nothing filled in", p.post("/new", url.Values{}), 400, "Give the metadata of the service")
		bad := url.Values{"metadata": {"<!DOCTYPE a><a/>"}, "attributes": {"mail"}, "name": {"<b>"}}
		p.says("a document type", p.post("/new", bad), 400, `aria-invalid="true"`, "without a document type", "&lt;b&gt;")
		p.says("no https", p.post("/new", url.Values{"entity_id": {"x"}, "acs_url": {"http://a.example"}}), 400, "Must be a URL with https")
		good := url.Values{
			"metadata": {plainMetadata(slug)}, "name": {slug}, "attributes": {"mail=email\nstaff=text:yes"}, "unsolicited": {"yes"}, "allow": {"organization"},
		}
		p.says("added", p.post("/new", good), 200, slug+" is added.", "https://"+slug+".example/acs", "staff", s.URL+"/saml/start/"+slug, "Never")
		p.says("added twice", p.post("/new", good), 409, "exists already")
		p.says("the list", p.get(""), 200, "https://"+slug+".example/saml", p.root+at)
		p.says("found", p.get("?search=EXAMPLE/saml"), 200, p.root+at)
		p.says("not found", p.get("?search=nothing"), 200, "No service is called like that")
		p.says("the form that changes", p.get(at+"/edit"), 200, "mail=email\nstaff=text:yes", `value="yes" checked`)
		p.says("a claim that there is not", p.post(at+"/edit", url.Values{"attributes": {"a=password"}, "allow": {"organization"}}), 400, "Each is one of the claims", "a=password")
		changed := url.Values{"name": {"New"}, "name_id_format": {"email"}, "preset": {"nextcloud"}, "allow": {"organization"}}
		p.says("changed", p.post(at+"/edit", changed), 200, "New is changed.", "The confirmed email address", "Nextcloud")
		p.says("disabled", p.post(at+"/state", url.Values{}), 200, "New is disabled", `name="active" value="yes"`)
		p.says("enabled", p.post(at+"/state", url.Values{"active": {"yes"}}), 200, "New is enabled")
		p.says("nowhere to fetch from", p.post(at+"/fetch", url.Values{}), 200, "up to date")
		p.says("asked", p.get(at+"/remove"), 200, "Remove New?")
		p.says("removed", p.post(at+"/remove", url.Values{}), 200, slug+" is removed.")
		p.says("gone", p.get(at), 404)
		p.says("of another", p.get("/services/%00"), 404)
		for _, action := range []string{"service.create", "service.update", "service.delete"} {
			if got := p.trail(action); len(got) == 0 || got[0] != "success by user to "+slug {
				t.Errorf("%s is recorded as %q", action, got)
			}
		}
	}
}

func TestWhoDoesNotManageSAMLServicesDoesNotSeeTheirPages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	makeAdmin(t, s, root)
	home, err := s.Orgs.BySlug(t.Context(), "acme-corp")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.SAMLServices.Create(t.Context(), audit.Shell(), saml2.Description{Slug: "cloud", Metadata: plainMetadata("cloud")})
	if err != nil {
		t.Fatal(err)
	}
	ours := "/organizations/" + home.ID + "/saml"
	paths := []string{"", "/new", "/services/cloud", "/services/cloud/edit", "/services/cloud/remove"}
	keys := []string{"/keys", "/keys/turn", "/keys/retire/x"}
	// What they get in the administration, and in the organization.
	for who, want := range map[string][2]int{bob: {403, 403}, frank: {403, 404}} {
		p := samlPages{t, s, servertest.Browser(t), ""}
		s.SignIn(t, p.browser, who, seedPassword(who))
		for _, path := range append(paths, keys...) {
			p.says(who+" reads "+path, p.get("/admin/saml"+path), want[0])
		}
		for _, path := range paths {
			p.says(who+" reads "+path, p.get(ours+path), want[1])
		}
		for _, path := range []string{"/new", "/services/cloud/edit", "/services/cloud/state", "/services/cloud/fetch", "/services/cloud/remove"} {
			p.says(who+" sends "+path, p.post("/admin/saml"+path, url.Values{}), want[0])
			p.says(who+" sends "+path, p.post(ours+path, url.Values{}), want[1])
		}
		for _, path := range []string{"/keys", "/keys/turn", "/keys/retire/x"} {
			p.says(who+" sends "+path, p.post("/admin/saml"+path, url.Values{}), want[0])
		}
	}
	// An organization's manager has nothing to do with the others.
	p := samlPages{t, s, servertest.Browser(t), ours}
	s.SignIn(t, p.browser, alice, seedPassword(alice))
	p.says("another's", p.get("/services/cloud"), 404)
	p.says("another's is removed", p.post("/services/cloud/remove", url.Values{}), 404)
	p.says("another's is changed", p.post("/services/cloud/edit", url.Values{"name": {"x"}}), 404)
	if page := servertest.Get(t, servertest.Browser(t), s.URL+"/admin/saml"); page.Location() == nil || page.Location().Path != "/sign-in" {
		t.Errorf("who is not signed in: %d to %v", page.Response.StatusCode, page.Location())
	}
}

func TestSAMLKeysAreTurnedInPages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	makeAdmin(t, s, root)
	p := samlPages{t, s, servertest.Browser(t), "/admin/saml/keys"}
	s.SignIn(t, p.browser, root, seedPassword(root))
	keys := func() (ids []string) {
		t.Helper()
		all, err := s.SAMLKeys.List(t.Context(), audit.Shell())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range all {
			ids = append(ids, k.ID)
		}
		return ids
	}
	first := keys()[0]
	p.says("one key", p.get(""), 200, first, "Publish the next key")
	p.says("nothing is published", p.get("/turn"), 200, "No key is published")
	p.says("published", p.post("", url.Values{}), 200, "The next key is published", "Published, signs next")
	p.says("published twice", p.post("", url.Values{}), 409, "published already")
	next := keys()[1]
	p.says("asked", p.get("/turn"), 200, "The published key signs from now on")
	p.says("it signs", p.post("/turn", url.Values{}), 200, "The new key signs now", "Retired")
	if got := keys()[0]; got != next {
		t.Errorf("%s signs, want %s", got, next)
	}
	p.says("the one that signs", p.get("/retire/"+next), 200, "This key signs")
	p.says("the one that signs is deleted", p.post("/retire/"+next, url.Values{}), 409)
	p.says("the old one", p.get("/retire/"+first), 200, "Delete this key?")
	p.says("deleted", p.post("/retire/"+first, url.Values{}), 200, "The key is deleted")
	p.says("gone", p.get("/retire/"+first), 404)
	if got := keys(); len(got) != 1 {
		t.Errorf("the keys are %q", got)
	}
}
