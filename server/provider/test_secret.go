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
	t.note("secret", !slices.Contains(unknownClient, problem), map[bool]string{
		true: "The provider knows the client ID and the secret.", false: unsure,
	}[slices.Contains(unknownCode, problem)], fmt.Sprintf(
		"The provider does not know this client ID with this secret (%s): copy both again; a secret may have expired.", problem))
}

// redeem returns the error with which a token endpoint refuses a code that nobody
// was given, "" if there is none to be read.
func (t *trial) redeem() string {
	answer, err := t.s.Outbound.Post(t.ctx, t.token, url.Values{
		"grant_type": {"authorization_code"}, "code": {"authy-provider-test"}, "redirect_uri": {t.s.RedirectURI(t.p)},
		"client_id": {t.p.ClientID}, "client_secret": {t.p.Secret},
	}, maxDocument)
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
