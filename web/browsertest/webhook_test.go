package browsertest_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"authy/server/config"
	"authy/server/servertest"
)

// A webhook is added, tested and removed in a browser.
func TestAnAdministratorAddsAWebhook(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(receiver.Close)
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}})
	administers(t, s, rootAdmin)
	v := newTour(t, s)
	v.open("/sign-in")
	v.password(rootAdmin, rootPass, "#apps")
	v.open("/admin/webhooks")
	v.says("There are no webhooks.")
	v.look("no webhooks")
	v.Fill("#field-slug", "siem")
	v.Fill("#field-url", receiver.URL+"/a-rather-long-path-that-does-not-fit-into-a-narrow-window/at-all")
	v.Click("#add", "#test")
	v.says("Copy this now: it is not shown again.")
	v.Click("#test", "#tested")
	v.says("The receiver has taken the event")
	v.look("a webhook")
	v.Click("#remove", "#do")
	v.look("removing a webhook")
	v.Click("#do", "#add")
	v.says("The webhook is removed.")
	v.quiet()
}
