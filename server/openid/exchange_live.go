package openid

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/storage"
)

// An exchanged token ends with what it was made of: the token of the user and, if somebody
// acts for them, the token of the actor, each with its grant (RFC 8693, section 4.1: both
// are parties to it).

// hashed marks a reference to a token that is kept as a hash and has no id.
const hashed = "#"

// tokenRef is how a grant refers to a token that it was exchanged for.
func tokenRef(token string, says *accessToken) string {
	if says.ID == "" {
		return hashed + storage.Hash(token)
	}
	return says.ID
}

// actOn notes who acts, in the details of the new grant.
func (in *exchanging) actOn(d *storage.GrantDetails) {
	if in.actorClaims != nil {
		d.ActorGrant, d.ActorToken = in.actorClaims.GrantID, tokenRef(in.actor, in.actorClaims)
	}
}

// exchanges is how many exchanges a grant is made of, itself included: so many grants are
// looked at for each use of its token.
func (p *Provider) exchanges(ctx context.Context, r storage.Reader, g *storage.Grant) (n int, err error) {
	if g.Details.Parent == "" {
		return 0, nil
	}
	n = 1
	for _, id := range []string{g.Details.Parent, g.Details.ActorGrant} {
		if id == "" || n > maxExchanges {
			continue
		}
		before, err := r.Grant(ctx, id)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return n, fmt.Errorf("follow the exchanges of a token: %w", err)
		}
		more, err := p.exchanges(ctx, r, before)
		if err != nil {
			return n, err
		}
		n += more
	}
	return n, nil
}

// parentLive is nil while that lives which a grant was exchanged for: the very tokens and
// their grants. A client that acts by itself has no grant.
func (p *Provider) parentLive(ctx context.Context, r storage.Reader, g *storage.Grant, now time.Time) error {
	if g.Details.Parent == "" {
		return nil
	}
	for _, token := range []string{g.Details.Token, g.Details.ActorToken} {
		if over, err := isOverToken(ctx, r, token, now); err != nil {
			return fmt.Errorf("check a grant: %w", err)
		} else if over {
			return errEnded
		}
	}
	for _, id := range []string{g.Details.Parent, g.Details.ActorGrant} {
		if id == "" {
			continue
		}
		before, err := r.Grant(ctx, id)
		if err != nil {
			return ended(err)
		}
		if err := p.live(ctx, r, before, now); err != nil {
			return err
		}
	}
	return nil
}

// isOverToken says whether the token of a reference was ended by itself; "" is none.
func isOverToken(ctx context.Context, r storage.Reader, ref string, now time.Time) (bool, error) {
	hash, opaque := strings.CutPrefix(ref, hashed)
	switch {
	case ref == "":
		return false, nil
	case !opaque:
		return r.IsRevokedToken(ctx, ref)
	}
	kept, err := r.AccessToken(ctx, hash)
	if errors.Is(err, storage.ErrNotFound) {
		return true, nil
	}
	return err == nil && !now.Before(kept.ExpiresAt.Time), err
}
