package browsertest_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/servertest"
)

const rootEmail = "root@example.com"

// rooted is a browser in which an administrator is signed in.
func rooted(t *testing.T, s *servertest.Server) tour {
	t.Helper()
	_, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{
		Email: rootEmail, Password: newWords, FullName: "Root", Admin: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	v := newTour(t, s)
	v.open("/sign-in")
	v.password(rootEmail, newWords, "#sign-out")
	return v
}

// logoFile is a picture in a file.
func logoFile(t *testing.T) string {
	t.Helper()
	p := image.NewNRGBA(image.Rect(0, 0, 240, 80))
	for x := range 240 {
		for y := range 80 {
			p.Set(x, y, color.NRGBA{R: 122, G: 31, B: 92, A: 255})
		}
	}
	var out bytes.Buffer
	path := filepath.Join(t.TempDir(), "logo.png")
	if err := png.Encode(&out, p); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnAdministratorGivesTheServerANameALogoAndAColour(t *testing.T) {
	t.Parallel()
	s, _ := servertest.WithMail(t)
	v := rooted(t, s)
	v.visit("/admin/branding", "branding")
	v.Fill("#field-name", "Acme Accounts")
	v.Fill("#field-accent_light", "#ffdd00")
	v.Click("#save-branding", "#field-accent_light-problem")
	v.says("Choose a darker colour.")
	v.look("branding that was refused")
	v.Fill("#field-accent_light", "#7a1f5c")
	v.Do(chromedp.SetUploadFiles(chromedp.CSS("#field-logo"), []string{logoFile(t)}))
	v.Click("#try-branding", "#not-saved")
	v.says("Preview, not saved yet")
	v.look("a preview")
	v.Click("#save-branding", "#notice")
	v.says("The branding was saved.")
	for _, path := range []string{
		"/admin/branding", "/admin/branding/reset", "/admin/settings", "/admin/settings/public-url", "/admin/settings/doctor", "/admin/mail", "/admin/keys",
		"/admin/keys/rotate?alg=ES256",
	} {
		v.visit(path, path)
	}
	v.Click("#rotate", "#notice")
	v.Click("a[href^='/admin/keys/retire']", "#retire")
	v.look("a key to be removed")
	v.Click("#retire", "#notice")
	v.open("/admin/mail")
	v.Click("#send-test", "#notice")
	v.says("The relay took the mail to " + rootEmail)
	v.Click("#sign-out", "a[href='/sign-in']")
	v.open("/sign-in")
	if said := v.Text("header"); said != "Acme Accounts" {
		t.Errorf("the sign-in page is headed %q", said)
	}
	v.look("the sign-in page of a brand")
	v.quiet()
}
