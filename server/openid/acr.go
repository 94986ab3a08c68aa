package openid

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"authy/storage"
)

// Assurance is how surely someone has proved who they are: a rung of the ladder
// that the values of acr name.
type Assurance int

// The rungs, each surer than the one before.
const (
	ByPassword Assurance = iota + 1
	// ByTwoFactors is a password and a code, or a passkey.
	ByTwoFactors
	// ByPasskey is what no false page can get out of someone.
	ByPasskey
)

// ladder has the names of each rung, ours first. The others are those of OpenID
// Connect Extended Authentication Profile ACR Values 1.0, section 4, and of the
// profiles of REFEDS; they are said to those who ask for them.
var ladder = []struct {
	rung  Assurance
	names []string
}{
	{ByPassword, []string{"urn:authy:acr:password", "https://refeds.org/profile/sfa"}},
	{ByTwoFactors, []string{"urn:authy:acr:mfa", "https://refeds.org/profile/mfa"}},
	{ByPasskey, []string{"urn:authy:acr:passkey", "phr"}},
}

// ACR returns the name of a rung.
func (a Assurance) ACR() string { return ladder[a-1].names[0] }

// UnmetACR is what a client is told of a user who cannot prove who they are as
// surely as it asks.
const UnmetACR = "The user cannot sign in in the way that the application asks for."

// flowMetadata is what the metadata says of how people sign in.
type flowMetadata struct {
	ACRValues []string `json:"acr_values_supported"`
}

func acrValues() (names []string) {
	for _, l := range ladder {
		names = append(names, l.names...)
	}
	return names
}

// rungOf returns the rung that an acr names, 0 for a name that is not known.
func rungOf(acr string) Assurance {
	for _, l := range ladder {
		if slices.Contains(l.names, acr) {
			return l.rung
		}
	}
	return 0
}

// Reached returns how surely someone has proved who they are by methods of
// RFC 8176.
func Reached(methods []string) Assurance {
	switch {
	case slices.Contains(methods, "pop"):
		return ByPasskey
	case slices.Contains(methods, "mfa"):
		return ByTwoFactors
	}
	return ByPassword
}

// Wanted returns the first rung that the request asks for and that someone who
// can reach most is able to climb: 0 if it asks for none, or for none of those.
func (r *Request) Wanted(most Assurance) Assurance {
	for _, acr := range r.ACR {
		if rung := rungOf(acr); rung != 0 && rung <= most {
			return rung
		}
	}
	return 0
}

// meets says whether methods reach one of the contexts that are asked for.
func meets(asked, methods []string) bool {
	r := Request{ACR: asked}
	return r.Wanted(Reached(methods)) != 0
}

// reached returns the acr that methods have earned: the first of those asked
// for that they reach, otherwise their own rung. More than was asked is never
// said under a name that was not asked for, and less never passes for more.
func reached(asked, methods []string) string {
	got := Reached(methods)
	for _, acr := range asked {
		if rung := rungOf(acr); rung != 0 && rung <= got {
			return acr
		}
	}
	return ladder[got-1].names[0]
}

// checkACR reads the authentication contexts that are asked for, unless the
// claims parameter has named some: by acr_values, or by what the client has
// registered.
func (p *Provider) checkACR(_ context.Context, client *storage.Client, r *Request, form url.Values) *Refusal {
	switch {
	case len(r.ACR) > 0:
	case form.Get("acr_values") != "":
		r.ACR = strings.Fields(form.Get("acr_values"))
	default:
		r.ACR = client.Options.DefaultACR
	}
	return nil
}
