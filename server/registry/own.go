package registry

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// A client that has registered itself manages itself with its registration access token
// (RFC 7592). The token is a new one after each change (section 3 lets it): one that has
// leaked is of no use after that, and where a thief has used it the client is refused, which
// tells. An answer may be lost; therefore the token before is good for a while for sending a
// change again, and for nothing else.

// changeAgain is how long after a change the token before is good for changes.
const changeAgain = time.Minute

// Own returns the client that shows its registration access token.
// [ErrDynamicToken] also if there is no such client: who asks cannot tell.
func (s *Service) Own(ctx context.Context, by audit.Actor, clientID, token string) (*Client, error) {
	return s.shown(ctx, by, clientID, token, false)
}

// OwnToChange is [Service.Own] for a client that is about to change what it has
// registered: it may also show the token before. [ErrDynamicManaged] if a file sets it.
func (s *Service) OwnToChange(ctx context.Context, by audit.Actor, clientID, token string) (*Client, error) {
	c, err := s.shown(ctx, by, clientID, token, true)
	if err != nil {
		return nil, err
	}
	return c, setByNoFile(ctx, s.db.Reader, by, c)
}

// setByNoFile is [ErrDynamicManaged] for a client that a file sets.
func setByNoFile(ctx context.Context, r storage.Reader, by audit.Actor, c *Client) error {
	err := managed.Refuse(ctx, r, by, managed.Client, c.ID)
	if errors.Is(err, managed.ErrManaged) {
		return ErrDynamicManaged
	}
	return err
}

func (s *Service) shown(ctx context.Context, by audit.Actor, clientID, token string, changes bool) (*Client, error) {
	if err := s.Dynamic.Limits.Spent(ctx, managingRule, limit.Network(by.IPAddress)); err != nil {
		return nil, err
	}
	c, err := s.own(ctx, s.db.Reader, clientID, token, changes)
	if errors.Is(err, ErrDynamicToken) {
		if err := s.Dynamic.Limits.Failed(ctx, managingRule, limit.Network(by.IPAddress)); err != nil {
			return nil, err
		}
	}
	return c, err
}

func (s *Service) own(ctx context.Context, r storage.Reader, clientID, token string, changes bool) (*Client, error) {
	c, err := s.find(ctx, r, "", clientID)
	switch {
	case errors.Is(err, ErrNoClient):
		return nil, ErrDynamicToken
	case err != nil:
		return nil, err
	case !isRegistrationToken(c.RegistrationHash, token) &&
		(!changes || !steady.Now().Before(c.RegistrationRenewedAt.Add(changeAgain)) ||
			!isRegistrationToken(c.RegistrationBefore, token)):
		return nil, ErrDynamicToken
	}
	err = s.Usable(ctx, r, c)
	if errors.Is(err, ErrDisabled) {
		return nil, ErrDynamicOff
	}
	return c, err
}

// isRegistrationToken says whether a hash is that of a token; "" is of none.
func isRegistrationToken(hash, token string) bool {
	return hash != "" && subtle.ConstantTimeCompare([]byte(storage.Hash(token)), []byte(hash)) == 1
}

// ChangeOwn has the client that shows its registration access token be as it
// describes itself now: what it leaves out it no longer has. What the server
// decides on stays. The client has a new token afterwards.
func (s *Service) ChangeOwn(
	ctx context.Context, by audit.Actor, clientID, token string, in Registration,
) (*Enrolled, error) {
	c, err := s.OwnToChange(ctx, by, clientID, token)
	if err != nil {
		return nil, err
	}
	change := func(to *Registration) { *to = in.inPlaceOf(*to) }
	checked, err := s.checkOwn(ctx, c, change)
	if err != nil {
		return nil, err
	}
	next, now := newSecret(), steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		if c, err = s.own(ctx, tx.Reader, clientID, token, true); err != nil {
			return err
		}
		if err := setByNoFile(ctx, tx.Reader, by, c); err != nil {
			return err
		}
		renew(c, token, next, now)
		facts, err := s.changeIn(ctx, tx, by.AsClient(clientID), now, c, checked, change)
		if err != nil || len(facts) > 0 {
			return err
		}
		return saveRenewed(ctx, tx, by.AsClient(clientID), now, c)
	})
	if err != nil {
		return nil, err
	}
	return &Enrolled{Client: c, Token: next}, nil
}

// renew gives a client that has shown a registration access token the next one. To send a
// change again gives no more time for that.
func renew(c *Client, shown, next string, now time.Time) {
	if isRegistrationToken(c.RegistrationHash, shown) {
		c.RegistrationBefore, c.RegistrationRenewedAt = c.RegistrationHash, storage.At(now)
	}
	c.RegistrationHash = storage.Hash(next)
}

// saveRenewed keeps the new token of a client of which nothing else has changed.
func saveRenewed(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, c *Client) error {
	if err := tx.SaveClient(ctx, c); err != nil {
		return fmt.Errorf("renew the token of client %s: %w", c.ClientID, err)
	}
	facts := map[string]string{"registration_access_token": "renewed"}
	return audit.Record(ctx, tx, by, now, clientEvent("client.updated", c, facts))
}

// checkOwn checks what c becomes by a change of its own.
func (s *Service) checkOwn(ctx context.Context, c *Client, change func(*Registration)) (Registration, error) {
	in := changed(Describe(c), change)
	if err := fault.Fields(in.dynamicProblems()); err != nil {
		return in, err
	}
	return s.checkChange(ctx, c, change)
}

// inPlaceOf is what a client becomes that describes itself anew.
func (in Registration) inPlaceOf(before Registration) Registration {
	profile, pkce := before.Options.Profile, before.RequirePKCE
	in = in.asDynamic()
	in.Options.Profile, in.Options.CodeLifetime, in.RequirePKCE = profile, before.Options.CodeLifetime, pkce
	in.SkipConsent, in.Disabled, in.Allowed = before.SkipConsent, before.Disabled, before.Allowed
	in.AccessTokenLifetime, in.RefreshTokenLifetime, in.IDTokenLifetime =
		before.AccessTokenLifetime, before.RefreshTokenLifetime, before.IDTokenLifetime
	if in.Name == "" {
		in.Name = before.ClientID
	}
	return in
}

// DeleteOwn deletes the client that shows its registration access token.
// [ErrDynamicManaged] if a file sets it.
func (s *Service) DeleteOwn(ctx context.Context, by audit.Actor, clientID, token string) error {
	if _, err := s.Own(ctx, by, clientID, token); err != nil {
		return err
	}
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		c, err := s.own(ctx, tx.Reader, clientID, token, false)
		if err != nil {
			return err
		}
		if err := setByNoFile(ctx, tx.Reader, by, c); err != nil {
			return err
		}
		return remove(ctx, tx, by.AsClient(clientID), now, c, "")
	})
}
