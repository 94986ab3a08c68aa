package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/registry"
	"authy/storage"
)

const (
	// oldSecret is how long a secret may be in use, unused how long a client may not be.
	oldSecret, unused = 2 * 365 * 24 * time.Hour, 180 * 24 * time.Hour
	// recent is how long ago a failure still counts: as long as refusals are kept.
	recent = time.Hour
	// mostRead is how many records of a kind are looked at, mostSaid how many refusals
	// are told of.
	mostRead, mostSaid = 100, 5
)

// Patient is a relying party that was examined.
type Patient struct {
	Client   *registry.Client
	LastUsed time.Time // zero where nothing is known of a use
	Findings []Finding
}

// ExamineClient returns, to who administers the server, what is wrong with the settings of
// a relying party. [registry.ErrNoClient] if there is none.
func (s *Service) ExamineClient(ctx context.Context, by audit.Actor, clientID string) (*Patient, error) {
	c, err := s.Clients.Of(ctx, by, "", clientID)
	if err != nil {
		return nil, err
	}
	if by.Kind == audit.User {
		if err := s.Limits.Count(ctx, perAsker, by.ID); err != nil {
			return nil, err
		}
	}
	p := &Patient{Client: c}
	if p.LastUsed, err = s.lastUsed(ctx, c); err != nil {
		return nil, err
	}
	checks := []check{
		{"client", func(context.Context) ([]Finding, error) { return s.client(c), nil }},
		{"access", func(ctx context.Context) ([]Finding, error) { return s.access(ctx, c) }},
		{"refused", func(ctx context.Context) ([]Finding, error) { return s.refused(ctx, by, p) }},
		{"secret", func(ctx context.Context) ([]Finding, error) { return s.secret(ctx, p) }},
		{"unused", func(context.Context) ([]Finding, error) { return forgotten(p, time.Now()), nil }},
		{"algorithm", func(ctx context.Context) ([]Finding, error) { return s.algorithms(ctx, c) }},
		{"keys", func(ctx context.Context) ([]Finding, error) { return s.keys(ctx, c) }},
		{"backchannel_logout_uri", func(ctx context.Context) ([]Finding, error) { return s.logout(ctx, c) }},
	}
	p.Findings = run(ctx, append(checks, s.addresses(c)...))
	return p, ctx.Err()
}

// note is a finding about a client. Only the command line has it.
func note(name, text string, args ...any) Finding {
	said := strings.Join(strings.Fields(fmt.Sprintf(text, args...)), " ")
	return Finding{Name: name, Text: "%s", Args: []string{audit.Cut(said, 600)}}
}

// client looks at what is kept of a client by itself.
func (s *Service) client(c *registry.Client) (found []Finding) {
	id := c.ClientID
	if !c.IsActive {
		found = append(found, note("disabled", "The client is disabled, so that nobody can sign in with it: "+
			"'authy client enable %s'.", id))
	}
	if !c.ExpiresAt.IsZero() {
		found = append(found, note("expires", "The client has registered itself, nobody has used it, and it is deleted at %s "+
			"unless somebody does.", moment(c.ExpiresAt.Time)))
	}
	problems := registry.Problems(c)
	for _, field := range slices.Sorted(maps.Keys(problems)) {
		found = append(found, note(field, "By the rules of today this is not right: %s. 'authy client update %s' changes it.",
			strings.TrimSuffix(strings.Join(problems[field], " "), "."), id))
	}
	found = append(found, s.grants(c)...)
	if c.SkipConsent && registry.IsDynamic(c) {
		found = append(found, note("consent", "The client has registered itself, and nobody is asked whether it may have their data: "+
			"'authy client update %s' has them asked.", id))
	}
	return found
}

