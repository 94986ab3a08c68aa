package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/crewjam/saml"

	"authy/server/registry"
	"authy/server/saml2"
	"authy/server/servertest"
)

// asks sends a browser to sign in with a request that change has changed.
func (v *samlService) asks(browser *http.Client, change func(r *saml.AuthnRequest)) (page *servertest.Page, steps []string) {
	v.t.Helper()
	request, err := v.MakeAuthenticationRequest(v.s.URL+"/saml/sso", saml.HTTPRedirectBinding, saml.HTTPPostBinding)
	if err != nil {
		v.t.Fatal(err)
	}
	change(request)
	v.asked = append(v.asked, request.ID)
	to, err := request.Redirect("", v.ServiceProvider)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.s.Visit(v.t, browser, to.String(), bob, bobPass)
}

func TestWhatCannotBeDoneIsToldToTheSAMLService(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newService(t, s, func(_ *saml.ServiceProvider, d *saml2.Description) {
		d.Options.Attributes = map[string]string{"name": "name"} // no address
	})
	yes := true
	text := func(s string) *string { return &s }
	browser := servertest.Browser(t)
	refused := func(what, status string, change func(r *saml.AuthnRequest)) {
		t.Helper()
		page, _ := v.asks(browser, change)
		raw := response(t, page)
		if !strings.Contains(raw, "status:"+status+`"`) || strings.Contains(raw, "Assertion ") || !strings.Contains(raw, "SignatureValue") {
			t.Errorf("%s: %s", what, raw)
		}
	}
	passive := func(r *saml.AuthnRequest) { r.IsPassive = &yes }
	refused("nobody is signed in", "NoPassive", passive)
	first, _ := v.asks(browser, func(*saml.AuthnRequest) {})
	known, err := v.receive(first)
	if err != nil {
		t.Fatal(privately(err))
	}
	context := func(comparison, class string) func(r *saml.AuthnRequest) {
		return func(r *saml.AuthnRequest) {
			r.RequestedAuthnContext = &saml.RequestedAuthnContext{Comparison: comparison, AuthnContextClassRef: class}
		}
	}
	refused("a context that nobody knows", "NoAuthnContext", context("exact", "urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos"))
	refused("SA-24: more than bob has", "NoAuthnContext", context("exact", "https://refeds.org/profile/mfa"))
	refused("SA-24: better than a password", "NoAuthnContext", context("better", "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"))
	format := func(f string) func(r *saml.AuthnRequest) {
		return func(r *saml.AuthnRequest) { r.NameIDPolicy = &saml.NameIDPolicy{Format: text(f)} }
	}
	refused("a format that there is not", "InvalidNameIDPolicy", format("urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"))
	refused("an address that it is not told", "InvalidNameIDPolicy", format(string(saml.EmailAddressNameIDFormat)))
	refused("somebody else", "UnknownPrincipal", func(r *saml.AuthnRequest) {
		r.Subject = &saml.Subject{NameID: &saml.NameID{Format: string(saml.PersistentNameIDFormat), Value: "somebody"}}
	})
	for what, change := range map[string]func(r *saml.AuthnRequest){
		"passive": passive, "transient": format(string(saml.TransientNameIDFormat)),
		"a password at least": context("minimum", "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"),
		"the same person":     func(r *saml.AuthnRequest) { r.Subject = &saml.Subject{NameID: known.Subject.NameID} },
	} {
		page, steps := v.asks(browser, change)
		if _, err := v.receive(page); err != nil || len(steps) > 0 {
			t.Errorf("%s: %v after %v", what, privately(err), steps)
		}
	}
	page, steps := v.asks(browser, func(r *saml.AuthnRequest) { r.ForceAuthn = &yes })
	if _, err := v.receive(page); err != nil || strings.Join(steps, " ") != "sign-in" {
		t.Errorf("a new proof: %v after %v", privately(err), steps)
	}
}

func TestWhoMayNotUseASAMLServiceIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	home, err := s.Orgs.BySlug(t.Context(), "acme-corp")
	if err != nil {
		t.Fatal(err)
	}
	owners := newService(t, s, func(_ *saml.ServiceProvider, d *saml2.Description) {
		d.OrganizationID, d.Allowed = home.ID, []string{registry.AllowRole + "owner"}
	})
	page, _ := s.Visit(t, servertest.Browser(t), owners.ask(""), bob, bobPass)
	if raw := response(t, page); !strings.Contains(raw, "status:RequestDenied") {
		t.Errorf("SA-27: a member is let in where owners are: %s", raw)
	}
	// A link of authy's works where it may.
	begins := newService(t, s, func(sp *saml.ServiceProvider, d *saml2.Description) {
		sp.AllowIDPInitiated = true
		d.Options.Unsolicited, d.Options.RelayState = true, "home"
	})
	page, _ = s.Visit(t, servertest.Browser(t), s.URL+"/saml/start/"+begins.record.Slug, bob, bobPass)
	if a, err := begins.receive(page); err != nil || page.Hidden().Get("RelayState") != "home" ||
		a.Subject.SubjectConfirmations[0].SubjectConfirmationData.InResponseTo != "" {
		t.Errorf("from a link: %+v, %v", a, privately(err))
	}
	for _, slug := range []string{owners.record.Slug, "nothing", "%00"} {
		if page := servertest.Get(t, servertest.Browser(t), s.URL+"/saml/start/"+slug); page.Response.StatusCode != http.StatusNotFound {
			t.Errorf("from the link of %s: %d", slug, page.Response.StatusCode)
		}
	}
}

func TestSAMLServicesAreManagedByTheAPI(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	home, err := s.Orgs.BySlug(t.Context(), "acme-corp")
	if err != nil {
		t.Fatal(err)
	}
	makeAdmin(t, s, root)
	metadata := func(name string) string {
		return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://` + name + `.example">` +
			`<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><AssertionConsumerService index="0" ` +
			`Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://` + name + `.example/acs"/></SPSSODescriptor></EntityDescriptor>`
	}
	ours, all := "/api/v1/organizations/"+home.ID+"/saml/services", "/api/v1/admin/saml/services"
	owner, admin := in(t, s, alice), in(t, s, root)
	owner.call("POST", ours, object{"slug": "wiki", "metadata": metadata("wiki"), "allow": []string{"organization"}}).
		succeeded(201, "SAML service created successfully")
	admin.call("POST", all, object{"name": "Cloud", "metadata": metadata("cloud"), "preset": "nextcloud"}).
		succeeded(201, "SAML service created successfully")
	owner.call("GET", ours, nil).succeeded(200, "SAML services retrieved successfully")
	got := owner.call("PATCH", ours+"/wiki", object{"name_id_format": "transient"}).succeeded(200, "SAML service updated successfully")
	if got.text("service", "name_id_format") != "transient" || got.text("service", "entity_id") != "https://wiki.example" {
		t.Errorf("changed to %s", got.Raw)
	}
	if got := admin.call("GET", all+"?limit=1", nil); got.Data["count"] != 1.0 || !strings.Contains(got.Raw, `"slug":"cloud"`) {
		t.Errorf("the first of all is %s", got.Raw)
	}
	for what, c := range map[string]struct {
		got  outcome
		want int
	}{
		"a member lists":                   {in(t, s, bob).call("GET", ours, nil), 403},
		"a stranger lists":                 {in(t, s, frank).call("GET", ours, nil), 404},
		"an owner lists all":               {owner.call("GET", all, nil), 403},
		"an owner reads one of nobody's":   {owner.call("GET", ours+"/cloud", nil), 404},
		"an owner deletes one of nobody's": {owner.call("DELETE", ours+"/cloud", nil), 404},
		"twice":                            {owner.call("POST", ours, object{"slug": "two", "metadata": metadata("wiki")}), 409},
		"no metadata":                      {owner.call("POST", ours, object{"slug": "two"}), 400},
		"a document type":                  {owner.call("POST", ours, object{"metadata": "<!DOCTYPE a><a/>"}), 400},
	} {
		if c.got.Code != c.want {
			t.Errorf("%s: %s, want %d", what, c.got.Raw, c.want)
		}
	}
	owner.call("DELETE", ours+"/wiki", nil).succeeded(200, "SAML service deleted successfully")
}
