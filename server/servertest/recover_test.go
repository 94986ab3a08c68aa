package servertest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

// emptyEngines runs fn against a server without anybody, on each database.
func emptyEngines(t *testing.T, fn func(t *testing.T, s *servertest.Server)) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			fn(t, servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine), Empty: true}))
		})
	}
}

const rootEmail = "root@example.com"

// recoveryPath makes a link and returns where it leads.
func recoveryPath(t *testing.T, s *servertest.Server, in account.Recovery) string {
	t.Helper()
	l, err := s.Accounts.NewRecoveryLink(t.Context(), audit.Shell(), in)
	if err != nil {
		t.Fatal(err)
	}
	return l.Path
}

// follows opens a link as a person does and presses its button.
func (v visitor) follows(path, email string) *servertest.Page {
	v.t.Helper()
	page := v.get(path)
	if !strings.Contains(page.Body, `id="recover"`) || !strings.Contains(page.Body, email) {
		v.t.Fatalf("the link shows %d %s", page.Response.StatusCode, page.Body)
	}
	return v.post("/recover", "token", page.Hidden().Get("token"))
}

// noLink wants a link that lets nobody in.
func (v visitor) noLink(path string) {
	v.t.Helper()
	_, token, _ := strings.Cut(path, "token=")
	for _, page := range []*servertest.Page{v.get(path), v.post("/recover", "token", token)} {
		if page.Response.StatusCode != http.StatusForbidden || !strings.Contains(page.Body, "authy admin recover") {
			v.t.Errorf("%s: %d, want 403", page.Response.Request.Method, page.Response.StatusCode)
		}
	}
	v.signedIn(false)
}

// The only administrator is suspended, and has no password.
func TestASuspendedAdministratorGetsInAgain(t *testing.T) {
	t.Parallel()
	emptyEngines(t, func(t *testing.T, s *servertest.Server) {
		root, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: rootEmail, Admin: true, NoPassword: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Accounts.Suspend(t.Context(), audit.Shell(), root.ID); err != nil {
			t.Fatal(err)
		}
		tr := newTrail(t, s)
		path := recoveryPath(t, s, account.Recovery{})
		tr.wants("making the link", "admin.recovery_requested success by operator to user")
		if u, err := s.Accounts.Find(t.Context(), rootEmail); err != nil || u.Status != storage.Suspended {
			t.Fatalf("before the link is used: %v, %v", u, err)
		}
		v := newVisitor(t, s)
		v.leads(v.follows(path, rootEmail), "/account/security")
		tr.wants("using it", "admin.recovered success by user to user", "user.activate success by user to user",
			"user.login success by user to user", "session.create success by user to session")
		newVisitor(t, s).noLink(path)
		if page := v.get("/account/security"); !strings.Contains(page.Body, `id="recovering"`) {
			t.Error("the page does not say what to do now")
		}
		if page := v.get("/account/password"); strings.Contains(page.Body, "current_password") {
			t.Error("the password is asked for that there is none of")
		}
		v.leads(v.post("/account/password", "password", passphrase, "password_confirm", passphrase), "/account/security")
		again := newVisitor(t, s)
		s.SignIn(t, again.browser, rootEmail, passphrase)
		if page := again.get("/admin"); page.Response.StatusCode != http.StatusOK {
			t.Errorf("the administration: %d", page.Response.StatusCode)
		}
		// Whoever came by the password needs it to change it.
		if page := again.post("/account/password", "password", newer, "password_confirm", newer); page.Response.StatusCode == http.StatusSeeOther {
			t.Error("a password is changed without the one there is")
		}
	})
}

func TestAnAdministratorIsMadeWhereNoneIsLeft(t *testing.T) {
	t.Parallel()
	emptyEngines(t, func(t *testing.T, s *servertest.Server) {
		if _, err := s.Accounts.NewRecoveryLink(t.Context(), audit.Shell(), account.Recovery{}); err == nil ||
			!strings.Contains(err.Error(), "there is no administrator") {
			t.Errorf("without an administrator: %v", err)
		}
		in := account.Recovery{User: " Root@Example.com", Create: true}
		path, other := recoveryPath(t, s, in), recoveryPath(t, s, in)
		if _, err := s.Accounts.Find(t.Context(), rootEmail); !errors.Is(err, account.ErrNoUser) {
			t.Fatalf("before the link is used: %v", err)
		}
		v := newVisitor(t, s)
		v.leads(v.follows(path, rootEmail), "/account/security")
		if page := v.get("/admin"); page.Response.StatusCode != http.StatusOK {
			t.Errorf("the administration: %d", page.Response.StatusCode)
		}
		// The other link finds who was made by the first, and makes nobody.
		second := newVisitor(t, s)
		second.leads(second.follows(other, rootEmail), "/account/security")
		if users, err := s.DB.Users(t.Context(), storage.UserFilter{}, "", 10); err != nil || len(users) != 1 {
			t.Errorf("there are %d users, %v", len(users), err)
		}
	})
}

