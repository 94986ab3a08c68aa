package faultbench

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"authy/storage"
)

// The things that people do with applications: registering them, letting them in, and what the
// applications do then.

const (
	callback    = "https://app.bench.example/callback"
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	verifier    = "a-verifier-of-forty-three-characters-at-the-least"
)

// secretMAC is how a client's secret is kept.
func (b *bench) secretMAC(secret string) string {
	return base64.RawURLEncoding.EncodeToString(b.macs.MAC("client secret", secret))
}

func (w *worker) registerClient(ctx context.Context) error {
	a, err := w.do(ctx, call{
		kind: "client create", method: "POST", path: api + "/organizations/" + w.me.house.id + "/clients",
		token: w.me.token(), makes: []string{"client"}, event: true,
		body: object{
			"name": "App", "redirect_uris": []string{callback},
			"grant_types": []string{"authorization_code", "refresh_token", deviceGrant},
			"scopes":      []string{"openid", "offline_access"},
		},
		told: func(a answer) []fact {
			id := a.text("client", "client_id")
			return []fact{{"client/" + id, "alive"}, {"secret/" + id, w.secretMAC(a.text("client_secret"))}}
		},
	})
	w.me.client = &application{a.text("client", "client_id"), a.text("client_secret")}
	return err
}

func (w *worker) rotate(ctx context.Context) error {
	c := w.me.client
	key := "secret/" + c.id
	a, err := w.do(ctx, call{
		kind: "client rotate", method: "POST",
		path:  api + "/organizations/" + w.me.house.id + "/clients/" + c.id + "/secret",
		token: w.me.token(), body: object{"overlap": 0}, facts: []fact{{key, anything}}, event: true,
		told: func(a answer) []fact { return []fact{{key, w.secretMAC(a.text("client_secret"))}} },
	})
	c.secret = a.text("client_secret")
	<-time.After(w.heard)
	return err
}

// hiddenInput finds the hidden fields of a page's forms.
var hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

func (a answer) hidden() url.Values {
	fields := url.Values{}
	for _, found := range hiddenInput.FindAllStringSubmatch(string(a.body), -1) {
		fields.Set(html.UnescapeString(found[1]), html.UnescapeString(found[2]))
	}
	return fields
}

// authorizeQuery is what an application asks for.
func (p *process) authorizeQuery(clientID string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	return url.Values{
		"client_id": {clientID}, "redirect_uri": {callback}, "response_type": {"code"},
		"scope": {"openid offline_access"}, "prompt": {"consent"}, "state": {"a state of some length"},
		"nonce":          {"a nonce of some length"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
}

// authorize lets the application in, in the person's browser, and has it redeem its code.
func (w *worker) authorize(ctx context.Context) error {
	code, err := w.consent(ctx)
	if err != nil {
		return err
	}
	token, err := w.exchange(ctx, code)
	if err == nil {
		w.me.refresh = append(w.me.refresh, token)
	}
	return err
}

// consent goes through the pages and returns the code.
func (w *worker) consent(ctx context.Context) (code string, err error) {
	c, err := w.toConsent(ctx)
	if err != nil {
		return "", err
	}
	own := w.client
	w.client = w.me.browser
	defer func() { w.client = own }()
	a, err := w.do(ctx, c)
	return a.location().Query().Get("code"), err
}

// toConsent goes as far as the page that asks for consent, signing in where it is asked to, and
// returns the call that agrees.
func (w *worker) toConsent(ctx context.Context) (agree call, err error) {
	own := w.client
	w.client = w.me.browser
	defer func() { w.client = own }()
	c := call{kind: "authorize", method: "GET", path: "/oidc/authorize?" + w.node.authorizeQuery(w.me.client.id).Encode()}
	for range 10 {
		a, err := w.do(ctx, c)
		if err != nil {
			return call{}, err
		}
		to := a.location()
		switch {
		case to.String() != "":
			c = call{kind: "page", method: "GET", path: resolve(w.node.url, to)}
		case strings.Contains(string(a.body), `id="sign-in"`):
			c = w.signIn(a.hidden())
		case strings.Contains(string(a.body), `id="allow"`):
			return w.agree(a.hidden()), nil
		default:
			return call{}, fmt.Errorf("%w: a page of authorize: %d %s", errOdd, a.status, a.body)
		}
	}
	return call{}, fmt.Errorf("%w: authorize goes round and round", errOdd)
}

func resolve(base string, to *url.URL) string {
	if to.IsAbs() {
		return to.String()
	}
	return base + to.String()
}

func (w *worker) signIn(form url.Values) call {
	form.Set("email", w.me.email)
	form.Set("password", w.me.password)
	return call{
		kind: "web sign-in", method: "POST", path: "/sign-in", body: form, makes: []string{"session"}, event: true,
		told: func(a answer) []fact {
			for _, c := range (&http.Response{Header: a.header}).Cookies() {
				if c.Name == "authy_session" {
					w.me.web = c.Value
				}
			}
			return []fact{{"session/" + storage.Hash(w.me.web), "alive"}}
		},
	}
}

func (w *worker) agree(form url.Values) call {
	form.Set("decision", "allow")
	return call{
		kind: "consent", method: "POST", path: "/consent", body: form, event: true, makes: []string{"code"},
		facts: []fact{{"consent/" + w.me.email + "/" + w.me.client.id, "granted"}},
		told: func(a answer) []fact {
			return []fact{{"code/" + storage.Hash(a.location().Query().Get("code")), "alive"}}
		},
	}
}

// refreshTold is the refresh token that an answer hands out.
func refreshTold(a answer) []fact {
	return []fact{{"refresh/" + storage.Hash(a.text("refresh_token")), "alive"}}
}

// redeem is the call that redeems a code.
func (w *worker) redeem(code string) call {
	key := "code/" + storage.Hash(code)
	return call{
		kind: "code exchange", method: "POST", path: "/oidc/token", id: w.me.client.id, secret: w.me.client.secret,
		body: url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
		},
		facts: []fact{{key, "used"}}, once: key, makes: []string{"refresh"}, told: refreshTold, event: true,
	}
}

func (w *worker) exchange(ctx context.Context, code string) (refresh string, err error) {
	a, err := w.do(ctx, w.redeem(code))
	return a.text("refresh_token"), err
}

// renew is the call that uses a refresh token.
func (w *worker) renew(token string) call {
	key := "refresh/" + storage.Hash(token)
	return call{
		kind: "refresh", method: "POST", path: "/oidc/token", id: w.me.client.id, secret: w.me.client.secret,
		body:  url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}},
		facts: []fact{{key, "used"}}, once: key, makes: []string{"refresh"}, told: refreshTold, event: true,
	}
}

func (w *worker) useRefresh(ctx context.Context) error {
	a, err := w.do(ctx, w.renew(w.me.refresh[0]))
	w.me.refresh[0] = a.text("refresh_token")
	return err
}

// revocation is the call that revokes a refresh token, and its grant.
func (w *worker) revocation(token string) call {
	return call{
		kind: "revoke", method: "POST", path: "/oidc/revoke", id: w.me.client.id, secret: w.me.client.secret,
		body:  url.Values{"token": {token}},
		facts: []fact{{"refresh/" + storage.Hash(token), "dead"}}, event: true,
	}
}

func (w *worker) revoke(ctx context.Context) error {
	_, err := w.do(ctx, w.revocation(w.me.refresh[0]))
	w.me.refresh = w.me.refresh[1:]
	return err
}
