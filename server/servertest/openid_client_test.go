package servertest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"authy/server/servertest"
	"authy/storage/storagetest"
)

func TestAConfidentialClientNeedsItsSecret(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	code, verifier := acmePortal.code(t, s, browser)
	live := acmePortal.tokens(t, s, browser)
	honest := acmePortal.redemption(code, verifier)
	basic := func(id, secret string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(id, secret) }
	}
	header := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	own := func(f url.Values) url.Values { return with(f, "client_id", acmePortal.id) }
	for name, try := range map[string]struct {
		change func(*http.Request)
		body   func(url.Values) url.Values
	}{
		"TK-01 client_id alone":      {nil, own},
		"TK-01 an empty secret":      {nil, func(f url.Values) url.Values { return with(own(f), "client_secret", "") }},
		"TK-01 Basic without secret": {basic(acmePortal.id, ""), nil},
		"TK-01 a wrong secret":       {basic(acmePortal.id, "x"), nil},
		"TK-01 another's secret":     {basic(acmePortal.id, dashboard.secret), nil},
		"TK-01 a wrong secret, body": {nil, func(f url.Values) url.Values { return with(own(f), "client_secret", "x") }},
		"TK-01 nothing":              {nil, nil},
		"CO-22 Basic, bad encoding":  {basic(acmePortal.id, "%zz"), nil},
		"CO-22 Basic, a NUL":         {basic("%00", "x"), nil},
		"CO-22 Basic, not base64":    {header("Basic !"), nil},
		"CO-22 Bearer":               {header("Bearer " + live.Access), nil},
		"CO-22 two headers":          {header("Basic YTpi", "Basic YTpi"), nil},
		"CO-22 an unknown client":    {basic("nobody", "x"), nil},
		"CO-22 an assertion": {nil, func(f url.Values) url.Values {
			return with(own(f), "client_assertion", "x.y.z", "client_assertion_type", "x")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, form := range []url.Values{
				honest, {"grant_type": {"refresh_token"}, "refresh_token": {live.Refresh}}, {"grant_type": {"client_credentials"}},
			} {
				if try.body != nil {
					form = try.body(form)
				}
				r := send(t, s, tokenPath, form, try.change)
				r.refused(t, http.StatusUnauthorized, "invalid_client")
				if got := r.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic ") {
					t.Errorf("CO-23 WWW-Authenticate = %q, want Basic", got)
				}
			}
		})
	}
	for name, try := range map[string]url.Values{
		"CO-22 Basic and a secret in the body":  with(own(honest), "client_secret", acmePortal.secret),
		"CO-22 Basic and an empty body secret":  with(honest, "client_secret", ""),
		"CO-22 Basic and another's client_id":   with(honest, "client_id", dashboard.id),
		"CO-22 Basic and an assertion":          with(honest, "client_assertion", "x.y.z"),
		"CO-22 Basic and a public client's one": with(honest, "client_id", acmeMobile.id),
	} {
		t.Run(name, func(t *testing.T) {
			send(t, s, tokenPath, try, acmePortal.basic).refused(t, http.StatusBadRequest, "invalid_request")
		})
	}
	t.Run("a public client with a secret", func(t *testing.T) {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {acmeMobile.id}, "client_secret": {"x"}}
		send(t, s, tokenPath, form, nil).refused(t, http.StatusUnauthorized, "invalid_client")
	})
	// The honest forms, both ways of sending the secret; the client's name beside Basic is fine.
	send(t, s, tokenPath, own(honest), acmePortal.basic).tokens(t)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {live.Refresh}, "client_secret": {acmePortal.secret}}
	send(t, s, tokenPath, own(form), nil).tokens(t)
}

