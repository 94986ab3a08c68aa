package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/servertest"
)

// page wants a page with a status that holds a text.
func (v visitor) page(p *servertest.Page, status int, text string) *servertest.Page {
	v.t.Helper()
	if p.Response.StatusCode != status || !strings.Contains(p.Body, text) {
		v.t.Errorf("%s: %d, want %d and %q in\n%s", p.Response.Request.URL.Path, p.Response.StatusCode, status, text, p.Body)
	}
	return p
}

func TestAPasswordIsForgottenOnThePages(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	v := newVisitor(t, s)
	v.page(v.get("/sign-in"), 200, `href="/forgot-password"`)
	v.page(v.get("/forgot-password"), 200, `action="/forgot-password"`)
	v.page(v.post("/forgot-password", "email", "no address"), 400, "Not a valid email address.")
	for _, email := range []string{"nobody@acme-corp.com", bob} {
		v.leads(v.post("/forgot-password", "email", email), "/forgot-password/sent")
	}
	v.page(v.get("/forgot-password/sent"), 200, "Look into your mail")
	token := box.Next(t, bob, "Choose").Token()
	for range 2 { // looking does not use the link up
		p := v.page(v.get("/reset-password?token="+token), 200, bob)
		if policy := p.Response.Header.Get("Referrer-Policy"); policy != "no-referrer" {
			t.Errorf("Referrer-Policy %q would tell the link to others", policy)
		}
	}
	v.page(v.post("/reset-password", "token", token, "password", newer, "password_confirm", "x"), 400, "Passwords do not match")
	v.page(v.post("/reset-password", "token", token, "password", bob, "password_confirm", bob), 400, "Too easy to guess")
	v.leads(v.post("/reset-password", "token", token, "password", newer, "password_confirm", newer), "/reset-password/done")
	v.page(v.get("/reset-password/done"), 200, "Your password is changed")
	v.signedIn(false)
	s.SignIn(t, v.browser, bob, newer)
	v.page(v.get("/reset-password?token="+token), 400, "has been used, has expired")
	v.page(v.post("/reset-password", "token", token, "password", newer, "password_confirm", newer), 400, "has been used")
}

func TestAMailedLinkActsByItsButtonAlone(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	v, p := newVisitor(t, s), registered(t, s, "ada@example.com")
	for range 2 {
		v.page(v.get("/verify-email?token="+box.Next(t, "ada@example.com", "Confirm your address").Token()), 200, `id="confirm"`)
		if _, verified := p.address(); verified {
			t.Fatal("a program that looks at links has verified the address")
		}
		p.call("POST", mePath+"/verify-email", nil)
	}
	token := box.Next(t, "ada@example.com", "Confirm your address").Token()
	if hidden := v.get("/verify-email?token=" + token).Hidden().Get("token"); hidden != token {
		t.Errorf("the form sends %q", hidden)
	}
	v.leads(v.post("/verify-email", "token", token), "/verify-email/done")
	v.page(v.get("/verify-email/done"), 200, "Your address is confirmed")
	v.page(v.post("/verify-email", "token", token), 400, "has been used")

	p.call("POST", mePath+"/email", object{"email": "lovelace@example.com"})
	token = box.Next(t, "lovelace@example.com", "Confirm").Token()
	v.page(v.get("/confirm-email?token="+token), 200, `id="confirm"`)
	v.page(v.post("/verify-email", "token", token), 400, "has been used")
	v.leads(v.post("/confirm-email", "token", token), "/confirm-email/done")
	v.page(v.get("/confirm-email/done"), 200, "Your address is changed")
	if email, _ := p.address(); email != "lovelace@example.com" {
		t.Errorf("the address is %s", email)
	}
}

func TestAFormOfAnotherSiteFollowsNoLink(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	registered(t, s, "ada@example.com")
	token := box.Next(t, "ada@example.com", "Confirm your address").Token()
	for _, path := range []string{"/forgot-password", "/reset-password", "/verify-email", "/confirm-email", "/invitations"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader("token="+token))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		if p := servertest.Do(t, servertest.Browser(t), req); p.Response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", path, p.Response.StatusCode)
		}
	}
}

func TestAnInvitationIsMailedAndAnswered(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		acme, err := s.Orgs.Find(t.Context(), "acme-corp")
		if err != nil {
			t.Fatal(err)
		}
		invite := func() string {
			t.Helper()
			if _, _, err := s.Orgs.Invite(t.Context(), audit.Shell(), acme.ID, "ada@example.com", org.Guest); err != nil {
				t.Fatal(err)
			}
			return box.Next(t, "ada@example.com", "You are invited to Acme Corporation").Token()
		}
		token := invite()
		v := newVisitor(t, s)
		address := "/invitations?token=" + token
		v.page(v.page(v.get(address), 200, "Acme Corporation"), 200, "create one with this address first")
		v.leads(v.post("/invitations", "token", token, "answer", "accept"), "/sign-in")
		v.page(v.get("/invitations?token=x"), 404, "has been answered or revoked")
		s.SignIn(t, v.browser, bob, bobPass)
		if p := v.page(v.get(address), 200, "for another address"); strings.Contains(p.Body, `id="accept"`) {
			t.Error("bob is offered what is for ada")
		}
		v.page(v.post("/invitations", "token", token, "answer", "accept"), 404, "for another address")

		_, err = s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: "ada@example.com", Password: passphrase})
		if err != nil {
			t.Fatal(err)
		}
		ada := newVisitor(t, s)
		s.SignIn(t, ada.browser, "ada@example.com", passphrase)
		ada.page(ada.get(address), 200, `id="accept"`)
		ada.page(ada.post("/invitations", "token", token, "answer", "maybe"), 400, "accept, decline")
		ada.leads(ada.post("/invitations", "token", token, "answer", "decline"), "/invitations/declined")
		ada.page(ada.get("/invitations/declined"), 200, "Invitation declined")
		ada.page(ada.get(address), 404, "has been answered")
		ada.leads(ada.post("/invitations", "token", invite(), "answer", "accept"), "/account/organizations")
		if _, err := s.Orgs.Add(t.Context(), audit.Shell(), acme.ID, "eve@example.com", org.Guest); err != nil {
			t.Fatal(err)
		}
		box.Next(t, "eve@example.com", "You are invited to Acme Corporation")
		ada.page(ada.get("/account/organizations"), 200, "Acme Corporation")
	})
}