func TestASecondFactorIsAskedForUnlessItIsReset(t *testing.T) {
	t.Parallel()
	emptyEngines(t, func(t *testing.T, s *servertest.Server) {
		_, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: rootEmail, Admin: true, Password: passphrase, EmailVerified: true})
		if err != nil {
			t.Fatal(err)
		}
		app := enrolled(t, logIn(t, s, rootEmail, passphrase))
		v := newVisitor(t, s)
		v.leads(v.follows(recoveryPath(t, s, account.Recovery{}), rootEmail), "/second-factor")
		v.signedIn(false)
		v.leads(v.post("/second-factor", "code", app.code(0)), "/account/security")
		v.signedIn(true)

		lost := newVisitor(t, s)
		lost.leads(lost.follows(recoveryPath(t, s, account.Recovery{User: rootEmail, ResetFactors: true}), rootEmail), "/account/security")
		has, err := account.FactorsOf(t.Context(), s.DB.Reader, userID(t, s, rootEmail))
		if diff := cmp.Diff(account.Factors{}, has); diff != "" || err != nil {
			t.Errorf("factors after the reset: %s %v", diff, err)
		}
	})
}

// Nothing signs bob in any more, and an organization of his takes nothing but passkeys:
// he is let in, to set one up before anything else.
func TestAnAdministratorGetsInUnderARuleOfPasskeys(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		ask, _ := demand(t, s, "strict")
		ask(org.RequireWebAuthn, 0)
		makeAdmin(t, s, bob)
		if err := s.Accounts.Panic(t.Context(), audit.Shell(), userID(t, s, bob), true); err != nil {
			t.Fatal(err)
		}
		v := newVisitor(t, s)
		v.leads(v.follows(recoveryPath(t, s, account.Recovery{User: bob}), bob), "/account/security")
		if page := v.get("/admin"); page.Response.StatusCode == http.StatusOK {
			t.Error("the rule of the organization does not hold for who was let in")
		}
		v.page(v.post("/account/passkeys/new"), 200, `id="create-passkey"`)
	})
}

func TestARecoveryLinkLetsNobodyElseIn(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Empty: true})
	ctx := t.Context()
	root, err := s.Accounts.Create(ctx, audit.Shell(), account.NewUser{Email: rootEmail, Admin: true, Password: passphrase})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accounts.Create(ctx, audit.Shell(), account.NewUser{Email: bob, NoPassword: true}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		by   audit.Actor
		in   account.Recovery
		want string
	}{
		"an administrator makes none":       {audit.Actor{}.As(root.ID), account.Recovery{}, account.ErrForbidden.Message},
		"the server makes none":             {audit.Server(), account.Recovery{}, account.ErrForbidden.Message},
		"somebody who is no administrator":  {audit.Shell(), account.Recovery{User: bob}, "authy user update " + bob + " --admin"},
		"nobody":                            {audit.Shell(), account.Recovery{User: "no@example.com"}, rootEmail},
		"what is no address cannot be made": {audit.Shell(), account.Recovery{User: "no", Create: true}, "email"},
	} {
		if _, err := s.Accounts.NewRecoveryLink(ctx, c.by, c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	v := newVisitor(t, s)
	first := recoveryPath(t, s, account.Recovery{})
	path := recoveryPath(t, s, account.Recovery{User: root.ID})
	v.noLink(first) // a later link ends the earlier ones
	v.noLink("/recover?token=")
	v.noLink("/recover?token=%00")

	// Who is suspended after the link was made stays so.
	if err := s.Accounts.Suspend(ctx, audit.Shell(), root.ID); err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(path, "token=")
	if page := v.post("/recover", "token", token); page.Response.StatusCode != http.StatusForbidden {
		t.Errorf("a link of somebody who is suspended: %d", page.Response.StatusCode)
	}
	v.signedIn(false)

	path = recoveryPath(t, s, account.Recovery{})
	_, token, _ = strings.Cut(path, "token=")
	change(t, s, func(ctx context.Context, tx *storage.Tx) error {
		hash := storage.Hash(token)
		l, err := tx.Link(ctx, storage.RecoverLink, hash)
		if err != nil {
			return err
		}
		l.ExpiresAt = storage.At(time.Now().Add(-time.Second))
		return errors.Join(tx.DeleteLinks(ctx, storage.RecoverLink), tx.InsertLink(ctx, l))
	})
	v.noLink(path)
}
