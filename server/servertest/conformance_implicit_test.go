package servertest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"authy/server/registry"
	"authy/server/servertest"
)

func TestImplicitCertification(t *testing.T)         { certifyImplicit(t, "") }
func TestFormPostImplicitCertification(t *testing.T) { certifyImplicit(t, "form_post") }

// certifyImplicit runs the implicit plan, for each of its response types.
func certifyImplicit(t *testing.T, mode string) {
	t.Parallel()
	for _, kind := range []string{"id_token", bothTokens} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := servertest.Start(t, servertest.Options{Configure: implicitly})
			certifyOn(t, s, mode, kind, implicitModules(kind), registry.Registration{
				GrantTypes: []string{registry.Implicit}, ResponseTypes: []string{"id_token", bothTokens},
			})
		})
	}
}

// ofBasic are the modules that the implicit plan shares with the basic one.
var ofBasic = strings.Fields("oidcc-server oidcc-idtoken-signature oidcc-scope-profile oidcc-scope-email oidcc-scope-address " +
	"oidcc-scope-phone oidcc-scope-all oidcc-alternate-happy-flow oidcc-display-page oidcc-display-popup oidcc-prompt-login " +
	"oidcc-prompt-none-not-logged-in oidcc-prompt-none-logged-in oidcc-max-age-1 oidcc-max-age-10000 " +
	"oidcc-ensure-request-with-unknown-parameter-succeeds oidcc-id-token-hint oidcc-login-hint oidcc-ui-locales " +
	"oidcc-claims-locales oidcc-ensure-request-with-acr-values-succeeds oidcc-ensure-registered-redirect-uri " +
	"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported " +
	"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported " +
	"oidcc-ensure-request-object-with-redirect-uri")

// implicitModules are those of the plan for a response type. Those of userinfo, and that without a
// response type, the suite runs for the other one alone.
func implicitModules(kind string) []module {
	names, modules := ofBasic, []module{
		{"oidcc-ensure-request-without-nonce-fails", func(c *conformance) {
			c.fails(c.first, c.request(c.first, "nonce", ""), "invalid_request")
		}},
		{"oidcc-claims-essential", essentialName},
	}
	if kind == bothTokens {
		names = append(slices.Clone(names), "oidcc-userinfo-get", "oidcc-userinfo-post-header", "oidcc-userinfo-post-body")
		modules = append(modules, module{"oidcc-response-type-missing", noResponseType})
	}
	for _, m := range basicModules {
		if slices.Contains(names, m.name) {
			modules = append(modules, m)
		}
	}
	return modules
}

// noResponseType requires an error where nobody knows what was meant: by the query.
func noResponseType(c *conformance) {
	c.kind = ""
	c.fails(c.first, c.request(c.first, "response_type", ""), "invalid_request", "unsupported_response_type")
}

// essentialName asks for a name at userinfo or, where that cannot be asked, in the ID token.
func essentialName(c *conformance) {
	if c.kind == bothTokens {
		got := c.flow(c.first, "claims", `{"userinfo":{"name":{"essential":true}}}`)
		if c.only(got.claims); got.userinfo["name"] == nil {
			c.Errorf("warning: userinfo lacks name: %s", text(got.userinfo))
		}
		return
	}
	got := c.flow(c.first, "claims", `{"id_token":{"name":{"essential":true}}}`)
	if c.only(got.claims, "name"); got.claims["name"] == nil {
		c.Errorf("warning: the ID token lacks name: %s", text(got.claims))
	}
}

// fragment returns what is in the fragment of an address; there is nothing in its query
// (RejectAuthCodeInUrlQuery, RejectErrorInUrlQuery).
func (c *conformance) fragment(to *url.URL) url.Values {
	c.Helper()
	values, err := url.ParseQuery(to.EscapedFragment())
	if err != nil || to.RawQuery != "" {
		c.Errorf("the answer %s: %v", to, err)
	}
	return values
}

// inFront takes the tokens of an answer, with every check that all modules make.
func (c *conformance) inFront(a app, form, answer url.Values) grantedTo {
	c.Helper()
	out := grantedTo{nonce: form.Get("nonce"), tokens: tokens{Access: answer.Get("access_token"), ID: answer.Get("id_token")}}
	if answer.Has("error") || answer.Has("code") || answer.Has("refresh_token") || out.ID == "" || (out.Access != "") != (c.kind == bothTokens) {
		c.Fatalf("answer %v to %s", answer, c.kind)
	}
	out.header, out.claims = c.checkIDToken(a, out.ID, out.Access, out.nonce)
	if hash := out.claims["at_hash"]; (hash != nil) != (out.Access != "") || out.claims["c_hash"] != nil {
		c.Errorf("the ID token says %s", text(out.claims))
	}
	if out.Access == "" {
		return out
	}
	if !strings.EqualFold(answer.Get("token_type"), "Bearer") || answer.Get("expires_in") != "3600" {
		c.Errorf("token_type %q, expires_in %q", answer.Get("token_type"), answer.Get("expires_in"))
	}
	out.userinfo = c.checkUserinfo(out)
	return out
}

// verifyDiscovery holds the metadata against what a dynamic provider must have (OpenID Connect
// Discovery 1.0, section 3). That all addresses are https cannot be so here.
func verifyDiscovery(c *dynamic) {
	answer := raw(c.T, http.MethodGet, c.s.URL+"/.well-known/openid-configuration", "", nil)
	if kind := answer.header.Get("Content-Type"); answer.status != http.StatusOK || kind != "application/json" {
		c.Errorf("the metadata is %d %q", answer.status, kind)
	}
	for name, must := range map[string][]string{
		"response_types_supported": {"code", "id_token", bothTokens}, "grant_types_supported": {"authorization_code", "implicit"},
		"subject_types_supported": {"public"}, "id_token_signing_alg_values_supported": {"RS256"},
		"userinfo_signing_alg_values_supported": {"RS256"}, "request_object_signing_alg_values_supported": {"none", "RS256"},
		"scopes_supported": {"openid"}, "claims_supported": {"sub"}, "code_challenge_methods_supported": {"S256"},
	} {
		for _, value := range must {
			if !slices.Contains(c.ad.list(name), value) {
				c.Errorf("%s lacks %s: %v", name, value, c.ad[name])
			}
		}
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "registration_endpoint"} {
		if address, _ := c.ad[name].(string); !strings.HasPrefix(address, c.s.URL+"/") {
			c.Errorf("%s = %q", name, address)
		}
	}
	for _, name := range []string{"request_parameter_supported", "request_uri_parameter_supported", "claims_parameter_supported"} {
		if c.ad[name] != true {
			c.Errorf("%s = %v", name, c.ad[name])
		}
	}
	if c.ad["issuer"] != c.s.URL {
		c.Errorf("issuer = %v", c.ad["issuer"])
	}
	if set, _ := keysOf(c.T, c.s); len(set.Keys) == 0 || slices.ContainsFunc(set.Keys, func(k jose.JSONWebKey) bool { return !k.IsPublic() || !k.Valid() }) {
		c.Errorf("the keys are %v", set.Keys)
	}
}