// Z-13, Z-14: one method, no query, nothing twice, no parts.
func TestTheTokenEndpointReadsOnePostedFormAndNothingElse(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	code, verifier := acmePortal.code(t, s, browser)
	honest := acmePortal.redemption(code, verifier)
	inBody := with(honest, "client_id", acmePortal.id, "client_secret", acmePortal.secret)
	for _, path := range []string{tokenPath, introspectPath, revokePath} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			r := raw(t, method, s.URL+path+"?"+inBody.Encode(), "", acmePortal.basic)
			if r.status != http.StatusMethodNotAllowed || !strings.Contains(r.header.Get("Allow"), http.MethodPost) {
				t.Errorf("CO-18 %s %s = %d, Allow %q, want 405 and POST", method, path, r.status, r.header.Get("Allow"))
			}
		}
		r := send(t, s, path+"?"+inBody.Encode(), nil, nil)
		r.refused(t, http.StatusUnauthorized, "invalid_client")
		r = send(t, s, path+"?"+inBody.Encode(), nil, acmePortal.basic)
		r.refused(t, http.StatusBadRequest, "invalid_request")
	}
	for _, kind := range []string{"", "application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded2"} {
		r := raw(t, http.MethodPost, s.URL+tokenPath, inBody.Encode(), func(r *http.Request) { r.Header.Set("Content-Type", kind) })
		r.refused(t, http.StatusUnsupportedMediaType, "invalid_request")
	}
	for _, name := range []string{"code", "grant_type", "redirect_uri", "client_id", "client_secret", "code_verifier", "x"} {
		t.Run("CO-20 "+name+" twice", func(t *testing.T) {
			for _, second := range []string{inBody.Get(name), "other"} {
				form := twice(with(inBody, name, inBody.Get(name)), name, second)
				send(t, s, tokenPath, form, nil).refused(t, http.StatusBadRequest, "invalid_request")
			}
		})
	}
	for _, body := range []string{"a=%zz", "a;b=c", "grant_type=authorization_code&code=%00&client_id=x"} {
		raw(t, http.MethodPost, s.URL+tokenPath, body, func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}).refused(t, http.StatusBadRequest, "invalid_request")
	}
	raw(t, http.MethodPost, s.URL+tokenPath, inBody.Encode(), func(r *http.Request) {
		r.Header.Set("Content-Type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8")
	}).tokens(t)
}

func TestGrantsThatDoNotExistAreRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	live := dashboard.tokens(t, s, servertest.Browser(t))
	for _, grant := range []string{
		"password", "implicit", "Authorization_Code", "urn:ietf:params:oauth:grant-type:jwt-bearer",
		"urn:ietf:params:oauth:grant-type:saml2-bearer", "authorization_code ", "x",
	} {
		t.Run("CO-21 "+grant, func(t *testing.T) {
			t.Parallel()
			form := url.Values{
				"grant_type": {grant}, "username": {bob}, "password": {bobPass}, "assertion": {live.ID}, "scope": {"openid"},
				"subject_token": {live.Access}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
				"actor_token": {live.ID}, "actor_token_type": {"urn:ietf:params:oauth:token-type:id_token"},
				"audience": {dashboard.id}, "requested_subject": {"alice"}, "device_code": {"x"},
			}
			for _, a := range []app{acmePortal, dataAPI, acmeMobile} {
				a.post(t, s, tokenPath, form).refused(t, http.StatusBadRequest, "unsupported_grant_type")
			}
		})
	}
	acmePortal.post(t, s, tokenPath, url.Values{"grant_type": {""}}).refused(t, http.StatusBadRequest, "invalid_request")
	acmePortal.post(t, s, tokenPath, url.Values{}).refused(t, http.StatusBadRequest, "invalid_request")
	for _, path := range []string{"/oidc/register", "/oidc/token/", "/oidc/authorize/callback"} {
		r := send(t, s, path, url.Values{"organization_id": {"acme"}, "scope": {"openid roles api:write"}}, acmePortal.basic)
		if r.status != http.StatusNotFound {
			t.Errorf("TK-45 %s = %d, want 404", path, r.status)
		}
	}
}

func TestAClientsOwnTokenIsForItsAPIsAlone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	own := func(a app, scope string) reply {
		return a.post(t, s, tokenPath, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
	}
	for scope, want := range map[string]string{
		"openid offline_access api:read": "api:read", "api:write": "api:write", "": "api:read api:write", " api:read  api:read ": "api:read",
	} {
		got := own(dataAPI, scope).tokens(t)
		if got.Scope != want || got.ID != "" || got.Refresh != "" {
			t.Errorf("TK-30 scope %q gives %+v, want scope %q alone", scope, got, want)
		}
		userinfo(t, s, got.Access).refused(t, http.StatusForbidden, "insufficient_scope")
		if r := dataAPI.introspect(t, s, got.Access); r.fields["active"] != true || r.fields["sub"] != dataAPI.id {
			t.Errorf("introspection = %s", r.body)
		}
	}
	dataAPI.post(t, s, tokenPath, url.Values{"grant_type": {"client_credentials"}}).tokens(t)
	own(dataAPI, "api:admin").refused(t, http.StatusBadRequest, "invalid_scope")
	own(dataAPI, "api:read api:admin").refused(t, http.StatusBadRequest, "invalid_scope")
	own(dataAPI, "openid").refused(t, http.StatusBadRequest, "invalid_scope")
	own(acmePortal, "openid").refused(t, http.StatusBadRequest, "unauthorized_client")
	if r := own(acmeMobile, "openid"); r.status != http.StatusBadRequest && r.status != http.StatusUnauthorized || r.fields["access_token"] != nil {
		t.Errorf("TK-30 a public client: %d %s", r.status, r.body)
	}
}

