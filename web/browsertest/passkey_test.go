package browsertest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
	"authy/web/browsertest"
)

func TestBobSignsInByPasskey(t *testing.T) {
	t.Parallel()
	b := browsertest.New(t)
	// A passkey belongs to a name; an address of numbers has none.
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.PublicURL = strings.Replace(c.PublicURL, "127.0.0.1", "localhost", 1)
	}})
	home := portal(t, s)
	touch := b.AddAuthenticator()

	b.Do(chromedp.Navigate(s.URL + "/sign-in"))
	b.Fill("#email", "bob@acme-corp.com")
	b.Fill("#password", "UserPass123!")
	b.Click("#sign-in", "#apps")
	b.Do(chromedp.Navigate(s.URL + "/account/security"))
	b.Click("#add-passkey", "#create-passkey")
	b.Fill("#name", "Bob's <b>phone</b>")
	b.Click("#create-passkey", ".codes")
	codes := strings.Fields(b.Text(".codes"))
	if len(codes) != 10 {
		t.Errorf("the page shows %d codes: %q", len(codes), codes)
	}
	b.Click("#done", "#codes-left")
	if text := b.Text("main"); !strings.Contains(text, "Bob's <b>phone</b>") || !strings.Contains(text, "not used yet") {
		t.Errorf("the account page says %q", text)
	}

	// Without an address: the browser offers the passkey, or its button is used.
	b.Click("#sign-out", "a[href='/sign-in']")
	b.Do(chromedp.Navigate(home + "/"))
	b.Click("#sign-in", "#allow")
	b.Click("#allow", "form[action='/refresh']")
	if text := b.Text("body"); !strings.Contains(text, "Bob Builder") || !strings.Contains(text, "pop") {
		t.Errorf("back at the portal, it says %q", text)
	}

	// As the second factor, where the password was typed all the same.
	b.Do(chromedp.Navigate(s.URL + "/account"))
	touch(false)
	b.Click("#sign-out", "a[href='/sign-in']")
	b.Click("a[href='/sign-in']", "#use-passkey")
	b.Fill("#email", "bob@acme-corp.com")
	b.Fill("#password", "UserPass123!")
	b.Click("#sign-in", "#use-recovery")
	touch(true)
	b.Click("#use-passkey", "#apps")
	b.Do(chromedp.Navigate(s.URL + "/account/security"))
	if text := b.Text("main"); strings.Contains(text, "not used yet") {
		t.Errorf("the account page says %q", text)
	}

	b.Click("summary", "form[action='/account/passkeys/rename'] button")
	b.Fill("input[aria-label='Name of the passkey']", "My phone")
	b.Click("form[action='/account/passkeys/rename'] button", "#notice")
	if text := b.Text("main"); !strings.Contains(text, "My phone") {
		t.Errorf("after renaming the page says %q", text)
	}
	b.Do(chromedp.Reload())
	b.Click("form[action='/account/passkeys/delete'] button", "#notice")
	if text := b.Text("main"); strings.Contains(text, "My phone") {
		t.Errorf("after deleting the page says %q", text)
	}
	// What keeps passkeys is told, and forgets it, too.
	forgets(t, b)

	// One that was taken away elsewhere is forgotten when it is used.
	b.Do(chromedp.Reload())
	b.Click("#add-passkey", "#create-passkey")
	b.Click("#create-passkey", ".codes, #notice")
	bob, err := s.Accounts.Find(t.Context(), "bob@acme-corp.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Accounts.ResetPasskeys(t.Context(), audit.Shell(), bob.ID); err != nil {
		t.Fatal(err)
	}
	b.Do(chromedp.Navigate(s.URL + "/sign-in")) // where the browser offers it by itself
	if text := b.Text("#problem"); !strings.Contains(text, "does not open an account here") {
		t.Errorf("of a passkey that was removed the page says %q", text)
	}
	forgets(t, b)
	if said := b.Complaints(); len(said) > 0 {
		t.Errorf("the console complains: %q", said)
	}
}

// forgets waits until the authenticator keeps no passkey.
func forgets(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); b.Kept() > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the authenticator still keeps %d passkeys", b.Kept())
		}
	}
}
