package login

import (
	"context"
	"errors"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/provider"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

const (
	linkAction   = "user.identity_link"
	unlinkAction = "user.identity_unlink"
)

// BeginLink sends who is signed in to a provider, to link who they are there.
// They have to prove who they are first.
func (s *Service) BeginLink(
	ctx context.Context, by audit.Actor, b Browser, id *session.Identity, in Again, slug string,
) (*Next, error) {
	d := &storage.Departure{Purpose: toLink, SessionID: storage.Ref(id.Session.ID)}
	away, err := s.away(ctx, by, b, slug, provider.Ask{}, d, journey{UserID: id.User.ID})
	if err != nil {
		return nil, err
	}
	err = s.sensitive(ctx, by, id, in, linkAction, false, func(tx *storage.Tx, _ time.Time) error {
		return insertDeparture(ctx, tx, d)
	})
	if err != nil {
		return nil, err
	}
	return away, nil
}

// LinkPath is the page on which somebody links an account at a provider, which is
// named as id.
const LinkPath = "/account/identities/link"

// LinkPage is the address of the page on which somebody links an account at a
// provider. [ErrProvider] if nobody can come from there.
func (s *Service) LinkPage(ctx context.Context, slug string) (string, error) {
	p, err := s.Providers.Find(ctx, slug)
	if errors.Is(err, provider.ErrNoProvider) {
		return "", ErrProvider
	}
	if err != nil {
		return "", err
	}
	if _, err := s.protocolOf(ctx, s.db.Reader, p); err != nil {
		return "", err
	}
	return s.PublicURL + LinkPath + "?id=" + p.Slug, nil
}

// linkReturned links who somebody is at a provider to the account whose session
// went there.
func (s *Service) linkReturned(ctx context.Context, by audit.Actor, b Browser, c *came) (*Next, error) {
	id, err := s.Identify(ctx, b)
	if err != nil {
		return nil, err
	}
	if id == nil || id.Session.ID != string(c.departure.SessionID) || id.User.ID != c.journey.UserID {
		return nil, ErrDeparture
	}
	by = id.Actor(by)
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := session.Still(ctx, tx, id.Session.ID); err != nil {
			return err
		}
		if err := s.stillOpen(ctx, tx, c.provider); err != nil {
			return err
		}
		_, err := s.accounts.Link(ctx, tx, by, now, id.User.ID, c.said)
		return err
	})
	if err != nil {
		return nil, s.turned(ctx, by, c.provider, c.departure, id.User, err)
	}
	return &Next{Location: "/account", Linked: c.provider.Name, Provider: c.provider.Slug}, nil
}

// Unlink takes an identity from who is signed in; see [account.Service.Unlink].
func (s *Service) Unlink(
	ctx context.Context, by audit.Actor, id *session.Identity, in Again, identityID string,
) error {
	return s.sensitive(ctx, by, id, in, unlinkAction, false, func(tx *storage.Tx, now time.Time) error {
		return s.accounts.Unlink(ctx, tx, by, now, id.User.ID, identityID)
	})
}

// UnlinkProvider is [Service.Unlink] for all that is linked at a provider.
// [account.ErrNotLinked] if nothing is.
func (s *Service) UnlinkProvider(
	ctx context.Context, by audit.Actor, id *session.Identity, in Again, slug string,
) error {
	have, err := s.accounts.Identities(ctx, id.User.ID)
	if err != nil {
		return err
	}
	var there []string
	for _, one := range have {
		if one.Provider.Slug == slug {
			there = append(there, one.ID)
		}
	}
	if len(there) == 0 {
		return account.ErrNotLinked
	}
	return s.sensitive(ctx, by, id, in, unlinkAction, false, func(tx *storage.Tx, now time.Time) error {
		for _, identityID := range there {
			if err := s.accounts.Unlink(ctx, tx, by, now, id.User.ID, identityID); err != nil {
				return err
			}
		}
		return nil
	})
}
