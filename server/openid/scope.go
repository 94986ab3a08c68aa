package openid

import "slices"

// scopes are the scopes that speak of a user, in words.
var scopes = []Scope{
	{"openid", "Know who you are", "An identifier of your account, and nothing else.", false},
	{"profile", "See your name and picture", "And what else your profile says, such as your birthday or language.", false},
	{"email", "See your email address", "And whether it has been verified.", false},
	{"phone", "See your phone number", "If your profile has one.", false},
	{"address", "See your postal address", "If your profile has one.", false},
	{"offline_access", "Stay connected", "Also while you are not using it, until you take that back.", false},
	{"groups", "See your organizations", "The names of the organizations you belong to, and your role in each.", false},
	{"roles", "See your organizations and roles", "Which organizations you belong to, and as what.", false},
}

// Scope is a scope in words for the person who is asked.
type Scope struct {
	Name, Title, Detail string
	Own                 bool // one of an application's own, of which nothing is known here
}

// Scopes are those that there are words for.
func Scopes() []Scope { return slices.Clone(scopes) }

// ownDetail is all that is known of a scope of an application's own.
const ownDetail = "A permission of the app's own."

// Describe returns a scope in words.
func Describe(name string) Scope {
	i := slices.IndexFunc(scopes, func(s Scope) bool { return s.Name == name })
	if i < 0 {
		return Scope{name, "Use " + name, ownDetail, true}
	}
	return scopes[i]
}

// isPersonal says whether a scope speaks of a user.
func isPersonal(scope string) bool {
	return slices.ContainsFunc(scopes, func(s Scope) bool { return s.Name == scope })
}

// scopeNames are the scopes that speak of a user.
func scopeNames() []string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = s.Name
	}
	return names
}
