package servertest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/openid"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

const consentsPath = mePath + "/consents"

// ended requires that an application has nothing of bob any more.
func ended(t *testing.T, s *servertest.Server, a app, held tokens) {
	t.Helper()
	alive(t, s, held.Access, false)
	a.refresh(t, s, held.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
	if got := a.introspect(t, s, held.Access); got.fields["active"] != false {
		t.Errorf("introspection: %s", got.body)
	}
}

// revocations are the rows of the audit log about consents that were taken back.
func revocations(t *testing.T, s *servertest.Server) (rows []storage.Event) {
	t.Helper()
	events, err := s.DB.Events(t.Context(), 500)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(events, func(e storage.Event) bool { return e.Action != "consent.revoked" })
}

func TestAPersonShutsAnAppOut(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		v, other := newVisitor(t, s), newVisitor(t, s)
		first, second := acmePortal.tokens(t, s, v.browser), acmePortal.tokens(t, s, v.browser)
		elsewhere := dataAPI.tokens(t, s, v.browser)
		pending, verifier := acmePortal.code(t, s, v.browser)
		page, _ := s.Visit(t, other.browser, authorizeURL(s, acmePortal.request(verifier)), carol, bobPass)
		carols := acmePortal.redeem(t, s, page.Location().Query().Get("code"), verifier)

		if got := v.get("/account/apps"); !strings.Contains(got.Body, `href="/account/apps/remove?id=acme-portal-001"`) {
			t.Errorf("the account page has no button: %s", got.Body)
		}
		asked := v.get("/account/apps/remove?id=acme-portal-001")
		if !strings.Contains(asked.Body, `id="remove-app"`) || asked.Hidden().Get("id") != acmePortal.id {
			t.Fatalf("the page that asks: %s", asked.Body)
		}
		alive(t, s, first.Access, true) // looking does nothing
		v.leads(v.post("/account/apps/remove", "id", acmePortal.id), "/account/apps")
		if got := v.get("/account/apps"); strings.Contains(got.Body, "apps/remove?id=acme-portal-001") || !strings.Contains(got.Body, "can no longer use") {
			t.Errorf("the account page: %s", got.Body)
		}
		ended(t, s, acmePortal, first)
		ended(t, s, acmePortal, second)
		acmePortal.post(t, s, tokenPath, acmePortal.redemption(pending, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
		alive(t, s, elsewhere.Access, true)
		alive(t, s, carols.Access, true)
		v.signedIn(true)
		if rows := revocations(t, s); len(rows) != 1 || rows[0].TargetID != acmePortal.id || rows[0].ActorID != userID(t, s, bob) {
			t.Errorf("the audit log has %v", rows)
		}
		if _, steps := s.Visit(t, v.browser, authorizeURL(s, acmePortal.request("v")), bob, bobPass); !slices.Equal(steps, []string{"consent"}) {
			t.Errorf("the next visit asks for %v, want consent", steps)
		}
	})
}

func TestOnlyTheirOwnAppsCanSomeoneShutOut(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, nobody := newVisitor(t, s), newVisitor(t, s)
	held := acmePortal.tokens(t, s, v.browser)
	eve := newVisitor(t, s)
	eve.leads(eve.post("/sign-in", "email", "eve@acme-corp.com", "password", bobPass), "/account")
	for _, id := range []string{acmePortal.id, "nothing", "", "a\x00b", "' OR '1'='1"} {
		if got := eve.get("/account/apps/remove?id=" + strings.ReplaceAll(id, "\x00", "%00")); id == acmePortal.id && got.Response.StatusCode != http.StatusNotFound {
			t.Errorf("%q: %d, want 404", id, got.Response.StatusCode)
		}
		if got := eve.post("/account/apps/remove", "id", id); got.Response.StatusCode != http.StatusNotFound {
			t.Errorf("%q: %d, want 404", id, got.Response.StatusCode)
		}
	}
	nobody.leads(nobody.get("/account/apps/remove?id="+acmePortal.id), "/sign-in")
	nobody.leads(nobody.post("/account/apps/remove", "id", acmePortal.id), "/sign-in")
	alive(t, s, held.Access, true)
	if rows := revocations(t, s); len(rows) != 0 {
		t.Errorf("the audit log has %v", rows)
	}
}

func TestConsentsByTheAPI(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		browser := servertest.Browser(t)
		held := acmePortal.tokens(t, s, browser)
		dataAPI.code(t, s, browser)
		p := logIn(t, s, bob, bobPass)
		o := p.call("GET", consentsPath, nil).succeeded(200, "Consents retrieved successfully")
		list, _ := o.at("consents").([]any)
		if len(list) != 2 || o.at("count") != float64(2) {
			t.Fatalf("consents: %s", o.Raw)
		}
		one, _ := list[0].(map[string]any)
		if one["client_id"] != acmePortal.id || one["name"] == "" || len(one["scopes"].([]any)) != 4 {
			t.Errorf("the first: %v", one)
		}
		page := p.call("GET", consentsPath+"?limit=1", nil).succeeded(200, "Consents retrieved successfully")
		_, cursor, _ := strings.Cut(page.Raw, `"next":"`)
		cursor, _, _ = strings.Cut(cursor, `"`)
		rest := p.call("GET", consentsPath+"?limit=1&cursor="+cursor, nil).succeeded(200, "Consents retrieved successfully")
		if list, _ := rest.at("consents").([]any); len(list) != 1 || list[0].(map[string]any)["client_id"] != dataAPI.id {
			t.Errorf("the second page: %s", rest.Raw)
		}

		carols := logIn(t, s, carol, bobPass)
		carols.call("DELETE", consentsPath+"/"+acmePortal.id, nil).failed(404, "NOT_FOUND", openid.ErrNoConsent.Message)
		alive(t, s, held.Access, true)
		p.call("DELETE", consentsPath+"/"+acmePortal.id, nil).succeeded(200, "Consent revoked successfully")
		ended(t, s, acmePortal, held)
		for _, id := range []string{acmePortal.id, "nothing", "a%00b"} {
			p.call("DELETE", consentsPath+"/"+id, nil).failed(404, "NOT_FOUND", "")
		}
		if rows := revocations(t, s); len(rows) != 1 {
			t.Errorf("the audit log has %v", rows)
		}
	})
}

