package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/steady"
	"authy/storage"
)

// Whether clients may register themselves (RFC 7591).
const (
	RegistrationOff   = "off"
	RegistrationToken = "token" // with an initial access token
	RegistrationOpen  = "open"  // whoever asks
)

// DynamicPolicy says whether clients may register themselves, and as what.
type DynamicPolicy struct {
	Mode    string // [RegistrationOff], also if it is "", or another
	Profile string // of clients whose token names none; "" for [OAuth21]
	// Limits counts registrations; nil counts none.
	Limits *limit.Limits
}

// Enabled says whether any client may register itself.
func (p DynamicPolicy) Enabled() bool {
	return p.Mode == RegistrationToken || p.Mode == RegistrationOpen
}

// unusedLifetime is how long a client that whoever came has registered is kept
// without being used.
const unusedLifetime = 30 * 24 * time.Hour

// dynamicRule is how many clients one address may register, and managingRule how
// often it may try to manage one.
var (
	dynamicRule  = limit.Rule{Name: "client-registration", Most: 30, Window: 15 * time.Minute}
	managingRule = limit.Rule{Name: "client-management", Most: 60, Window: 15 * time.Minute}
)

// What clients that manage themselves are refused.
var (
	ErrDynamicToken = fault.New(fault.Unauthenticated, "invalid_token", "The access token is missing or not good for this.")
	ErrDynamicOff   = fault.New(fault.Forbidden, "client_disabled", "The client is disabled.")
	// ErrDynamicManaged is [managed.ErrManaged] for a client, whom the name of the file does
	// not concern.
	ErrDynamicManaged = fault.New(fault.Forbidden, "managed_by_file",
		"The administrators of this server set this client in a file, in which alone it is changed and removed.")
)

// DynamicScopes are those that clients that register themselves may have: what
// tells who somebody is, and nothing of what an organization has.
var DynamicScopes = []string{
	"openid", "profile", "email", "address", "phone", "offline_access", "roles", "groups",
}

// notDynamic are grants by which a client acts without a user before it. Those
// who register themselves have nobody who answers for that.
var notDynamic = []string{"client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"}

// IsDynamic says whether c has registered itself.
func IsDynamic(c *Client) bool { return c.RegistrationHash != "" }

// Enrolled is a client that has registered itself, with what is shown once.
type Enrolled struct {
	Client *Client
	Secret string // "" for a client without
	Token  string // its registration access token (RFC 7592)
}

// Enroll registers a client as it describes itself, which shows an initial
// access token, or "" for none. The server alone decides on its client_id,
// secret, profile, organization and scopes. [ErrDynamicToken] for a
// token that is not good, or missing where one is needed.
func (s *Service) Enroll(ctx context.Context, by audit.Actor, token string, in Registration) (*Enrolled, error) {
	if err := s.Dynamic.Limits.Count(ctx, dynamicRule, limit.Network(by.IPAddress)); err != nil {
		return nil, err
	}
	now := steady.Now()
	initial, err := s.initial(ctx, token, now)
	if err != nil {
		return nil, err
	}
	in = s.ofDynamic(in, initial)
	in.ClientID, in.Secret = strings.ToLower(rand.Text()), ""
	if in.Name == "" {
		in.Name = in.ClientID
	}
	if hasSecret(in.AuthMethod) {
		in.Secret = newSecret()
	}
	if err := fault.Fields(in.dynamicProblems()); err != nil {
		return nil, err
	}
	c, err := s.draft(ctx, in, now)
	if err != nil {
		return nil, err
	}
	out := &Enrolled{c, in.Secret, newSecret()}
	c.RegistrationHash = storage.Hash(out.Token)
	if initial == nil {
		c.ExpiresAt = storage.At(now.Add(unusedLifetime))
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error { return s.enroll(ctx, tx, by, now, c, initial) })
	if err != nil {
		return nil, err
	}
	slog.InfoContext(ctx, "a client has registered itself", "client_id", c.ClientID, "open", initial == nil)
	warnOfRelaxations(ctx, c)
	return out, nil
}

// enroll keeps c in tx, and takes one use of its token, which may have been used
// up or ended meanwhile.
func (s *Service) enroll(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, c *Client, initial *InitialToken,
) error {
	details := map[string]string{"dynamic": "true"}
	if initial != nil {
		err := tx.UseRegistrationToken(ctx, initial.Hash, now)
		if errors.Is(err, storage.ErrNotFound) {
			return ErrDynamicToken
		}
		if err != nil {
			return fmt.Errorf("use registration token %s: %w", initial.ID, err)
		}
		details["registration_token"] = initial.ID
	}
	return insert(ctx, tx, by, now, c, clientEvent("client.registered", c, withRelaxed(details, c)))
}

// initial returns the initial access token that was shown, nil for none where
// none is needed.
func (s *Service) initial(ctx context.Context, token string, now time.Time) (*InitialToken, error) {
	switch {
	case !s.Dynamic.Enabled(), token == "" && s.Dynamic.Mode != RegistrationOpen:
		return nil, ErrDynamicToken
	case token == "":
		return nil, nil
	}
	t, err := s.db.RegistrationToken(ctx, storage.Hash(token))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, ErrDynamicToken
	case err != nil:
		return nil, fmt.Errorf("look a registration token up: %w", err)
	case t.UsesLeft < 1 || !now.Before(t.ExpiresAt.Time):
		return nil, ErrDynamicToken
	}
	return t, nil
}

// ofDynamic is a registration with what the server decides on.
func (s *Service) ofDynamic(in Registration, initial *InitialToken) Registration {
	in.Options.Profile, in.OrganizationID = s.Dynamic.Profile, ""
	if initial != nil {
		in.OrganizationID = string(initial.OrganizationID)
		if initial.Profile != "" {
			in.Options.Profile = initial.Profile
		}
	}
	in.RequirePKCE = in.Options.Profile != Legacy
	return in.asDynamic()
}

// asDynamic takes from a registration what no client decides on for itself.
func (in Registration) asDynamic() Registration {
	d := Defaults()
	in.SkipConsent, in.Disabled, in.Allowed = false, false, d.Allowed
	in.AccessTokenLifetime, in.RefreshTokenLifetime, in.IDTokenLifetime =
		d.AccessTokenLifetime, d.RefreshTokenLifetime, d.IDTokenLifetime
	in.Options.CodeLifetime = 0
	// It was written against the specification, which has the claims of scopes at
	// userinfo (OpenID Connect Core 1.0, section 5.4).
	in.Options.LeanIDToken = true
	in.Scopes = dynamicScopes(in.Scopes, has(in.GrantTypes, "refresh_token"))
	return in
}

// dynamicScopes are those of asked that a client may have, all if it asked for
// none. Without refresh tokens there is no offline_access, and with them it is
// what brings them.
func dynamicScopes(asked []string, refreshes bool) (scopes []string) {
	for _, scope := range DynamicScopes {
		if scope == "offline_access" && refreshes || scope != "offline_access" && (len(asked) == 0 || has(asked, scope)) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// dynamicProblems says what a client that registers itself may not have.
func (in Registration) dynamicProblems() map[string][]string {
	problems := map[string][]string{}
	if slices.ContainsFunc(in.GrantTypes, func(grant string) bool { return has(notDynamic, grant) }) {
		problems["grant_types"] = []string{"A client that registers itself acts for users alone."}
	}
	if len(in.Scopes) == 0 || slices.Equal(in.Scopes, []string{"offline_access"}) {
		problems["scope"] = []string{"It may have: " + strings.Join(DynamicScopes, ", ") + "."}
	}
	return problems
}
