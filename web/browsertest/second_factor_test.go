package browsertest_test

import (
	"encoding/base32"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/servertest"
	"authy/storage"
	"authy/web/browsertest"
)

// giveAuthenticator sets up an authenticator of a user and returns its secret
// and a recovery code. It is confirmed by the code before the present one.
func giveAuthenticator(t *testing.T, s *servertest.Server, email string) (secret []byte, recovery string) {
	t.Helper()
	user, err := s.Accounts.Find(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	by := audit.Shell().As(user.ID)
	var e *account.Enrollment
	err = s.DB.Update(t.Context(), func(tx *storage.Tx) error {
		e, err = s.Accounts.EnrollTOTP(t.Context(), tx, by, time.Now(), user)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	secret, err = base32.StdEncoding.DecodeString(e.Secret)
	if err != nil {
		t.Fatal(err)
	}
	code := servertest.TOTP(secret, time.Now().Add(-30*time.Second))
	if err := s.Accounts.ConfirmTOTP(t.Context(), by, user.ID, code); err != nil {
		t.Fatal(err)
	}
	return secret, e.RecoveryCodes[0]
}

func TestBobSignsInWithHisAuthenticator(t *testing.T) {
	t.Parallel()
	b := browsertest.New(t)
	s := servertest.New(t)
	home := portal(t, s)
	secret, recovery := giveAuthenticator(t, s, "bob@acme-corp.com")

	b.Do(chromedp.Navigate(home + "/"))
	b.Click("#sign-in", "#email")
	b.Fill("#email", "bob@acme-corp.com")
	b.Fill("#password", "UserPass123!")
	b.Click("#sign-in", "#code[autocomplete=one-time-code]")
	if text := b.Text("main"); !strings.Contains(text, "Browser Portal") {
		t.Errorf("the page says %q", text)
	}
	b.Fill("#code", "000 000") // sends itself
	b.Do(chromedp.WaitVisible(chromedp.CSS("#problem")))
	b.Fill("#code", servertest.TOTP(secret, time.Now()))
	b.Do(chromedp.WaitVisible(chromedp.CSS("#allow")))
	b.Click("#allow", "form[action='/refresh']")
	if text := b.Text("body"); !strings.Contains(text, "Bob Builder") {
		t.Errorf("back at the portal, it says %q", text)
	}

	b.Do(chromedp.Navigate(s.URL + "/account"))
	b.Click("#sign-out", "a[href='/sign-in']")
	b.Click("a[href='/sign-in']", "#email")
	b.Fill("#email", "bob@acme-corp.com")
	b.Fill("#password", "UserPass123!")
	b.Click("#sign-in", "#use-recovery")
	b.Click("#use-recovery", "#use-app")
	b.Fill("#code", strings.ToLower(recovery))
	b.Click("#verify", "#sign-out")
	if said := b.Complaints(); len(said) > 0 {
		t.Errorf("the console complains: %q", said)
	}
}
