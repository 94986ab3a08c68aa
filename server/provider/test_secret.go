package provider

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
)

// unknownClient are the errors of a token endpoint that does not know a client by
// its secret (RFC 6749, section 5.2, and GitHub's own).
var unknownClient = []string{"invalid_client", "unauthorized_client", "incorrect_client_credentials"}

// unknownCode are those of one that has looked at the code, and so knows the client.
var unknownCode = []string{"invalid_grant", "bad_verification_code"}

// secret notes whether the client secret is there and, where the provider takes it
// in a form, whether it is right: a code that nobody was given is redeemed, and
// what the provider says of that tells.
func (t *trial) secret() {
	const unsure = "There is one; the provider says whether it is right when somebody signs in."
	switch {
	case t.byKey() && t.token == "":
		return // why not has been said
	case t.byKey():
	case t.p.Secret == "" && t.p.Kind == OIDC:
		t.note("secret", true, "There is none: the client is public, and PKCE is its proof.", "")
		return
	case t.p.Secret == "":
		t.note("secret", false, "", "There is no client secret: set it.")
		return
	case t.token == "":
		t.note("secret", true, unsure, "")
		return
	}
	problem := t.redeem()
	good, known := unsure, "The provider knows the client ID and the secret."
	bad := "The provider does not know this client ID with this secret (%s): copy both again; a secret may have expired."
	if t.byKey() {
		known = "The provider knows the client by its key."
		good = "The provider says whether it knows the key when somebody signs in."
		bad = "The provider does not know this client ID by our key (%s): copy the ID again, and give it the address of the keys."
	}
	if slices.Contains(unknownCode, problem) {
		good = known
	}
	t.note("secret", !slices.Contains(unknownClient, problem), good, fmt.Sprintf(bad, problem))
}

// byKey says whether authy proves by a key who it is.
func (t *trial) byKey() bool { return t.p.Options.AuthMethod == AuthKey }

// redeem returns the error with which a token endpoint refuses a code that nobody
// was given, "" if there is none to be read.
func (t *trial) redeem() string {
	question := url.Values{
		"grant_type": {"authorization_code"}, "code": {"authy-provider-test"}, "redirect_uri": {t.s.RedirectURI(t.p)},
		"client_id": {t.p.ClientID},
	}
	if t.byKey() {
		assertion, err := t.s.Assertion(t.ctx, t.p.ClientID, t.p.Issuer, t.algs)
		if err != nil {
			return ""
		}
		question.Set("client_assertion", assertion)
		question.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	} else {
		question.Set("client_secret", t.p.Secret)
	}
	answer, err := t.s.Outbound.Post(t.ctx, t.token, question, maxDocument)
	if err != nil {
		return ""
	}
	var refused struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(answer.Body, &refused) == nil {
		return refused.Error
	}
	form, err := url.ParseQuery(string(answer.Body)) // GitHub, unless it is asked for JSON
	if err != nil {
		return ""
	}
	return form.Get("error")
}
