package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// ErrSetupLink is answered to a setup link that does not open anything any more.
var ErrSetupLink = fault.New(fault.Forbidden, "setup_link",
	"This setup link has been used, has expired, or is not one of this server's. "+
		"If there is still no administrator, restart authy for a new link, or run: authy user create --admin EMAIL")

// setupLifetime is how long a setup link can be used.
const setupLifetime = 24 * time.Hour

// NewSetupLink returns the secret of a link that makes the first
// administrator, or "" if there is one already.
func (s *Service) NewSetupLink(ctx context.Context) (string, error) {
	has, err := s.db.HasAdmin(ctx)
	if err != nil || has {
		return "", err
	}
	token, now := rand.Text(), steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		return tx.InsertLink(ctx, &storage.Link{
			Hash: storage.Hash(token), Purpose: storage.SetupLink,
			CreatedAt: storage.At(now), ExpiresAt: storage.At(now.Add(setupLifetime)),
		})
	})
	if err != nil {
		return "", fmt.Errorf("make a setup link: %w", err)
	}
	return token, nil
}

// CheckSetupLink says whether a setup link could be used now.
func (s *Service) CheckSetupLink(ctx context.Context, token string) error {
	link, err := s.db.Link(ctx, storage.SetupLink, storage.Hash(token))
	if errors.Is(err, storage.ErrNotFound) {
		return ErrSetupLink
	}
	if err != nil {
		return err
	}
	has, err := s.db.HasAdmin(ctx)
	if err == nil && (has || !link.ExpiresAt.After(steady.Now())) {
		return ErrSetupLink
	}
	return err
}

// AddFirstAdmin uses a setup link up and adds its administrator in tx.
func (s *Service) AddFirstAdmin(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, token string, d *Draft,
) (*storage.User, error) {
	has, err := tx.HasAdmin(ctx)
	if err != nil {
		return nil, err
	}
	if has {
		return nil, ErrSetupLink
	}
	err = tx.TakeLink(ctx, storage.SetupLink, storage.Hash(token), now)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrSetupLink
	}
	if err != nil {
		return nil, fmt.Errorf("use setup link: %w", err)
	}
	// Those that earlier starts printed have had their day.
	if err := tx.DeleteLinks(ctx, storage.SetupLink); err != nil {
		return nil, fmt.Errorf("end the other setup links: %w", err)
	}
	d.user.IsAdmin = true
	return s.Add(ctx, tx, by, now, d)
}
