package browsertest_test

import (
	"encoding/base32"
	"strings"
	"testing"
	"time"

	"authy/server/config"
	"authy/server/servertest"
)

const first = "alice@example.com"

// emptyServer is a new one, with the path of the link in its log.
func emptyServer(t *testing.T) (s *servertest.Server, box *servertest.Outbox, path string) {
	t.Helper()
	box = servertest.NewOutbox(t)
	s = servertest.Start(t, servertest.Options{Empty: true, Configure: func(c *config.Config) {
		box.Configure(c)
		named(c)
	}})
	token, err := s.Accounts.NewSetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, box, "/setup?token=" + token
}

// becomeFirst makes the first administrator, and looks at what comes next.
func (v tour) becomeFirst(link string) {
	v.t.Helper()
	v.visit(link, "setup")
	v.Fill("#email", first)
	v.Fill("#full_name", "Alice")
	v.Fill("#password", "password1")
	v.Fill("#password_confirm", "password1")
	v.Click("#create", "[aria-invalid=true]")
	v.look("setup refused")
	v.Fill("#password", newWords)
	v.Fill("#password_confirm", newWords)
	v.Click("#create", "#setup-next")
	v.says("0 of 4 done")
	v.look("steps of a new server")
}

// passSteps goes through the steps after the first, to the end.
func (v tour) passSteps(box *servertest.Outbox) {
	v.t.Helper()
	v.open("/setup/next")
	v.says("1 of 4 done")
	v.Click("button[value=address]", "#check-again")
	if !v.Has("#found-good") {
		v.t.Errorf("the check of the address says %q", v.Text("main"))
	}
	v.look("the address")
	v.Click("#to-setup", "#setup-next")
	v.says("2 of 4 done")
	v.Click("button[value=mail]", "#send-test")
	v.Click("#send-test", "#notice")
	box.Next(v.t, first, "")
	v.look("a test mail")
	v.Click("#to-setup", "#setup-next")
	v.says("3 of 4 done")
	v.Click("button[value=app]", "a[href$='/new/immich']")
	v.Click("a[href$='/new/immich']", "#field-app_url")
	v.Fill("#field-app_url", "https://photos.example.com")
	v.Click("#add", "#made")
	v.Click("#to-setup", "#setup-next")
	v.says("4 of 4 done")
	v.look("steps that are done")
	v.Click("#finish", "main.console-main")
	if v.Has("#to-setup") {
		v.t.Error("the steps go on after their end")
	}
}

func TestAServerIsSetUpFromItsLinkToTheFirstApp(t *testing.T) {
	t.Parallel()
	s, box, link := emptyServer(t)
	v := newTour(t, s)
	v.AddAuthenticator()
	v.becomeFirst(link)
	v.Click("#step-passkey", "#create-passkey")
	v.Fill("#name", "My phone")
	v.Click("#create-passkey", ".codes")
	v.Click("#done", "#to-setup")
	v.passSteps(box)
	admin, err := s.Accounts.Find(t.Context(), first)
	if err != nil || !admin.IsAdmin {
		t.Errorf("after the first run: %+v, %v", admin, err)
	}
	v.visit(link, "a link that was used")
	v.says("has been used")
	v.quiet()
}

func TestAServerIsSetUpWithoutScript(t *testing.T) {
	t.Parallel()
	s, box, link := emptyServer(t)
	v := newTour(t, s)
	v.WithoutScript()
	v.becomeFirst(link)
	v.Click("#step-totp", "#totp-secret")
	v.setAuthenticatorUp()
	v.passSteps(box)
}

// setAuthenticatorUp types the code of a new authenticator.
func (v tour) setAuthenticatorUp() {
	v.t.Helper()
	secret, err := base32.StdEncoding.DecodeString(strings.ReplaceAll(v.Text("#totp-secret"), " ", ""))
	if err != nil {
		v.t.Fatal(err)
	}
	v.Fill("#code", servertest.TOTP(secret, time.Now()))
	v.Click("#confirm", "#notice, #continue")
}