// Z-36: whose token it is, is looked at.
func TestIntrospectionIsForTheTokensOwnClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	got := dashboard.tokens(t, s, browser)
	inactive := func(r reply) {
		t.Helper()
		if r.status != http.StatusOK || strings.TrimSpace(r.body) != `{"active":false}` {
			t.Errorf("answer %d %s, want exactly active:false", r.status, r.body)
		}
	}
	for _, token := range []string{got.Access, got.Refresh} {
		r := dashboard.introspect(t, s, token)
		if r.fields["active"] != true || r.fields["client_id"] != dashboard.id || r.fields["sub"] != userID(t, s, bob) || r.fields["scope"] != allScopes {
			t.Errorf("the owner's introspection = %s", r.body)
		}
		inactive(acmePortal.introspect(t, s, token))
		inactive(dataAPI.introspect(t, s, token))
	}
	for name, bad := range forgeries(t, s, got.Access) {
		t.Run(name, func(t *testing.T) { inactive(dashboard.introspect(t, s, bad)) })
	}
	for name, bad := range malformed(t, s) {
		t.Run("TK-28 "+name, func(t *testing.T) {
			if r := dashboard.introspect(t, s, bad); r.status == http.StatusOK {
				inactive(r)
			} else {
				r.refused(t, http.StatusBadRequest, "invalid_request")
			}
		})
	}
	inactive(dashboard.introspect(t, s, got.ID))
	dashboard.post(t, s, introspectPath, url.Values{}).refused(t, http.StatusBadRequest, "invalid_request")

	form := url.Values{"token": {got.Access}}
	for name, r := range map[string]reply{
		"nothing":                   send(t, s, introspectPath, form, nil),
		"a confidential client_id":  send(t, s, introspectPath, with(form, "client_id", dashboard.id), nil),
		"a public client_id":        send(t, s, introspectPath, with(form, "client_id", acmeMobile.id), nil),
		"a public client's nothing": send(t, s, introspectPath, with(form, "client_id", acmeMobile.id, "client_secret", ""), nil),
		"a user's token":            send(t, s, introspectPath, form, bearerOf(got.Access)),
		"a wrong secret":            send(t, s, introspectPath, form, app{dashboard.id, "x", ""}.basic),
	} {
		t.Run("TK-21 "+name, func(t *testing.T) {
			r.refused(t, http.StatusUnauthorized, "invalid_client")
			if r.header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
}

func TestRevocationReachesTheClientsOwnTokensAlone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	revoke := func(a app, token string) {
		t.Helper()
		if r := a.post(t, s, revokePath, url.Values{"token": {token}}); r.status != http.StatusOK {
			t.Errorf("revocation = %d %s, want 200", r.status, r.body)
		}
	}
	got := dashboard.tokens(t, s, browser)
	for _, a := range []app{acmePortal, acmeMobile} { // TK-23
		revoke(a, got.Refresh)
		revoke(a, got.Access)
	}
	// TK-25: what is no token of the client's makes no difference.
	for _, token := range []string{"x", got.ID, letters(43), acmePortal.tokens(t, s, browser).ID} {
		revoke(dashboard, token)
	}
	alive(t, s, got.Access, true)
	next := dashboard.refresh(t, s, got.Refresh).tokens(t)

	revoke(dashboard, next.Access)
	alive(t, s, next.Access, false)
	alive(t, s, got.Access, true)
	revoke(dashboard, next.Refresh)
	revoke(dashboard, next.Refresh)
	alive(t, s, got.Access, false)
	dashboard.refresh(t, s, next.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")

	public := acmeMobile.tokens(t, s, browser)
	revoke(acmeMobile, public.Refresh)
	alive(t, s, public.Access, false)
	send(t, s, revokePath, url.Values{"token": {public.Access}}, nil).refused(t, http.StatusUnauthorized, "invalid_client")
	for _, r := range atOnce(8, func() reply { return acmeMobile.post(t, s, revokePath, url.Values{"token": {public.Access}}) }) {
		if r.status != http.StatusOK {
			t.Errorf("at once: %d %s", r.status, r.body)
		}
	}
}

// Z-15: the library sets no Cache-Control, and answers some errors as text.
func TestAnswersToClientsAreNotKeptByAnybody(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	got := acmePortal.tokens(t, s, servertest.Browser(t))
	for name, r := range map[string]reply{
		"tokens":                   acmePortal.refresh(t, s, got.Refresh),
		"a refused grant":          acmePortal.refresh(t, s, "x"),
		"a refused client":         app{acmePortal.id, "x", ""}.refresh(t, s, "x"),
		"a missing grant":          acmePortal.post(t, s, tokenPath, nil),
		"an unknown grant":         acmePortal.post(t, s, tokenPath, url.Values{"grant_type": {"x"}}),
		"a refused body":           raw(t, http.MethodPost, s.URL+tokenPath, "{}", nil),
		"introspection":            acmePortal.introspect(t, s, got.Access),
		"a refused introspection":  send(t, s, introspectPath, nil, nil),
		"revocation":               acmePortal.post(t, s, revokePath, url.Values{"token": {"x"}}),
		"a refused revocation":     send(t, s, revokePath, nil, nil),
		"userinfo":                 userinfo(t, s, got.Access),
		"a refused userinfo":       userinfo(t, s, "x"),
		"userinfo without a token": raw(t, http.MethodGet, s.URL+userinfoPath, "", nil),
	} {
		t.Run("CO-23 "+name, func(t *testing.T) {
			if got := r.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control = %q", got)
			}
			if got := r.header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options = %q", got)
			}
			if kind := r.header.Get("Content-Type"); r.body != "" && !strings.HasPrefix(kind, "application/json") {
				t.Errorf("Content-Type = %q of %q", kind, r.body)
			}
			if r.header.Get("Access-Control-Allow-Origin") != "" || r.header.Get("Set-Cookie") != "" {
				t.Errorf("the answer is open to other origins or sets a cookie: %v", r.header)
			}
			if secret := inside.FindString(r.body); secret != "" {
				t.Errorf("the body speaks of %q: %s", secret, r.body)
			}
		})
	}
	if got := acmePortal.refresh(t, s, "x").header.Get("Pragma"); got != "no-cache" {
		t.Errorf("Pragma = %q", got)
	}
}

