package browsertest_test

import (
	"net/netip"
	"net/url"
	"testing"

	"authy/server/config"
	"authy/server/servertest"
)

func TestThePagesOfForwardAuthKeepNobodyOut(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		c.ForwardAuth = []*config.ForwardRule{
			{Hosts: config.Words{"app.localhost"}, Paths: config.Words{"/admin"}, Who: config.Words{"org:acme-corp:admin"}, Factor: "mfa"},
			{
				Hosts:   config.Words{"app.localhost", "a-host-with-a-rather-long-name.of-a-department.app.localhost"},
				Methods: config.Words{"GET", "HEAD"}, Who: config.Words{"public"},
			},
		}
	}})
	v := rooted(t, s)
	v.visit("/admin/forward-auth", "rules of forward-auth")
	v.says("org:acme-corp:admin")
	v.visit("/forward-auth/refused?url="+url.QueryEscape("http://app.localhost/admin"), "a refusal")
	v.says(rootEmail)
	v.visit("/forward-auth/refused?url=http://none.localhost/", "a refusal without a rule")
	v.quiet()
}
