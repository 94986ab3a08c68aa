package registry

import (
	"context"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/storage"
)

// DraftImport returns the record of a client of another server, checked and not kept, and
// what of it was left out or is otherwise here. It keeps the hash of its secret, which is
// one of bcrypt ([account.HashProblem]), or "" for a public client. The error says, field by
// field, what stands against the whole of it.
func (s *Service) DraftImport(
	ctx context.Context, in Registration, hash string, now time.Time,
) (c *Client, notes []string, err error) {
	in, notes = in.fit(hash == "")
	if hash != "" {
		in.Secret = newSecret() // nobody's: the hash stands in its place
	}
	if c, err = s.draft(ctx, in, now); err != nil {
		return nil, notes, err
	}
	c.SecretHash = hash
	return c, notes, nil
}

// fit returns in without what this server would refuse, and says what that was.
func (in Registration) fit(public bool) (Registration, []string) {
	var notes []string
	left := func(what, name, why string) { notes = append(notes, "left out "+what+" "+shown(name)+": "+why) }
	keep := func(what string, values []string, problem func(string) string) []string {
		return slices.DeleteFunc(slices.Clone(values), func(v string) bool {
			why := problem(v)
			if why != "" {
				left(what, v, why)
			}
			return why != ""
		})
	}
	in.RedirectURIs = keep("redirect URI", in.RedirectURIs, redirectProblem)
	in.GrantTypes = keep("grant type", in.GrantTypes, func(g string) string { return grantProblem(g, public) })
	in.ResponseTypes = keep("response type", in.ResponseTypes, func(r string) string { return oneOf(r, "code") })
	in.Scopes = keep("scope", in.Scopes, func(s string) string { return scopesProblem([]string{s}) })
	for what, uri := range map[string]*string{
		"logo": &in.LogoURI, "home page": &in.ClientURI, "policy": &in.PolicyURI, "terms": &in.TOSURI,
	} {
		if why := pageProblem(*uri); why != "" {
			left(what, *uri, why)
			*uri = ""
		}
	}
	normal := Defaults()
	for what, lifetime := range map[string][2]*time.Duration{
		"access token":  {&in.AccessTokenLifetime, &normal.AccessTokenLifetime},
		"refresh token": {&in.RefreshTokenLifetime, &normal.RefreshTokenLifetime},
		"ID token":      {&in.IDTokenLifetime, &normal.IDTokenLifetime},
	} {
		if lifetimeProblem(*lifetime[0]) != "" {
			notes = append(notes, "its "+what+" lives "+lifetime[1].String()+", as is usual: its own lifetime cannot be")
			*lifetime[0] = *lifetime[1]
		}
	}
	if slices.ContainsFunc(in.RedirectURIs, func(u string) bool { return !strings.HasPrefix(u, "http") }) {
		in.ApplicationType = "native"
	}
	switch {
	case in.RequirePKCE:
	case public:
		notes = append(notes, "needs PKCE here: it has no secret")
	default:
		in.Options.Profile = Legacy
		notes = append(notes, "goes without PKCE as before, by the profile legacy; if it sends a challenge, set "+
			"the profile "+OAuth21+" and require PKCE")
	}
	slices.Sort(notes)
	return in, notes
}

func grantProblem(grant string, public bool) string {
	if grant == Implicit {
		return "tokens come for a code here"
	}
	return grantsProblem([]string{grant}, public)
}

// Import keeps a client of [Service.DraftImport], in tx; source is what its server is called.
func (s *Service) Import(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, source string, c *Client,
) error {
	if by.Kind != audit.Operator {
		return ErrForbidden
	}
	event := clientEvent("client.created", c, withRelaxed(map[string]string{"source": source}, c))
	event.Reason = "imported"
	return insert(ctx, tx, by, now, c, event)
}
