package servertest_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

// works says whether a secret is the portal's now.
func works(t *testing.T, s *servertest.Server, secret string) bool {
	t.Helper()
	r := app{acmePortal.id, secret, callback}.introspect(t, s, "x")
	if r.status != 200 {
		r.refused(t, 401, "invalid_client")
	}
	return r.status == 200
}

func TestAnOldSecretWorksUntilTheEndOfItsOverlap(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		path, p := clientsOf(t, s, "acme-corp")+"/acme-portal-001/secret", in(t, s, carol)
		rotate := func(body object) string {
			t.Helper()
			return p.call("POST", path, body).succeeded(200, "Client secret rotated successfully").text("client_secret")
		}
		first := acmePortal.secret
		second := rotate(object{})
		for range 3 { // both, in turns, in caches and out of them
			if !works(t, s, first) || !works(t, s, second) || works(t, s, first+"x") || works(t, s, "") {
				t.Fatal("want both secrets to work during the overlap, and no other")
			}
		}
		third := rotate(object{"overlap": 1})
		if works(t, s, first) || !works(t, s, second) || !works(t, s, third) {
			t.Error("after a second rotation: want the last two secrets to work")
		}
		time.Sleep(1100 * time.Millisecond)
		if works(t, s, second) || !works(t, s, third) {
			t.Error("after the overlap: want the new secret alone to work")
		}
		fourth := rotate(object{"overlap": 0})
		if works(t, s, third) || !works(t, s, fourth) {
			t.Error("without an overlap: want the new secret alone to work")
		}
		app{acmePortal.id, fourth, callback}.tokens(t, s, servertest.Browser(t))
	})
}

// held is what a client holds of bob's at one moment.
type held struct {
	a              app
	code, verifier string
	tokens
}

func hold(t *testing.T, s *servertest.Server, a app) held {
	t.Helper()
	browser := servertest.Browser(t)
	h := held{a: a, tokens: a.tokens(t, s, browser)}
	alive(t, s, h.Access, true)
	h.code, h.verifier = a.code(t, s, browser)
	return h
}

// dead requires that nothing of it works for a client that can authenticate.
func (h held) dead(t *testing.T, s *servertest.Server) {
	t.Helper()
	alive(t, s, h.Access, false)
	for _, token := range []string{h.Access, h.Refresh} {
		if r := h.a.introspect(t, s, token); r.fields["active"] != false {
			t.Errorf("introspection = %d %s, want inactive", r.status, r.body)
		}
	}
	h.a.refresh(t, s, h.Refresh).refused(t, 400, "invalid_grant")
	h.a.post(t, s, tokenPath, h.a.redemption(h.code, h.verifier)).refused(t, 400, "invalid_grant")
}

// shut requires that the client itself is refused everywhere (AZ-37).
func (h held) shut(t *testing.T, s *servertest.Server) {
	t.Helper()
	refusedHere(t, servertest.Get(t, servertest.Browser(t), authorizeURL(s, h.a.request("v"))), "client_id")
	alive(t, s, h.Access, false)
	h.a.introspect(t, s, h.Access).refused(t, 401, "invalid_client")
	h.a.refresh(t, s, h.Refresh).refused(t, 401, "invalid_client")
	h.a.post(t, s, tokenPath, h.a.redemption(h.code, h.verifier)).refused(t, 401, "invalid_client")
}

func TestADisabledOrDeletedClientIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		one, p := clientsOf(t, s, "acme-corp")+"/acme-portal-001", in(t, s, alice)
		h := hold(t, s, acmePortal)
		p.call("PATCH", one, object{"is_active": false}).succeeded(200, "Client updated successfully")
		h.shut(t, s)
		p.call("PATCH", one, object{"is_active": true}).succeeded(200, "Client updated successfully")
		h = hold(t, s, acmePortal)
		p.call("DELETE", one, nil).succeeded(200, "Client deleted successfully")
		h.shut(t, s)
		p.call("GET", one, nil).failed(404, "NOT_FOUND", "")
		// Whoever is called the same later is someone else.
		again := registry.Defaults()
		again.ClientID, again.Secret, again.Name, again.RedirectURIs = acmePortal.id, acmePortal.secret, "Again", []string{callback}
		if _, err := s.Clients.Create(t.Context(), audit.Shell(), again); err != nil {
			t.Fatal(err)
		}
		h.dead(t, s)
	})
}

