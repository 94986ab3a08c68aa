package browsertest_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/servertest"
	"authy/web/browsertest"
)

func TestBobForgetsHisPassword(t *testing.T) {
	t.Parallel()
	b := browsertest.New(t)
	s, box := servertest.WithMail(t)

	b.Do(chromedp.Navigate(s.URL + "/sign-in"))
	b.Click("#forgot", "#send")
	b.Fill("#email", "bob@acme-corp.com")
	b.Click("#send", "a[href='/sign-in']")
	if text := b.Text("h1"); !strings.Contains(text, "Look into your mail") {
		t.Errorf("after asking the page says %q", text)
	}
	link := box.Next(t, "bob@acme-corp.com", "Choose a new password").Link()
	b.Do(chromedp.Navigate(link))
	b.Fill("#password", "password1")
	b.Fill("#password_confirm", "password1")
	b.Click("#save", "#password[aria-invalid=true]")
	b.Fill("#password", "four quiet words here")
	b.Fill("#password_confirm", "four quiet words here")
	b.Click("#save", "a[href='/sign-in']")
	b.Click("a[href='/sign-in']", "#sign-in")
	b.Fill("#email", "bob@acme-corp.com")
	b.Fill("#password", "four quiet words here")
	b.Click("#sign-in", "#sign-out")
	b.Do(chromedp.Navigate(link))
	if text := b.Text("main"); !strings.Contains(text, "has been used") {
		t.Errorf("the second time the link says %q", text)
	}
	if said := b.Complaints(); len(said) > 0 {
		t.Errorf("the console complains: %q", said)
	}
}
