package storage

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// Kinds of API tokens: of a user, and of an organization.
const (
	PersonalToken = "personal"
	ServiceToken  = "service"
)

// APIToken opens the JSON API to a program, as far as its scopes go. It
// belongs to a user or to an organization, never to both.
type APIToken struct {
	bun.BaseModel  `bun:"table:api_tokens"`
	ID             string `bun:",pk"`
	UserID         Ref
	OrganizationID Ref
	Kind           string
	Name           string
	TokenHash      string // [Hash] of the token; unique
	Scopes         Words
	CreatedByID    Ref // "" for an operator
	CreatedAt      Time
	ExpiresAt      Time // zero for never
	LastUsedAt     Time
}

// APITokenByHash returns the token with a hash, live or not.
func (r Reader) APITokenByHash(ctx context.Context, hash string) (*APIToken, error) {
	return cached(r, apiTokenKey, hash, func() (*APIToken, error) {
		return find[APIToken](ctx, r, "token_hash = ?", hash)
	})
}

// APIToken returns the token with an id, live or not.
func (r Reader) APIToken(ctx context.Context, id string) (*APIToken, error) {
	return find[APIToken](ctx, r, "id = ?", id)
}

// APITokensOfUser returns the tokens of a user, live or not, the oldest first.
func (r Reader) APITokensOfUser(ctx context.Context, userID string) ([]APIToken, error) {
	return list[APIToken](ctx, r, "id", "user_id = ?", userID)
}

// APITokensOfOrganization returns the tokens of an organization, live or not,
// the oldest first.
func (r Reader) APITokensOfOrganization(ctx context.Context, orgID string) ([]APIToken, error) {
	return list[APIToken](ctx, r, "id", "organization_id = ?", orgID)
}

// InsertAPIToken adds a token.
func (tx *Tx) InsertAPIToken(ctx context.Context, t *APIToken) error {
	return insert(ctx, tx, t)
}

// DeleteAPIToken deletes a token; [ErrNotFound] says that it is gone.
func (tx *Tx) DeleteAPIToken(ctx context.Context, t *APIToken) error {
	tx.change(apiTokenKey, t.TokenHash)
	n, err := remove[APIToken](ctx, tx, "id = ?", t.ID)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// TouchAPIToken notes when a token was last used; it need not exist.
func (tx *Tx) TouchAPIToken(ctx context.Context, id string, at time.Time) error {
	var hash string
	err := tx.conn.hotRow(ctx, `UPDATE api_tokens SET last_used_at = ?
		WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?) RETURNING token_hash`,
		At(at).UnixMilli(), id, At(at).UnixMilli()).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	tx.change(apiTokenKey, hash)
	return translate(err)
}

// changeAPITokens notes that the tokens which where describes change.
func (tx *Tx) changeAPITokens(ctx context.Context, where string, args ...any) error {
	var tokens []APIToken
	err := tx.bun.NewSelect().Conn(tx.conn).Model(&tokens).
		Column("token_hash").Where(where, args...).Scan(ctx)
	for _, t := range tokens {
		tx.change(apiTokenKey, t.TokenHash)
	}
	return translate(err)
}
