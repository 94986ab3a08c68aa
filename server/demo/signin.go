package demo

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// attemptLifetime is how long a person may take at the provider.
const attemptLifetime = 10 * time.Minute

// prompts are the values of prompt that the application passes on.
// OpenID Connect Core 1.0, section 3.1.2.1.
var prompts = []string{"login", "none", "consent"}

// attempt is what the application remembers of a browser that it sent to the provider. A cookie
// ties it to that browser.
type attempt struct {
	state    string
	nonce    string
	verifier string // RFC 7636: the provider has seen its hash only
}

// signIn sends the browser to the provider.
func (a *App) signIn(w http.ResponseWriter, r *http.Request) error {
	prompt := r.URL.Query().Get("prompt")
	if prompt != "" && !slices.Contains(prompts, prompt) {
		return refuse("This demo passes on prompt=login, none or consent, and not %q.", prompt)
	}
	try := attempt{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	options := []oauth2.AuthCodeOption{oidc.Nonce(try.nonce), oauth2.S256ChallengeOption(try.verifier)}
	if prompt != "" {
		options = append(options, oauth2.SetAuthURLParam("prompt", prompt))
	}
	a.setCookie(w, signInCookie, a.signIns.put(time.Now(), try))
	target := a.oauth.AuthCodeURL(try.state, options...)
	http.Redirect(w, r, target, http.StatusSeeOther) //nolint:gosec // prompt is one of three words
	return nil
}

// callback receives the browser from the provider, with a code or an error.
func (a *App) callback(w http.ResponseWriter, r *http.Request) error {
	now := time.Now()
	try, err := a.answered(now, r)
	if err != nil {
		return err
	}
	a.dropCookie(w, signInCookie)
	query := r.URL.Query()
	if err := a.checkSender(query); err != nil {
		return err
	}
	if query.Has("error") {
		return &problem{
			status: http.StatusBadRequest,
			Title:  "The provider did not sign you in",
			Code:   query.Get("error"),
			Detail: query.Get("error_description"),
		}
	}
	s, err := a.redeem(a.ask(r.Context()), now, query.Get("code"), try)
	if err != nil {
		return err
	}
	// A new sign-in gets a new ID, and the session before it ends.
	a.sessions.drop(carried(r, sessionCookie))
	a.setCookie(w, sessionCookie, a.sessions.put(now, s))
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// answered returns the attempt that the response belongs to, and uses it up. A response with the
// wrong state uses nothing up: anybody can send one.
func (a *App) answered(now time.Time, r *http.Request) (attempt, error) {
	id := carried(r, signInCookie)
	try, ok := a.signIns.look(now, id)
	if !ok {
		return attempt{}, refuse("This browser has no sign-in in progress: it took longer than "+
			"ten minutes, was finished before, or began under another name than %s, for which "+
			"the cookie does not count.", origin(a.redirect))
	}
	if !same(r.URL.Query().Get("state"), try.state) {
		return attempt{}, refuse("The state in the response is not the one that this browser was " +
			"sent with: the response belongs to somebody else's sign-in.")
	}
	if !a.signIns.drop(id) {
		return attempt{}, refuse("This response was used already.")
	}
	return try, nil
}

// redeem exchanges the code for tokens, checks them, and returns the session they begin.
func (a *App) redeem(ctx context.Context, now time.Time, code string, try attempt) (*session, error) {
	if code == "" {
		return nil, refuse("The response has neither a code nor an error.")
	}
	token, err := a.oauth.Exchange(ctx, code, oauth2.VerifierOption(try.verifier))
	if err != nil {
		return nil, failed("The provider did not exchange the code", err)
	}
	id, err := a.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	if !same(id.Nonce, try.nonce) {
		return nil, refuse("The nonce in the ID token is not the one of this sign-in: the token " +
			"was issued for another.")
	}
	info, err := a.fetchUserinfo(ctx, token, id.Subject)
	if err != nil {
		return nil, err
	}
	s := &session{id: id, token: token, info: info}
	s.note(now, "Signed in: the code was exchanged, the ID token and userinfo agree.")
	return s, nil
}