func TestTextThatADatabaseRefusesIsTheSendersFault(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine)})
			browser := servertest.Browser(t)
			s.SignIn(t, browser, bob, bobPass)
			long := letters(5000)
			for _, bad := range []string{"\x00", "a\x00b", "\xff\xfe", "\xed\xa0\x80", long + "\x00", long + "\xff"} {
				var statuses []int
				for _, name := range []string{"client_id", "client_secret", "code", "redirect_uri", "code_verifier", "\x00"} {
					form := with(acmePortal.redemption("c", "v"), "client_id", acmePortal.id, name, bad)
					statuses = append(statuses, send(t, s, tokenPath, form, nil).status)
				}
				form := url.Values{"token": {bad}, "token_type_hint": {bad}}
				statuses = append(statuses, acmePortal.post(t, s, introspectPath, form).status, acmePortal.post(t, s, revokePath, form).status,
					acmePortal.refresh(t, s, bad, "scope", bad).status, app{bad, bad, ""}.refresh(t, s, "x").status)
				for _, address := range []string{
					"/sign-in?flow=", "/consent?flow=", "/setup?token=", logoutPath + "?client_id=", logoutPath + "?id_token_hint=",
					authorizePath + "?redirect_uri=x&client_id=",
					authorizePath + "?redirect_uri=" + url.QueryEscape(callback) + "&client_id=acme-portal-001&id_token_hint=",
				} {
					page := servertest.Get(t, browser, s.URL+address+url.QueryEscape(bad))
					if page.Location() == nil {
						statuses = append(statuses, page.Response.StatusCode)
					}
				}
				for path, name := range map[string]string{"/sign-in": "flow", "/consent": "flow", "/account/sessions/end": "id"} {
					statuses = append(statuses, servertest.Post(t, browser, s.URL+path, with(credentials(""), name, bad)).Response.StatusCode)
				}
				if i := slices.IndexFunc(statuses, func(status int) bool { return status < 400 && status != 200 || status >= 500 }); i >= 0 {
					t.Errorf("%.20q: statuses %v, the one at %d is not 4xx", bad, statuses, i)
				}
			}
			acmePortal.tokens(t, s, browser)
		})
	}
}

// RFC 6749, section 2.3.1: the secret may be left out if it is empty. So oidc-agent does.
func TestAPublicClientMaySayWhoItIsByBasicWithoutASecret(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	by := func(a app, path string, form url.Values) reply {
		return send(t, s, path, form, func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(a.id), "") })
	}
	browser := servertest.Browser(t)
	code, verifier := acmeMobile.code(t, s, browser)
	by(acmeMobile, tokenPath, acmeMobile.redemption(code, verifier)).tokens(t)
	code, verifier = acmePortal.code(t, s, browser)
	by(acmePortal, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusUnauthorized, "invalid_client")
	acmePortal.redeem(t, s, code, verifier)
	by(acmeMobile, introspectPath, url.Values{"token": {"x"}}).refused(t, http.StatusUnauthorized, "invalid_client")
}
