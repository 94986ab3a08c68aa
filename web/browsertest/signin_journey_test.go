package browsertest_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"authy/server/config"
	"authy/server/servertest"
	"authy/web/browsertest"
)

func TestARememberedAccountIsSwitchedToAndForgotten(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newTour(t, s)
	v.open("/sign-in")
	for _, email := range []string{carol, bob} {
		v.Fill("#email", email)
		v.Fill("#password", bobPass)
		v.Do(chromedp.Click(chromedp.CSS("#remember")))
		v.Click("#sign-in", "#sign-out")
		v.Click("#sign-out", "#signed-out")
		v.open("/sign-in?switch=1")
	}
	v.open("/sign-in")
	v.says(bob)
	v.look("sign-in with a remembered account") // which unfolds the list
	v.open("/sign-in")
	v.Click("#other-accounts", "#unknown-account")
	v.Click("#unknown-account", "#email")
	v.Click("a[href$='as=1']", "#chosen-account")
	v.says(carol)
	v.Fill("#password", bobPass)
	v.Click("#sign-in", "#sign-out")
	v.Click("#sign-out", "#signed-out")
	v.open("/sign-in?switch=1")
	v.Click("li:first-child form[action='/sign-in/forget'] button", "li:only-child form[action='/sign-in/forget']")
	if text := v.Text("main"); strings.Contains(text, carol) || !strings.Contains(text, bob) {
		t.Errorf("after forgetting carol the page says %q", text)
	}
	v.quiet()
}

// Nothing of it moves, even where it arrives in two parts.
func TestTheSignInPageStandsStill(t *testing.T) {
	t.Parallel()
	var authy string
	front := httptest.NewServer(inParts(t, &authy, "</svg>"))
	t.Cleanup(front.Close)
	home := strings.Replace(front.URL, "127.0.0.1", "localhost", 1)
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		authy, c.PublicURL = "http://"+c.Listen, home
	}})
	v := newTour(t, s)
	v.Show(browsertest.Narrow, "light")
	v.open("/sign-in")
	v.Do(chromedp.WaitVisible(chromedp.CSS("#use-passkey")))
	if by := v.Shift(); by != 0 {
		t.Errorf("what it shows moves by %g", by)
	}
}

// inParts gives what base has, with a pause after the first of mark.
func inParts(t *testing.T, base *string, mark string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, header, err := get(r.Context(), *base+r.URL.Path)
		if err != nil {
			if r.Context().Err() == nil {
				t.Errorf("get %s: %v", r.URL.Path, err)
			}
			return
		}
		maps.Copy(w.Header(), header)
		first, rest, found := strings.Cut(body, mark)
		fmt.Fprint(w, first)
		if found {
			fmt.Fprint(w, mark)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("send the first part: %v", err)
			}
			time.Sleep(300 * time.Millisecond) // in which a browser would show it
			fmt.Fprint(w, rest)
		}
	})
}

func get(ctx context.Context, url string) (body string, header http.Header, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return string(content), answer.Header, err
}

// Without script everything works but passkeys: the password, a code, agreeing, making
// an account, and a new password.
func TestEveryWayInWithoutPasskeysNeedsNoScript(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t, func(c *config.Config) { c.Registration.Enabled = true })
	v, home := newTour(t, s), portal(t, s)
	secret, _ := giveAuthenticator(t, s, bob)
	v.WithoutScript()
	v.open("/sign-in")
	if text := v.Text("main"); strings.Contains(text, "passkey") {
		t.Errorf("without script a passkey is offered: %q", text)
	}
	v.Do(chromedp.Navigate(home + "/"))
	v.Click("#sign-in", "#email")
	v.password(bob, bobPass, "#code")
	code := servertest.TOTP(secret, time.Now())
	v.Fill("#code", code[:3]+" "+code[3:])
	v.Click("#verify", "#allow")
	v.Click("#allow", "form[action='/refresh']")
	v.open("/account")
	v.Click("#sign-out", "#signed-out")

	v.open("/sign-up")
	v.Fill("#full_name", "Ada")
	v.Fill("#email", "ada@example.com")
	v.Fill("#password", newWords)
	v.Fill("#password_confirm", newWords)
	v.Click("#sign-up", "#sign-out")
	v.Click("#sign-out", "#signed-out")

	v.open("/forgot-password")
	v.Fill("#email", carol)
	v.Click("#send", "a[href='/sign-in'].button")
	v.Do(chromedp.Navigate(box.Next(t, carol, "Choose a new password").Link()))
	v.Fill("#password", newWords)
	v.Fill("#password_confirm", newWords)
	v.Click("#save", "a[href='/sign-in'].button")
	v.Click("a[href='/sign-in'].button", "#email")
	v.password(carol, newWords, "#sign-out")
}
