package servertest_test

import (
	"net/url"
	"testing"

	"authy/server/config"
	"authy/server/servertest"
)

func TestWhatRulesSayIsInTheLanguageOfThePage(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.OpenID.Implicit = true }})
	makeAdmin(t, s, root)
	v := as(t, s, root)
	type wants struct{ query, meaning, risk, scheme, form, redirect string }
	for tag, want := range map[string]wants{
		"de": {
			"Profils legacy", "Adresszeile des Browsers gehen", "openid.implicit ist true: Clients",
			"javascript:alert(1): dieses Schema ist gefährlich", "Muss eines davon sein: server, browser, native.",
			"</code>: Die redirect_uri ist keine, die die App registriert hat.",
		},
		"es": {
			"perfil legacy", "pasan por la dirección del navegador", "openid.implicit es true:",
			"javascript:alert(1): este esquema es peligroso", "Debe ser uno de: server, browser, native.",
			"</code>: La redirect_uri no es una de las que ha registrado la aplicación.",
		},
	} {
		v.setCookie("authy_language", tag)
		found := v.get("/admin/settings?q=" + url.QueryEscape(want.query))
		v.shows(found, 200, want.meaning, want.risk)
		add := "/admin/clients/new/other"
		v.page(v.post(add, "name", "Shop", "kind", "server", "redirect_uris", "javascript:alert(1)"), 400, want.scheme)
		v.page(v.post(add, "name", "Shop", "kind", "teapot", "redirect_uris", "https://shop.example/cb"), 400, want.form)
		refused := v.get("/oidc/authorize?client_id=acme-portal-001&redirect_uri=https://evil.example/&response_type=code")
		v.in(refused, tag, want.redirect)
		v.page(v.get("/admin/audit?from=tomorrow"), 400, map[string]string{"de": "Geben Sie einen Tag an", "es": "Indica un día"}[tag])
	}
}