func TestAConsentThatWasTakenBackMeanwhileIsNone(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		v := newVisitor(t, s)
		acmePortal.code(t, s, v.browser)
		session, ctx := liveSession(t, s, v), t.Context()
		request, err := s.OpenID.ParseRequest(audit.WithActor(ctx, new(audit.Actor)), acmePortal.request("v"))
		if err != nil {
			t.Fatal(err)
		}
		issue := func() error {
			return s.DB.Update(ctx, func(tx *storage.Tx) error {
				_, err := s.OpenID.Issue(ctx, tx, audit.Shell(), session.AuthenticatedAt.Time, request, session, false)
				return err
			})
		}
		if err := issue(); err != nil {
			t.Fatalf("with the consent: %v", err)
		}
		by := audit.Actor{Kind: audit.User, ID: session.UserID}
		if err := s.OpenID.RevokeConsent(ctx, by, acmePortal.id); err != nil {
			t.Fatal(err)
		}
		if err := issue(); err == nil || !strings.HasPrefix(err.Error(), "consent_required") {
			t.Errorf("without it: %v, want a refusal", err)
		}
		trusted := register(t, s, registry.Registration{ClientID: "ours", Secret: "a secret of its own", Name: "Ours", SkipConsent: true})
		if _, steps := s.Visit(t, v.browser, authorizeURL(s, trusted.request("v")), bob, bobPass); len(steps) != 0 {
			t.Errorf("an application of our own asks for %v", steps)
		}
	})
}