// grants looks at whether what a client may ask for goes together.
func (s *Service) grants(c *registry.Client) (found []Finding) {
	coded := slices.Contains(c.GrantTypes, "authorization_code") || slices.Contains(c.GrantTypes, registry.DeviceCode)
	refreshes, offline := slices.Contains(c.GrantTypes, "refresh_token"), slices.Contains(c.Scopes, "offline_access")
	switch {
	case slices.Contains(c.GrantTypes, registry.Implicit) && !s.Config.Config.OpenID.Implicit:
		found = append(found, note("grant_types", "The client is registered for the grant implicit, and openid.implicit is false: "+
			"its requests are refused. Have the application use the code flow."))
	case len(c.GrantTypes) == 0:
		found = append(found, note("grant_types", "The client has no grant, and can get no token: 'authy client update %s' gives it one.",
			c.ClientID))
	case coded && refreshes && !offline:
		found = append(found, note("scopes", "The client may refresh tokens, but never gets a refresh token: the scope "+
			"offline_access is missing (OpenID Connect Core 1.0, section 11)."))
	case coded && offline && !refreshes:
		found = append(found, note("grant_types", "The client may ask for offline_access, but never gets a refresh token: the grant "+
			"refresh_token is missing (OpenID Connect Core 1.0, section 11)."))
	}
	if slices.Contains(c.GrantTypes, "authorization_code") && !slices.Contains(c.Scopes, "openid") {
		found = append(found, note("scopes", "The client may not ask for openid, and so gets no ID token: it learns nobody's name "+
			"(OpenID Connect Core 1.0, section 3.1.2.1)."))
	}
	return found
}

// access looks at whether anybody may use a client.
func (s *Service) access(ctx context.Context, c *registry.Client) ([]Finding, error) {
	if len(c.Allowed) == 0 {
		return []Finding{note("access", "Nobody may use the client: say who by 'authy client update %s --allow'.", c.ClientID)}, nil
	}
	if c.OrganizationID == "" {
		return nil, nil
	}
	home, err := s.DB.Organization(ctx, string(c.OrganizationID))
	if err != nil {
		return nil, fmt.Errorf("look its organization up: %w", err)
	}
	if !home.IsActive {
		return []Finding{note("organization", "The organization %s, whose client it is, is disabled: nobody can sign in with it. "+
			"'authy org enable %[1]s'.", home.Slug)}, nil
	}
	if slices.Contains(c.Allowed, registry.AllowEveryone) {
		return nil, nil
	}
	return s.admitted(ctx, c, home)
}

// admitted looks at whether an organization has somebody who may use its client.
func (s *Service) admitted(ctx context.Context, c *registry.Client, home *storage.Organization) ([]Finding, error) {
	for _, who := range c.Allowed {
		role, _ := strings.CutPrefix(who, registry.AllowRole)
		if who == registry.AllowOrganization {
			role = "" // any
		}
		members, _, err := s.DB.MembersAs(ctx, home.ID, storage.Role(role), "", 1)
		if err != nil {
			return nil, fmt.Errorf("look its members up: %w", err)
		}
		if len(members) > 0 {
			return nil, nil
		}
	}
	return []Finding{note("access", "Only %s may use the client, and the organization %s has no such member: add one, or change "+
		"who may by 'authy client update %s --allow'.", strings.Join(c.Allowed, ", "), home.Slug, c.ClientID)}, nil
}

// secret looks at what a client proves itself with, and whether it lately failed to.
func (s *Service) secret(ctx context.Context, p *Patient) (found []Finding, err error) {
	c := p.Client
	has := c.SecretHash != "" || c.SealedSecret != ""
	switch wants := !registry.IsPublic(c) && c.AuthMethod != registry.AuthPrivateKey; {
	case wants && !has:
		found = append(found, note("secret", "The client is to prove itself with a secret and has none: 'authy client rotate-secret %s'.",
			c.ClientID))
	case wants:
		since, err := s.secretSince(ctx, c)
		if err != nil {
			return nil, err
		}
		if time.Since(since) > oldSecret {
			found = append(found, note("secret", "The secret is in use since %s: replace it by 'authy client rotate-secret %s'; the old "+
				"one works beside it for a while.", moment(since), c.ClientID))
		}
	}
	failed, err := s.DB.EventsMatching(ctx, storage.EventFilter{
		Action: "client.auth_failed", Target: c.ClientID, From: time.Now().Add(-recent),
	}, storage.EventKey{}, mostRead)
	if err != nil {
		return found, fmt.Errorf("look up whether it failed to prove itself: %w", err)
	}
	if len(failed) > 0 && failed[0].At.After(p.LastUsed) {
		found = append(found, note("authentication", "The client could not prove itself at the token endpoint, %s times within the last "+
			"hour (%s): does the application have the secret or key, and send it as %s?", strconv.Itoa(len(failed)), failed[0].Reason,
			methodOf(c)))
	}
	return found, nil
}

