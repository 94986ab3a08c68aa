package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/mail"
	"authy/storage"
)

// Linked is an identity of a user, and the provider that it is at.
type Linked struct {
	Identity
	Provider *storage.Provider
}

// Identities returns who a user is at which providers, the last used first.
func (s *Service) Identities(ctx context.Context, userID string) ([]Linked, error) {
	return identities(ctx, s.db.Reader, userID)
}

func identities(ctx context.Context, r storage.Reader, userID string) ([]Linked, error) {
	have, err := r.Identities(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("list the identities of %s: %w", userID, err)
	}
	out := make([]Linked, 0, len(have))
	for _, i := range have {
		p, err := r.Provider(ctx, i.ProviderID)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted between the two reads
		}
		if err != nil {
			return nil, fmt.Errorf("look provider %s up: %w", i.ProviderID, err)
		}
		out = append(out, Linked{i, p})
	}
	return out, nil
}

// Spare is [Service.Identities], and says whether the user could sign in without
// any one of them.
func (s *Service) Spare(ctx context.Context, userID string) ([]Linked, bool, error) {
	have, err := s.Identities(ctx, userID)
	if err != nil {
		return nil, false, err
	}
	for _, one := range have {
		other, err := otherWay(ctx, s.db.Reader, userID, one.ID, "")
		if err != nil || !other {
			return have, false, err
		}
	}
	return have, len(have) > 0, nil
}

// Draft describes the account that somebody gets by coming from a provider: at
// the address that was checked there, or at the one that they say.
func (said *Said) Draft(email, name string) NewUser {
	in := NewUser{Email: email, FullName: name, NoPassword: true}
	if said.Verified {
		in.Email, in.EmailVerified = said.Email, true
	}
	return in
}

// Unlink takes an identity from a user, in tx. [ErrNotLinked] if it is not
// theirs, [ErrLastWay] if they could not sign in without it.
func (s *Service) Unlink(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID, identityID string,
) error {
	if strings.ContainsRune(identityID, 0) {
		return ErrNotLinked // storage refuses such text
	}
	i, err := tx.Identity(ctx, identityID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && i.UserID != userID {
		return ErrNotLinked
	}
	if err != nil {
		return fmt.Errorf("look identity %s up: %w", identityID, err)
	}
	p, err := tx.Provider(ctx, i.ProviderID)
	if err != nil {
		return fmt.Errorf("look provider %s up: %w", i.ProviderID, err)
	}
	if other, err := otherWay(ctx, tx.Reader, userID, identityID, ""); err != nil {
		return err
	} else if !other {
		return ErrLastWay
	}
	if err := tx.DeleteIdentity(ctx, userID, identityID); err != nil {
		return fmt.Errorf("unlink identity %s: %w", identityID, err)
	}
	if err := s.notice(ctx, tx, by, now, userID, mail.IdentityUnlinked, p.Name); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "user.identity_unlink", TargetKind: "user", TargetID: userID,
		Details: map[string]string{"provider": p.Slug, "identity_id": identityID},
	})
}

// UnlinkFor is [Service.Unlink] on behalf of who administers the server.
func (s *Service) UnlinkFor(ctx context.Context, by audit.Actor, userID, identityID string) error {
	if err := s.mayAdminister(ctx, by); err != nil {
		return err
	}
	return s.withUser(ctx, userID, func(tx *storage.Tx, _ *User, now time.Time) error {
		return s.Unlink(ctx, tx, by, now, userID, identityID)
	})
}

// HasPassword says whether a user can sign in by password.
func HasPassword(ctx context.Context, r storage.Reader, userID string) (bool, error) {
	_, err := r.Password(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the password of %s: %w", userID, err)
	}
	return true, nil
}

// otherWay says whether a user can sign in without an identity and a passkey,
// each by its id or "" for none: by password, by another passkey, or from
// another provider that is active.
func otherWay(ctx context.Context, r storage.Reader, userID, identityID, passkeyID string) (bool, error) {
	if has, err := HasPassword(ctx, r, userID); err != nil || has {
		return has, err
	}
	passkeys, err := r.Passkeys(ctx, userID)
	if err != nil {
		return false, fmt.Errorf("list the passkeys of %s: %w", userID, err)
	}
	for _, p := range passkeys {
		if p.ID != passkeyID {
			return true, nil
		}
	}
	have, err := identities(ctx, r, userID)
	if err != nil {
		return false, err
	}
	for _, i := range have {
		if i.ID != identityID && i.Provider.IsActive {
			return true, nil
		}
	}
	return false, nil
}
