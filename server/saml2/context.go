package saml2

import (
	"slices"

	"github.com/beevik/etree"
)

// How surely somebody has proved who they are, as a rung of a ladder: by a password, by
// two factors, by a passkey. server/openid has the same ladder under the names of acr.
const (
	byPassword = iota + 1
	byTwoFactors
	byPasskey
)

const (
	classPrefix = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
	// classPassword is what most services ask for.
	classPassword = classPrefix + "PasswordProtectedTransport"
)

// classes are the authentication contexts that are known, by rung; the first of a rung is
// what is said where nothing else was asked for.
var classes = []struct {
	rung  int
	names []string
}{
	{byPassword, []string{
		classPassword, classPrefix + "unspecified", classPrefix + "Password",
		"https://refeds.org/profile/sfa", "urn:authy:acr:password",
	}},
	{byTwoFactors, []string{
		"https://refeds.org/profile/mfa", "http://schemas.microsoft.com/claims/multipleauthn", "urn:authy:acr:mfa",
	}},
	{byPasskey, []string{"urn:authy:acr:passkey", "phr"}},
}

// Wanted is which authentication contexts a service asks for (SAML core, section
// 3.3.2.2.1).
type Wanted struct {
	Names      []string `json:"names,omitempty"`
	Comparison string   `json:"comparison,omitempty"`
}

// maxContexts is how many a request may name.
const maxContexts = 32

// wanted reads RequestedAuthnContext. It is false for one that nobody can meet.
func wanted(el *etree.Element) (w Wanted, known bool) {
	if el == nil {
		return w, true
	}
	w.Comparison = attr(el, "Comparison")
	if w.Comparison == "" {
		w.Comparison = "exact"
	}
	for _, ref := range children(el, nsAssertion, "AuthnContextClassRef") {
		if rungOf(text(ref)) != 0 && len(w.Names) < maxContexts {
			w.Names = append(w.Names, text(ref))
		}
	}
	if w.Comparison == "better" && w.lowest() == byPasskey {
		return w, false
	}
	return w, len(w.Names) > 0 && slices.Contains([]string{"exact", "minimum", "maximum", "better"}, w.Comparison)
}

func rungOf(name string) int {
	for _, c := range classes {
		if slices.Contains(c.names, name) {
			return c.rung
		}
	}
	return 0
}

// lowest is the lowest rung that is named.
func (w Wanted) lowest() int {
	rung := byPasskey
	for _, name := range w.Names {
		rung = min(rung, rungOf(name))
	}
	return rung
}

// Rungs are the rungs that will do, the one that is liked best first; nil for any.
func (w Wanted) Rungs() (rungs []int) {
	switch w.Comparison {
	case "exact":
		for _, name := range w.Names {
			rungs = append(rungs, rungOf(name))
		}
	case "minimum":
		return []int{w.lowest()}
	case "better":
		return []int{w.lowest() + 1}
	}
	return rungs
}

// said is the context that is stated of somebody who has reached a rung: never more than
// that, and under a name that was asked for where one had to be.
func (w Wanted) said(reached int) string {
	if w.Comparison == "exact" || w.Comparison == "maximum" {
		for _, name := range w.Names {
			if rungOf(name) <= reached {
				return name
			}
		}
	}
	return classes[reached-1].names[0]
}
