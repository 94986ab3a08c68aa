package browsertest_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
	"authy/storage"
	"authy/web/browsertest"
)

// TestThePicturesOfTheReadme takes the pictures of docs/images, into the directory that
// AUTHY_TEST_PICTURES names: they are taken anew when the pages look otherwise, by whoever looks at
// them then.
func TestThePicturesOfTheReadme(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("AUTHY_TEST_PICTURES")
	if dir == "" {
		t.Skip("AUTHY_TEST_PICTURES names no directory")
	}
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.RateLimit.Enabled = true }})
	aMonthOfSignIns(t, s)
	v := newTour(t, s)
	take := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), v.Picture(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	v.Show(browsertest.Wide, "light")
	v.open("/oidc/authorize?" + url.Values{
		"client_id": {"acme-portal-001"}, "response_type": {"code"}, "scope": {"openid profile email"},
		"redirect_uri": {"http://localhost:3000/auth/callback"}, "code_challenge_method": {"S256"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(oauth2.GenerateVerifier())},
	}.Encode())
	take("sign-in.png")
	v.administrate(carol, bobPass)
	v.Click("#to-admin", "#matters")
	v.Do(chromedp.EmulateViewport(browsertest.Wide, 1180)) // down to the sign-ins
	take("overview.png")
}

// aMonthOfSignIns gives the overview something to show.
func aMonthOfSignIns(t *testing.T, s *servertest.Server) {
	t.Helper()
	now, ctx := time.Now(), t.Context()
	err := s.DB.Update(ctx, func(tx *storage.Tx) error {
		for day := range 30 {
			for n := range 9 + 7*day%5 + day/3 {
				e := audit.Event{Action: "user.login", Details: map[string]string{"method": "pwd"}}
				switch {
				case n%9 == 8:
					e = audit.Event{Action: "user.login", Failed: true, Reason: "wrong_credentials"}
				case n%3 == 1:
					e.Details["method"] = "pop user mfa"
				case n%5 == 2:
					e.Details["provider"] = "google"
				}
				if err := audit.Record(ctx, tx, audit.Shell(), now.AddDate(0, 0, day-29), e); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
