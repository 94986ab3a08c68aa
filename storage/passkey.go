package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Passkey is the public half of a key that an authenticator of a user holds
// (W3C Web Authentication, section 4, credential record).
type Passkey struct {
	bun.BaseModel  `bun:"table:passkeys"`
	ID             string `bun:",pk"`
	UserID         string
	CredentialID   string // base64url; unique
	PublicKey      string // COSE, base64url
	SignCount      int64  // never lowered
	Transports     Words
	AAGUID         string `bun:"aaguid"` // the model of the authenticator
	BackupEligible bool
	BackupUnknown  bool // of one that came from another server, until its first use
	BackedUp       bool
	UserVerified   bool // its owner has proved themselves to the authenticator at least once
	Name           string
	CreatedAt      Time
	LastUsedAt     Time
}

// Passkeys returns the passkeys of a user, the newest first.
func (r Reader) Passkeys(ctx context.Context, userID string) ([]Passkey, error) {
	return list[Passkey](ctx, r, "created_at DESC, id DESC", "user_id = ?", userID)
}

// PasskeyByCredential returns the passkey with a credential id.
func (r Reader) PasskeyByCredential(ctx context.Context, credentialID string) (*Passkey, error) {
	return find[Passkey](ctx, r, "credential_id = ?", credentialID)
}

// CountPasskeys returns how many passkeys a user has.
func (r Reader) CountPasskeys(ctx context.Context, userID string) (int64, error) {
	n, err := r.bun.NewSelect().Conn(r.conn).Model((*Passkey)(nil)).Where("user_id = ?", userID).Count(ctx)
	return n, translate(err)
}

// InsertPasskey adds a passkey; [ErrTaken] says that somebody has its credential id.
func (tx *Tx) InsertPasskey(ctx context.Context, p *Passkey) error {
	tx.change(mfaKey, p.UserID)
	return insert(ctx, tx, p)
}

// UsePasskey notes a use of a passkey with the counter that its authenticator
// sent; it says whether the counter may follow on the last one: it grows, or
// is always 0.
func (tx *Tx) UsePasskey(ctx context.Context, p *Passkey) (bool, error) {
	res, err := tx.conn.hot(ctx, `UPDATE passkeys SET sign_count = ?, backup_eligible = ?, backup_unknown = FALSE,
			backed_up = ?, user_verified = ?, last_used_at = ?
		WHERE id = ? AND (sign_count < ? OR sign_count = 0 AND ? = 0)`,
		p.SignCount, p.BackupEligible, p.BackedUp, p.UserVerified, p.LastUsedAt.UnixMilli(), p.ID, p.SignCount, p.SignCount)
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// SavePasskeyName renames the passkey of a user with a credential id;
// [ErrNotFound] if they have none.
func (tx *Tx) SavePasskeyName(ctx context.Context, userID, credentialID, name string) error {
	res, err := tx.bun.NewUpdate().Conn(tx.conn).Model((*Passkey)(nil)).Set("name = ?", name).
		Where("user_id = ? AND credential_id = ?", userID, credentialID).Exec(ctx)
	if err != nil {
		return translate(err)
	}
	return one(res)
}

// DeletePasskey deletes the passkey of a user with a credential id;
// [ErrNotFound] if they have none.
func (tx *Tx) DeletePasskey(ctx context.Context, userID, credentialID string) error {
	tx.change(mfaKey, userID)
	n, err := remove[Passkey](ctx, tx, "user_id = ? AND credential_id = ?", userID, credentialID)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// DeletePasskeys deletes every passkey of a user and says how many there were.
func (tx *Tx) DeletePasskeys(ctx context.Context, userID string) (int64, error) {
	tx.change(mfaKey, userID)
	return remove[Passkey](ctx, tx, "user_id = ?", userID)
}

// Ceremony is a challenge that waits for the answer of an authenticator.
type Ceremony struct {
	bun.BaseModel `bun:"table:ceremonies"`
	Hash          string `bun:",pk"` // [Hash] of the challenge
	Purpose       string
	Binding       string // says who may answer: the hash of a secret, or the id of a session
	UserID        Ref    // whose passkeys may answer; "" where the purpose does not say
	FirstFactor   Ref    // the hash of the pending sign-in that goes on with it
	Network       string // of a stranger, "" of who has proved who they are
	CreatedAt     Time
	ExpiresAt     Time
}

// Ceremony returns the ceremony with the hash of a challenge.
func (r Reader) Ceremony(ctx context.Context, hash string) (*Ceremony, error) {
	return find[Ceremony](ctx, r, "hash = ?", hash)
}

// InsertCeremony adds a ceremony.
func (tx *Tx) InsertCeremony(ctx context.Context, c *Ceremony) error { return insert(ctx, tx, c) }

// TakeCeremony uses a ceremony up; [ErrNotFound] says that there is none with
// this binding, that it was used, or that it has expired at now.
func (tx *Tx) TakeCeremony(ctx context.Context, hash, binding string, now time.Time) error {
	n, err := remove[Ceremony](ctx, tx, "hash = ? AND binding = ? AND expires_at > ?", hash, binding, At(now))
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
