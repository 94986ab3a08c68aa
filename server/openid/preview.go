package openid

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// ErrOthers says that somebody else's tokens are not to be looked at.
var ErrOthers = fault.New(fault.Forbidden, "others_tokens", "You can look at yourself alone.")

// Preview is what a client would get of a user who signed in to it now, and whether the
// user may at all.
type Preview struct {
	UserID, Name, Email string
	Verdict             Verdict
	Claims              *Claims
}

// Preview looks at a user, by id or address, through a client of an organization; orgID is ""
// for any client, for who administers the server. Those who manage the clients of
// an organization see themselves alone: what a profile holds is not theirs to read. "" is
// whoever asks. Nothing is signed, and nothing kept. [ErrOthers] for somebody
// else, [ErrNoUser] for nobody.
func (p *Provider) Preview(ctx context.Context, by audit.Actor, orgID, clientID, who string) (*Preview, error) {
	client, err := p.clients.Of(ctx, by, orgID, clientID)
	if err != nil {
		return nil, err
	}
	user, err := p.previewed(ctx, by, strings.TrimSpace(who))
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	out := &Preview{UserID: user.ID, Name: user.FullName, Email: user.Email}
	if out.Verdict, err = p.access(ctx, p.db.Reader, user, client, now); err != nil {
		return nil, fmt.Errorf("access of %s to %s: %w", user.ID, client.ClientID, err)
	}
	out.Claims, err = p.claimsFor(ctx, now, user, client, "")
	return out, err
}

// previewed returns the user that by may look at.
func (p *Provider) previewed(ctx context.Context, by audit.Actor, who string) (*storage.User, error) {
	may, err := by.Administers(ctx, p.db.Reader)
	if err != nil {
		return nil, err
	}
	if who == "" {
		who = by.ID
	}
	var user *storage.User
	switch {
	case strings.ContainsRune(who, 0):
		err = storage.ErrNotFound // storage refuses such text
	case strings.Contains(who, "@"):
		user, err = p.db.UserByEmail(ctx, strings.ToLower(who))
	default:
		user, err = p.db.User(ctx, who)
	}
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return nil, fmt.Errorf("look at %s: %w", audit.Cut(who, 64), err)
	case !may && (user == nil || user.ID != by.ID):
		return nil, ErrOthers
	case user == nil:
		return nil, ErrNoUser
	}
	return user, nil
}
