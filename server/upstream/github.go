package upstream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/provider"
	"authy/storage"
)

// gitHubPage is how many of a list come at once, at most.
const gitHubPage = 100

// gitHub speaks OAuth 2.0 with GitHub, which knows no OpenID Connect for people:
// who somebody is stands in its REST API.
type gitHub struct {
	*Service
	p *storage.Provider
}

// issuer is GitHub itself, or a server of GitHub Enterprise.
func (g *gitHub) issuer() string { return strings.TrimSuffix(g.p.Issuer, "/") }

// api is where the REST API is: beside github.com and the hosts of ghe.com, and within
// a server of one's own.
func (g *gitHub) api() string {
	u, err := url.Parse(g.issuer())
	if err == nil && (u.Host == "github.com" || strings.HasSuffix(u.Host, ".ghe.com")) {
		return "https://api." + u.Host
	}
	return g.issuer() + "/api/v3"
}

func (g *gitHub) begin(_ context.Context, now time.Time, ask provider.Ask) (*provider.Request, error) {
	if err := g.ask.Check(g.issuer()); err != nil {
		return nil, unanswered(err)
	}
	trip := newTrip(now, ask)
	query := codeRequest(g.p, ask, &trip, g.scopes())
	if ask.LoginHint != "" {
		query.Set("login", ask.LoginHint)
	}
	address, err := with(g.issuer()+"/login/oauth/authorize", query)
	if err != nil {
		return nil, err
	}
	return &provider.Request{URL: address, Trip: trip}, nil
}

func (g *gitHub) scopes() []string {
	if len(g.p.Options.Scopes) > 0 {
		return g.p.Options.Scopes
	}
	if g.p.Options.Groups != "" {
		return []string{"read:user", "user:email", "read:org"}
	}
	return []string{"read:user", "user:email"}
}

func (g *gitHub) finish(
	ctx context.Context, _ time.Time, trip provider.Trip, answer url.Values,
) (*provider.Statement, error) {
	if err := unambiguous(answer); err != nil {
		return nil, err
	}
	// GitHub names itself by RFC 9207 as the server of its OAuth, if at all.
	if iss := answer.Get("iss"); answer.Has("iss") && iss != g.issuer() && iss != g.issuer()+"/login/oauth" {
		return nil, provider.Refuse(provider.Untrue, "wrong_answer_issuer", fmt.Errorf("the answer is from %.200q", iss))
	}
	code, err := codeOf(answer)
	if err != nil {
		return nil, err
	}
	to := tokenEndpoint{url: g.issuer() + "/login/oauth/access_token", method: provider.AuthPost}
	members, err := g.exchange(ctx, g.p, to, trip, code)
	if err != nil {
		return nil, err
	}
	access := text(members, "access_token")
	s, err := g.user(ctx, access)
	if err != nil {
		return nil, err
	}
	if s.Email, err = g.email(ctx, access); err != nil {
		return nil, err
	}
	s.EmailVerified = s.Email != ""
	if g.p.Options.Groups != "" {
		s.Groups, err = g.groups(ctx, access)
	}
	return s, cmp.Or(err, bounded(s))
}

// user says who somebody is: the number, which stays when the name is given to
// somebody else.
func (g *gitHub) user(ctx context.Context, access string) (*provider.Statement, error) {
	var user struct {
		ID     json.Number `json:"id"`
		Login  string      `json:"login"`
		Name   string      `json:"name"`
		Avatar string      `json:"avatar_url"`
	}
	if err := g.read(ctx, "/user", access, &user); err != nil {
		return nil, err
	}
	id, err := strconv.ParseInt(user.ID.String(), 10, 64)
	if err != nil || id < 1 {
		return nil, provider.Refuse(provider.Untrue, "bad_subject", err)
	}
	return &provider.Statement{
		Issuer: g.issuer(), Subject: strconv.FormatInt(id, 10),
		Name: cmp.Or(line(user.Name), line(user.Login)), Picture: picture(user.Avatar),
	}, nil
}

// email returns the address that is verified and the first, which /user hides where
// the person wants it hidden; "" if there is none or the app may not see it.
func (g *gitHub) email(ctx context.Context, access string) (string, error) {
	var emails []struct {
		Email    string `json:"email"`
		Primary  bool   `json:"primary"`
		Verified bool   `json:"verified"`
	}
	err := g.read(ctx, "/user/emails?per_page="+strconv.Itoa(gitHubPage), access, &emails)
	if errors.Is(err, errForbidden) {
		return "", nil
	}
	for _, e := range emails {
		if e.Primary && e.Verified {
			return address(e.Email), err
		}
	}
	return "", err
}

// groups returns the organizations of somebody, as "acme", and their teams, as
// "acme/developers".
func (g *gitHub) groups(ctx context.Context, access string) ([]string, error) {
	type organization struct {
		Login string `json:"login"`
	}
	orgs, err := pages[organization](ctx, g, "/user/orgs", access)
	if err != nil {
		return nil, err
	}
	teams, err := pages[struct {
		Slug         string       `json:"slug"`
		Organization organization `json:"organization"`
	}](ctx, g, "/user/teams", access)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, org := range orgs {
		out = append(out, value(org.Login))
	}
	for _, team := range teams {
		out = append(out, value(team.Organization.Login+"/"+team.Slug))
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(name string) bool { return name == "" || name == "/" }), nil
}

// pages reads a whole list. One that cannot be had is an error: without it a
// person would lose roles.
func pages[T any](ctx context.Context, g *gitHub, path, access string) (all []T, err error) {
	for page := 1; ; page++ {
		var some []T
		err := g.read(ctx, fmt.Sprintf("%s?per_page=%d&page=%d", path, gitHubPage, page), access, &some)
		if errors.Is(err, errForbidden) {
			return nil, provider.Refuse(provider.Misconfigured, "groups_not_allowed", err)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < gitHubPage {
			return all, nil
		}
		if len(all) > maxGroups {
			return nil, tooManyGroups(fmt.Errorf("%s goes on after %d", path, len(all)))
		}
	}
}

// errForbidden says that an app may not see something: GitHub answers 403 or 404.
var errForbidden = errors.New("GitHub does not show it to the app")

// read reads a document of the REST API.
func (g *gitHub) read(ctx context.Context, path, access string, into any) error {
	answer, err := g.fetch(ctx, g.api()+path, access, http.Header{
		"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {"2022-11-28"},
	})
	if err != nil {
		return err
	}
	switch answer.Status {
	case http.StatusOK:
		if err := json.Unmarshal(answer.Body, into); err != nil {
			return provider.Refuse(provider.Untrue, "bad_userinfo", err)
		}
		return nil
	case http.StatusForbidden, http.StatusNotFound:
		return provider.Refuse(provider.Misconfigured, "userinfo_refused", fmt.Errorf("%s: %w", path, errForbidden))
	}
	kind := provider.Untrue
	if answer.Status >= 500 || answer.Status == http.StatusTooManyRequests {
		kind = provider.Unreachable
	}
	return provider.Refuse(kind, "userinfo_refused", fmt.Errorf("%s answered %d", path, answer.Status))
}

// logout: GitHub has no place for it.
func (*gitHub) logout(context.Context, time.Time, string, string) (*provider.Request, error) {
	return nil, nil //nolint:nilnil // which is what Logout documents
}
