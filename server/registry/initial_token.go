package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// Initial access tokens (RFC 7591, section 1.2) as they are made unless told
// otherwise, and at most.
const (
	DefaultTokenLifetime = 24 * time.Hour
	MaxTokenLifetime     = 365 * 24 * time.Hour
	MaxTokenUses         = 10_000
)

// ErrNoToken says that an initial access token does not exist.
var ErrNoToken = fault.New(fault.NotFound, "registration_token_not_found", "There is no such registration token.")

// InitialToken lets clients register themselves.
type InitialToken = storage.RegistrationToken

// NewInitialToken describes an initial access token.
type NewInitialToken struct {
	OrganizationID string        // whose the clients become; "" for nobody's
	Profile        string        // of the clients; "" for the configuration's
	Uses           int64         // how many clients it registers
	Lifetime       time.Duration // until it is good for nothing
}

// MakeInitialToken makes an initial access token for who administers the
// server, and returns it with its text, which is not kept.
func (s *Service) MakeInitialToken(
	ctx context.Context, by audit.Actor, in NewInitialToken,
) (t *InitialToken, text string, err error) {
	problems := map[string][]string{}
	if problem := oneOf(in.Profile, "", OAuth21, Legacy); problem != "" {
		problems["profile"] = []string{problem}
	}
	if in.Uses < 1 || in.Uses > MaxTokenUses {
		problems["uses"] = []string{fmt.Sprintf("Must be 1 to %d.", MaxTokenUses)}
	}
	if in.Lifetime < time.Second || in.Lifetime > MaxTokenLifetime {
		problems["lifetime"] = []string{"Must be one second to a year."}
	}
	if err := fault.Fields(problems); err != nil {
		return nil, "", err
	}
	now, text := steady.Now(), newSecret()
	t = &InitialToken{
		ID: storage.NewID(), Hash: storage.Hash(text), OrganizationID: storage.Ref(in.OrganizationID),
		Profile: in.Profile, UsesLeft: in.Uses,
		CreatedAt: storage.At(now), ExpiresAt: storage.At(now.Add(in.Lifetime)),
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := mayAdminister(ctx, tx.Reader, by); err != nil {
			return err
		}
		if err := exists(ctx, tx.Reader, in.OrganizationID); err != nil {
			return err
		}
		if err := tx.InsertRegistrationToken(ctx, t); err != nil {
			return fmt.Errorf("make a registration token: %w", err)
		}
		return audit.Record(ctx, tx, by, now, tokenEvent("registration_token.created", t))
	})
	if err != nil {
		return nil, "", err
	}
	return t, text, nil
}

// exists is nil for an organization that is there, and for none.
func exists(ctx context.Context, r storage.Reader, orgID string) error {
	if orgID == "" {
		return nil
	}
	if !IsPlain(orgID) {
		return fault.Field("organization_id", "There is no such organization.")
	}
	_, err := r.Organization(ctx, orgID)
	if errors.Is(err, storage.ErrNotFound) {
		return fault.Field("organization_id", "There is no such organization.")
	}
	return err
}

func tokenEvent(action string, t *InitialToken) audit.Event {
	return audit.Event{
		Action: action, TargetKind: "registration_token", TargetID: t.ID, OrgID: string(t.OrganizationID),
	}
}

// InitialTokens returns to who administers the server at most limit initial
// access tokens after the one with an id, the oldest first.
func (s *Service) InitialTokens(ctx context.Context, by audit.Actor, after string, limit int) ([]InitialToken, error) {
	if err := mayAdminister(ctx, s.db.Reader, by); err != nil {
		return nil, err
	}
	tokens, err := s.db.RegistrationTokens(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list registration tokens: %w", err)
	}
	return tokens, nil
}

// DeleteInitialToken ends an initial access token for who administers the
// server; the clients that it registered stay. [ErrNoToken] if there is none.
func (s *Service) DeleteInitialToken(ctx context.Context, by audit.Actor, id string) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := mayAdminister(ctx, tx.Reader, by); err != nil {
			return err
		}
		if !IsPlain(id) {
			return ErrNoToken
		}
		err := tx.DeleteRegistrationToken(ctx, id)
		if errors.Is(err, storage.ErrNotFound) {
			return ErrNoToken
		}
		if err != nil {
			return fmt.Errorf("delete a registration token: %w", err)
		}
		return audit.Record(ctx, tx, by, now, tokenEvent("registration_token.deleted", &InitialToken{ID: id}))
	})
}