func TestWhoMayUseAClientIsEnforcedAtEveryStep(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		one, p := clientsOf(t, s, "acme-corp")+"/acme-portal-001", in(t, s, alice)
		allow := func(who ...string) {
			t.Helper()
			p.call("PATCH", one, object{"allow": who}).succeeded(200, "Client updated successfully")
		}
		allow("role:member")
		h := hold(t, s, acmePortal) // bob is a member
		setRole(t, s, bob, storage.RoleGuest)
		h.dead(t, s)
		barred := func(email string) {
			t.Helper()
			page, steps := s.Visit(t, servertest.Browser(t), authorizeURL(s, acmePortal.request(oauth2.GenerateVerifier())), email, seedPassword(email))
			refusedThere(t, s, page, acmePortal, "access_denied")
			if !slices.Equal(steps, []string{"sign-in"}) {
				t.Errorf("%s was asked for %v, want the password alone", email, steps)
			}
		}
		barred(bob)
		if !recorded(t, s, "authorize.denied", "not_allowed") {
			t.Error("the refusal was not recorded")
		}
		allow("organization") // guests too
		h = hold(t, s, acmePortal)
		barred("frank@tech-startup.com")
		allow("role:owner", "role:admin")
		h.dead(t, s)
		barred(bob)
		setRole(t, s, bob, storage.RoleAdmin)
		hold(t, s, acmePortal)
		allow("everyone")
		setRole(t, s, bob, storage.RoleGuest)
		hold(t, s, acmePortal)
	})
}

func TestAConsentPageThatStoodOpenDoesNotGoRoundTheRule(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	s.SignIn(t, v.browser, bob, bobPass)
	page := servertest.Get(t, v.browser, authorizeURL(s, acmePortal.request("v")))
	page = servertest.Get(t, v.browser, page.Location().String())
	form := page.Hidden()
	_, err := s.Clients.Update(t.Context(), audit.Shell(), "", acmePortal.id, func(in *registry.Registration) {
		in.Allowed = []string{"role:owner"}
	})
	if err != nil {
		t.Fatal(err)
	}
	form.Set("decision", "allow")
	refusedThere(t, s, servertest.Post(t, v.browser, s.URL+"/consent", form), acmePortal, "access_denied")
}

func TestEachChangeOfAClientLeavesOneRow(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		all, p := clientsOf(t, s, "acme-corp"), in(t, s, carol)
		tr := newTrail(t, s)
		body := described("Wiki")
		body["require_pkce"], body["profile"] = false, "legacy"
		id := p.call("POST", all, body).text("client", "client_id")
		for _, step := range []struct {
			want, details string
			do            func()
		}{
			{"client.created", `{"relaxed":"pkce nonce"}`, func() {}},
			{"client.updated", `{"is_active":"false","name":"Other"}`, func() {
				p.call("PATCH", all+"/"+id, object{"name": "Other", "is_active": false})
			}},
			{"", "", func() { p.call("PATCH", all+"/"+id, object{"name": "Other"}) }},
			{"", "", func() { p.call("PATCH", all+"/"+id, object{"name": ""}) }},
			{"", "", func() { p.call("GET", all+"/"+id, nil) }},
			{"client.secret_rotated", `{"overlap":"24h0m0s"}`, func() { p.call("POST", all+"/"+id+"/secret", object{}) }},
			{"client.deleted", "", func() { p.call("DELETE", all+"/"+id, nil) }},
			{"", "", func() { p.call("DELETE", all+"/"+id, nil) }},
		} {
			step.do()
			if step.want == "" {
				tr.wants("nothing")
				continue
			}
			events := tr.wants(step.want, step.want+" success by user to client")
			if len(events) == 1 && (events[0].TargetID != id || events[0].Details != step.details ||
				events[0].ActorID != userID(t, s, carol) || !strings.Contains(all, events[0].OrganizationID)) {
				t.Errorf("%s: %+v", step.want, events[0])
			}
		}
	})
}

func TestASecretThatWasMadeIsLoggedAndKeptNowhere(t *testing.T) {
	book := listen(t)
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			s := servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine)})
			all, p := clientsOf(t, s, "acme-corp"), in(t, s, carol)
			made := p.call("POST", all, described("Wiki"))
			id := made.text("client", "client_id")
			secrets := map[string]string{"first secret": made.text("client_secret")}
			secrets["second secret"] = p.call("POST", all+"/"+id+"/secret", object{}).text("client_secret")
			wiki := app{id, secrets["second secret"], "https://new.example/cb"}
			wiki.post(t, s, tokenPath, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}).refused(t, 400, "invalid_grant")
			nowhere(t, "the log", book.String(), secrets)
			events, err := s.DB.Events(t.Context(), 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				nowhere(t, e.Action, e.Details+e.Reason+e.TargetID, secrets)
			}
			change(t, s, func(ctx context.Context, tx *storage.Tx) error {
				c, err := tx.Client(ctx, id)
				if err == nil && (c.OldSecretHash == "" || strings.Contains(c.SecretHash+c.OldSecretHash, secrets["first secret"])) {
					t.Errorf("the row holds %q and %q", c.SecretHash, c.OldSecretHash)
				}
				return err
			})
		})
	}
}
