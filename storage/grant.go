package storage

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/uptrace/bun"
)

// Grant is what one authorization gave a client. Codes, access tokens and
// refresh tokens are its children and end with it.
type Grant struct {
	bun.BaseModel   `bun:"table:grants"`
	ID              string `bun:",pk"`
	UserID          string
	ClientID        string // the client's row
	SessionID       Ref
	Scopes          Words
	Methods         Words // how the user had signed in
	AuthenticatedAt Time
	CreatedAt       Time
	ExpiresAt       Time // nothing of the grant outlives it
	RevokedAt       Time
	RevokedReason   string
	Details         GrantDetails
}

// GrantDetails is what a grant knows beyond its scopes.
type GrantDetails struct {
	ACR       string   `json:"acr,omitempty"`    // the authentication context that was reached
	Claims    string   `json:"claims,omitempty"` // the claims parameter, JSON
	Resources []string `json:"resources,omitempty"`
	JKT       string   `json:"jkt,omitempty"`   // the thumbprint of the key it is bound to
	Actor     string   `json:"actor,omitempty"` // who acts for the user: the act claim, JSON
	// Parent is the grant whose token this one was exchanged for, Token the id of
	// that token; both end it.
	Parent string `json:"parent,omitempty"`
	Token  string `json:"token,omitempty"`
	// ActorGrant and ActorToken are those of who acts for the user; both end it, too.
	ActorGrant string `json:"actor_grant,omitempty"` // "" for a client that acts by itself
	ActorToken string `json:"actor_token,omitempty"`
}

// Value implements [driver.Valuer].
func (d GrantDetails) Value() (driver.Value, error) { return toJSON(d) }

// Scan implements [database/sql.Scanner].
func (d *GrantDetails) Scan(src any) error { return fromJSON(d, src) }

// Grant returns the grant with an id, live or not.
func (r Reader) Grant(ctx context.Context, id string) (*Grant, error) {
	return cached(r, grantKey, id, func() (*Grant, error) {
		g := &Grant{ID: id}
		err := r.conn.hotRow(ctx, `SELECT user_id, client_id, session_id, scopes, methods, authenticated_at,
			created_at, expires_at, revoked_at, revoked_reason, details FROM grants WHERE id = ?`, id).
			Scan(&g.UserID, &g.ClientID, &g.SessionID, &g.Scopes, &g.Methods, &g.AuthenticatedAt,
				&g.CreatedAt, &g.ExpiresAt, &g.RevokedAt, &g.RevokedReason, &g.Details)
		if err != nil {
			return nil, translate(err)
		}
		return g, nil
	})
}

// ClientsGranted returns the rows of at most limit clients that have a grant of a user
// which is live at now.
func (r Reader) ClientsGranted(ctx context.Context, userID string, now time.Time, limit int) ([]string, error) {
	var clients []string
	err := r.bun.NewSelect().Conn(r.conn).Model((*Grant)(nil)).ColumnExpr("DISTINCT client_id").
		Where("user_id = ? AND revoked_at IS NULL AND expires_at > ?", userID, At(now)).
		OrderExpr("client_id").Limit(int64(limit)).Scan(ctx, &clients)
	return clients, translate(err)
}

// InsertGrant adds a grant.
func (tx *Tx) InsertGrant(ctx context.Context, g *Grant) error {
	_, err := tx.conn.hot(ctx, `INSERT INTO grants (id, user_id, client_id, session_id, scopes,
		methods, authenticated_at, created_at, expires_at, revoked_at, revoked_reason, details)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, '', ?)`,
		g.ID, g.UserID, g.ClientID, g.SessionID, g.Scopes.String(), g.Methods.String(),
		g.AuthenticatedAt.UnixMilli(), g.CreatedAt.UnixMilli(), g.ExpiresAt.UnixMilli(), g.Details)
	return translate(err)
}

// SaveGrantDetails writes the details of g.
func (tx *Tx) SaveGrantDetails(ctx context.Context, g *Grant) error {
	tx.change(grantKey, g.ID)
	_, err := tx.conn.hot(ctx, "UPDATE grants SET details = ? WHERE id = ?", g.Details, g.ID)
	return translate(err)
}

// RevokeGrant ends a grant; it says whether the grant was live until now.
func (tx *Tx) RevokeGrant(ctx context.Context, id, reason string, now time.Time) (bool, error) {
	tx.change(grantKey, id)
	res, err := tx.conn.hot(ctx,
		"UPDATE grants SET revoked_at = ?, revoked_reason = ? WHERE id = ? AND revoked_at IS NULL",
		At(now).UnixMilli(), reason, id)
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// RevokeGrants ends the live grants of a user and returns how many there were.
func (tx *Tx) RevokeGrants(ctx context.Context, userID, reason string, now time.Time) (int64, error) {
	return tx.revokeGrants(ctx, reason, now, "user_id = ? AND revoked_at IS NULL", userID)
}

// RevokeGrantsTo ends the live grants of a user to a client, by its row.
func (tx *Tx) RevokeGrantsTo(ctx context.Context, userID, client, reason string, now time.Time) error {
	_, err := tx.revokeGrants(ctx, reason, now, "user_id = ? AND client_id = ? AND revoked_at IS NULL", userID, client)
	return err
}

func (tx *Tx) revokeGrants(ctx context.Context, reason string, now time.Time, where string, args ...any) (int64, error) {
	if err := tx.changeGrants(ctx, where, args...); err != nil {
		return 0, err
	}
	res, err := tx.bun.NewUpdate().Conn(tx.conn).Model((*Grant)(nil)).
		Set("revoked_at = ?", At(now)).Set("revoked_reason = ?", reason).Where(where, args...).Exec(ctx)
	if err != nil {
		return 0, translate(err)
	}
	return res.RowsAffected()
}

// changeGrants notes that the grants which where describes change.
func (tx *Tx) changeGrants(ctx context.Context, where string, args ...any) error {
	var grants []Grant
	err := tx.bun.NewSelect().Conn(tx.conn).Model(&grants).
		Column("id").Where(where, args...).Scan(ctx)
	for _, g := range grants {
		tx.change(grantKey, g.ID)
	}
	return translate(err)
}
