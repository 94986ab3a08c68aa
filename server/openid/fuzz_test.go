package openid

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/keyring"
	"authy/server/registry"
)

func FuzzParseRequest(f *testing.F) {
	p := newProvider(f)
	addOldPage(f, p)
	challenge := "&code_challenge=" + s256("v") + "&code_challenge_method=S256"
	honest := "client_id=web&redirect_uri=https://web.example/cb&response_type=code&scope=openid" + challenge
	page := "client_id=page&redirect_uri=https://page.example/cb&scope=openid+offline_access&nonce=n&response_type="
	for _, seed := range []string{
		"", honest, honest + "&state=s&nonce=n&prompt=none&max_age=1&login_hint=x", honest + "&id_token_hint=a.b.c",
		honest + "&redirect_uri=https://evil.example/", "client_id=web", honest + "&scope=x", honest + "&state=%00&scope",
		strings.Replace(honest, "cb&", "cb?x=1&", 1), strings.Replace(honest, "cb&", "cb%3Fx%3D1&", 1),
		"client_id=native&redirect_uri=http://127.0.0.1:1/cb&response_type=code&scope=openid" + challenge,
		"client_id=native&redirect_uri=http://127.0.0.1:1@evil.example/cb&response_type=code&scope=openid" + challenge,
		"client_id=machine&redirect_uri=https://machine.example/cb&response_type=code&scope=api+openid",
		honest + "&response_mode=form_post&prompt=create+consent", honest + "&response_mode=form_post&prompt=x&state=%22%3E",
		honest + "&prompt=select_account+login&max_age=%2B1", honest + "&acr_values=phr+urn:authy:acr:mfa+x",
		honest + `&claims={"id_token":{"acr":{"essential":true,"values":["phr"]}}}`, honest + `&claims={"id_token":{"acr":[]}}`,
		page + "id_token", page + "token+id_token&response_mode=form_post", page + "code+id_token", page + "id_token&response_mode=query",
		page + "code" + challenge, strings.Replace(honest, "=code&", "=id_token&nonce=n&", 1), page + "id_token+token&dpop_jkt=" + s256("k"),
		honest + "&request=x", honest + "&prompt=login+none", honest + "&response_mode=fragment&max_age=99999999999999999999",
		"client_id=%ff&redirect_uri=%00", honest + "&claims=%7B%7D&acr_values=a+b&ui_locales=de",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		r, err := p.ParseRequest(t.Context(), form)
		refusal, refused := errors.AsType[*Refusal](err)
		switch {
		case err != nil && !refused:
			t.Fatalf("%q: an internal error: %v", query, err)
		case refused && r != nil:
			t.Fatalf("%q: a request and a refusal", query)
		case refused:
			checkRefusal(t, p, form, refusal)
		default:
			checkRequest(t, p, r)
		}
	})
}

// checkRefusal requires that a browser is sent to registered places alone.
func checkRefusal(t *testing.T, p *Provider, form url.Values, refusal *Refusal) {
	t.Helper()
	if refusal.Code == "" || refusal.Description == "" {
		t.Errorf("%v: a refusal without a code or a sentence", form)
	}
	if refusal.Answer() == nil {
		return
	}
	location := refusal.Location()
	client, err := p.clients.Client(t.Context(), form.Get("client_id"))
	if err != nil || len(form["client_id"]) != 1 || len(form["redirect_uri"]) != 1 || !registry.Matches(client, form.Get("redirect_uri")) {
		t.Fatalf("%v is sent to %q", form, location)
	}
	if !strings.HasPrefix(location, form.Get("redirect_uri")) {
		t.Fatalf("%v is sent to %q", form, location)
	}
	if q := answered(t, refusal.Answer()); q.Get("iss") != testIssuer || q.Get("error") != refusal.Code || q.Has("code") {
		t.Errorf("%v is answered by %q, %v", form, location, q)
	}
	if asksInFront(form.Get("response_type")) && refusal.back.ResponseMode == modeQuery {
		t.Errorf("%v is answered by the query", form)
	}
}

