package openid

import "slices"

// scopes are the scopes that speak of a user, in words.
var scopes = []Scope{
	{"openid", "Know who you are", "An identifier of your account, and nothing else."},
	{"profile", "Your name and picture", "And what else your profile says, such as a nickname, birthday or language."},
	{"email", "Your e-mail address", "And whether it has been verified."},
	{"phone", "Your phone number", "If your profile has one."},
	{"address", "Your postal address", "If your profile has one."},
	{"offline_access", "Stay connected", "Also while you are not using the app, until you take it back."},
	{"groups", "Your organizations", "The names of the organizations you belong to, and your role in each."},
	{"roles", "Your organizations and roles", "Which organizations you belong to, and as what."},
}

// Scope is a scope in words for the person who is asked.
type Scope struct{ Name, Title, Detail string }

// Describe returns a scope in words.
func Describe(name string) Scope {
	i := slices.IndexFunc(scopes, func(s Scope) bool { return s.Name == name })
	if i < 0 {
		return Scope{Name: name, Title: "Use " + name, Detail: "A permission of the app's own."}
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