func methodOf(c *registry.Client) string {
	if c.AuthMethod == "" {
		return registry.AuthBasic + " or " + registry.AuthPost
	}
	return c.AuthMethod
}

// secretSince returns since when a client has its secret.
func (s *Service) secretSince(ctx context.Context, c *registry.Client) (time.Time, error) {
	turned, err := s.DB.EventsMatching(ctx, storage.EventFilter{Action: "client.secret_rotated", Target: c.ClientID}, storage.EventKey{}, 1)
	if err != nil {
		return time.Time{}, fmt.Errorf("look up when its secret was replaced: %w", err)
	}
	if len(turned) > 0 {
		return turned[0].At.Time, nil
	}
	return c.CreatedAt.Time, nil
}

// uses are the actions of a client that got what it wanted.
var uses = []string{"authorize.granted", "token.issued", "consent.given"}

// lastUsed returns when a client was last used with success, as far as it is recorded.
func (s *Service) lastUsed(ctx context.Context, c *registry.Client) (last time.Time, err error) {
	for _, action := range uses {
		events, err := s.DB.EventsMatching(ctx, storage.EventFilter{
			Action: action, Target: c.ClientID, Outcome: audit.Success,
		}, storage.EventKey{}, 1)
		if err != nil {
			return last, fmt.Errorf("look up the last use of client %s: %w", c.ClientID, err)
		}
		if len(events) > 0 && events[0].At.After(last) {
			last = events[0].At.Time
		}
	}
	return last, nil
}

// forgotten says that nobody uses a client.
func forgotten(p *Patient, now time.Time) []Finding {
	since := p.LastUsed
	if since.IsZero() {
		since = p.Client.CreatedAt.Time
	}
	if !p.Client.IsActive || now.Sub(since) < unused {
		return nil
	}
	return []Finding{note("unused", "Nobody has signed in with the client since %s: 'authy client disable %s' if it is not needed "+
		"any more.", moment(since), p.Client.ClientID)}
}

// refused says why requests of a client were lately refused, where it has not been mended.
func (s *Service) refused(ctx context.Context, by audit.Actor, p *Patient) (found []Finding, err error) {
	all, err := s.Clients.Refusals(ctx, by, "", p.Client.ClientID)
	if errors.Is(err, registry.ErrNoClient) {
		return nil, nil // it was deleted meanwhile
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, r := range all {
		key := r.Code + "\n" + r.Parameter + "\n" + r.Sent
		if seen[key] || mended(p, &r) || len(found) == mostSaid {
			continue
		}
		seen[key] = true
		found = append(found, refusal(p.Client, &r))
	}
	return found, nil
}

// mended says whether a request would not be refused any more, or the client has been used
// since.
func mended(p *Patient, r *registry.Refusal) bool {
	if r.Parameter == "redirect_uri" && r.Sent != "" {
		return registry.Matches(p.Client, r.Sent)
	}
	return p.LastUsed.After(r.At)
}

func refusal(c *registry.Client, r *registry.Refusal) Finding {
	if r.Parameter == "redirect_uri" && r.Sent != "" {
		nearest := "none"
		if len(r.Registered) > 0 {
			nearest = r.Registered[0]
		}
		return note("redirect_uri", "The application sent the redirect URI %s, which is not registered (nearest: %s): correct it there, "+
			"or register it, letter by letter, by 'authy client update %s --redirect-uri'.", r.Sent, nearest, c.ClientID)
	}
	what := r.Code
	if r.Parameter != "" {
		what += ", " + r.Parameter
	}
	return note("refused", "A request was refused at %s (%s): %s 'authy client errors %s' has all of them.",
		moment(r.At), what, r.Description, c.ClientID)
}