// answered returns what an answer tells the client.
func answered(t *testing.T, a *Answer) url.Values {
	t.Helper()
	u, err := url.Parse(a.Location)
	if err != nil {
		t.Fatalf("%q: %v", a.Location, err)
	}
	switch {
	case a.Form != nil && u.Fragment == "":
		return a.Form
	case u.Fragment == "":
		return u.Query()
	}
	values, err := url.ParseQuery(u.EscapedFragment())
	if err != nil {
		t.Fatalf("%q: %v", a.Location, err)
	}
	return values
}

// checkRequest requires of a request that is let through what nobody checks
// later.
func checkRequest(t *testing.T, p *Provider, r *Request) {
	t.Helper()
	client, err := p.clients.Client(t.Context(), r.ClientID)
	if err != nil || !registry.Matches(client, r.RedirectURI) {
		t.Fatalf("request %+v: %v", r, err)
	}
	if r.ResponseType.HasCode() && len(r.CodeChallenge) != 43 && (client.RequirePKCE || r.CodeChallenge != "") {
		t.Errorf("request %+v lets PKCE out", r)
	}
	if r.ResponseType.InFront() && (client.ClientID != "page" || r.ResponseMode == modeQuery || r.Nonce == "" || r.JKT != "" ||
		!has(r.Scopes, "openid") || has(r.Scopes, "offline_access")) {
		t.Errorf("request %+v lets tokens out", r)
	}
	if len(r.Scopes) == 0 {
		t.Errorf("request %+v has no scope", r)
	}
	for i, scope := range r.Scopes {
		if !has(client.Scopes, scope) || has(r.Scopes[:i], scope) {
			t.Errorf("request %+v has the scope %q", r, scope)
		}
	}
	if r.Has("none") && len(r.Prompt) > 1 || r.MustACR && len(r.ACR) == 0 || !has(modes, r.ResponseMode) {
		t.Errorf("request %+v contradicts itself", r)
	}
	if !isText(r.State) || !isText(r.Nonce) || r.HintSubject != "" || r.MaxAge != nil && *r.MaxAge < 0 {
		t.Errorf("request %+v", r)
	}
}

func FuzzVerifyToken(f *testing.F) {
	p := newProvider(f)
	ctx := audit.WithActor(f.Context(), &audit.Actor{Kind: audit.Anonymous})
	machine, err := p.clients.Client(ctx, "machine")
	if err != nil {
		f.Fatal(err)
	}
	issued, err := p.clientToken(ctx, machine, "", nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	good := issued.AccessToken
	if claims, _, err := p.parseAccessToken(ctx, good, time.Now()); err != nil || claims.ClientID != "machine" {
		f.Fatalf("the good token: %v, %v", claims, err)
	}
	parts := strings.Split(good, ".")
	for _, seed := range []string{
		"", ".", "..", "...", good, good + " ", " " + good, good[1:], good[:len(good)-1], good + "\n", good + "." + parts[2],
		parts[0] + "." + parts[1] + ".", "eyJhbGciOiJub25lIn0." + parts[1] + ".", "e30." + parts[1] + "." + parts[2],
		parts[0] + ".e30." + parts[2], parts[0] + ".eyJhdWQiOlsxXX0." + parts[2], parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86),
		`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, strings.Repeat("A", keyring.MaxToken+1),
		"eyJhbGciOiJFUzI1NiIsImtpZCI6W119.e30.AA", "\x00", "\xff.\xff.\xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		claims, grant, err := p.parseAccessToken(ctx, token, time.Now())
		if token == good {
			return
		}
		if !errors.Is(err, keyring.ErrToken) || claims != nil || grant != nil {
			t.Fatalf("%q: %v, %v, %v, want keyring.ErrToken", token, claims, grant, err)
		}
		if hint, err := p.parseIDToken(ctx, token); !errors.Is(err, keyring.ErrToken) || hint != nil {
			t.Fatalf("%q as a hint: %v, %v, want keyring.ErrToken", token, hint, err)
		}
	})
}
