package storage

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// Status says whether a user may sign in.
type Status string

// The states of a user.
const (
	Active    Status = "active"
	Suspended Status = "suspended"
	Inactive  Status = "inactive"
	Pending   Status = "pending"
)

// User is a person with an account.
type User struct {
	bun.BaseModel   `bun:"table:users"`
	ID              string `bun:",pk"`
	Email           string // normalized; unique
	EmailVerifiedAt Time
	FullName        string
	AvatarURL       string `bun:"avatar_url"`
	Status          Status
	IsAdmin         bool // administers the server
	CreatedAt       Time
	UpdatedAt       Time
	LastLoginAt     Time
	LastLoginIP     string `bun:"last_login_ip"`
	// SignedOutAt ends every session and grant that began before it.
	SignedOutAt Time
	// UnlockedAt begins every count of attempts on the user anew.
	UnlockedAt Time
	Profile
}

// Profile is what a user says of themselves beside their name and picture:
// claims of OpenID Connect Core 1.0, section 5.1. Each may be "".
type Profile struct {
	GivenName         string
	FamilyName        string
	Nickname          string
	PreferredUsername string // what they like to be called; it identifies nobody
	Website           string
	Gender            string
	Birthdate         string // YYYY-MM-DD, 0000-MM-DD or YYYY
	PhoneNumber       string // E.164
	Locale            string // BCP 47
	Zoneinfo          string // of the IANA database
	MiddleName        string
	ProfileURL        string `bun:"profile_url"` // of a page about them
	Address
}

// Address is where a user lives (OpenID Connect Core 1.0, section 5.1.1).
type Address struct {
	StreetAddress string
	Locality      string
	Region        string
	PostalCode    string
	Country       string
}

// User returns the user with an id.
func (r Reader) User(ctx context.Context, id string) (*User, error) {
	return cached(r, userKey, id, func() (*User, error) {
		return find[User](ctx, r, "id = ?", id)
	})
}

// UserByEmail returns the user with a normalized address.
func (r Reader) UserByEmail(ctx context.Context, email string) (*User, error) {
	return find[User](ctx, r, "email = ?", email)
}

// UserFilter says which users are meant; its zero value means all.
type UserFilter struct {
	// EmailPrefix is how the address begins.
	EmailPrefix string
	Status      Status
	Admin       *bool
	// HasFactor says whether they have a second factor: an authenticator app that
	// works, or a passkey.
	HasFactor *bool
	// Organization is the id of one that they are in.
	Organization string
}

// lastLetter comes after every letter that an address can hold.
const lastLetter = "\U0010FFFF"

// narrow leaves out of q who is not meant; users are the table
// "user", as bun calls it.
func (f UserFilter) narrow(q *bun.SelectQuery) *bun.SelectQuery {
	if f.EmailPrefix != "" {
		q.Where(`"user".email >= ? AND "user".email < ?`, f.EmailPrefix, f.EmailPrefix+lastLetter)
	}
	if f.Status != "" {
		q.Where(`"user".status = ?`, f.Status)
	}
	if f.Admin != nil {
		q.Where(`"user".is_admin = ?`, *f.Admin)
	}
	if f.HasFactor != nil {
		q.Where(`? = (EXISTS (SELECT 1 FROM passkeys AS p WHERE p.user_id = "user".id) OR
			EXISTS (SELECT 1 FROM totps AS o WHERE o.user_id = "user".id AND o.confirmed_at IS NOT NULL))`, *f.HasFactor)
	}
	return q
}

// Users returns at most limit users of a filter with addresses after the given
// one, in the order of their addresses. [Reader.UsersIn] heeds an organization.
func (r Reader) Users(ctx context.Context, f UserFilter, after string, limit int) ([]User, error) {
	var users []User
	err := r.usersByEmail(&users, f, after, limit).Scan(ctx)
	return users, translate(err)
}

func (r Reader) usersByEmail(users *[]User, f UserFilter, after string, limit int) *bun.SelectQuery {
	q := r.bun.NewSelect().Conn(r.conn).Model(users)
	if f.EmailPrefix != "" {
		q.Where(`"user".email < ?`, f.EmailPrefix+lastLetter)
	}
	// One lower bound: of two, SQLite might begin at the lower.
	if strings.HasPrefix(after, f.EmailPrefix) {
		q.Where(`"user".email > ?`, after)
	} else {
		q.Where(`"user".email >= ?`, max(f.EmailPrefix, after))
	}
	f.EmailPrefix = ""
	return f.narrow(q).OrderExpr(`"user".email`).Limit(int64(limit))
}

// UsersIn returns at most limit users of a filter that names an organization
// with ids after the given one, in the order of their ids.
func (r Reader) UsersIn(ctx context.Context, f UserFilter, after string, limit int) ([]User, error) {
	var users []User
	err := r.usersIn(&users, f, after, limit).Scan(ctx)
	return users, translate(err)
}

func (r Reader) usersIn(users *[]User, f UserFilter, after string, limit int) *bun.SelectQuery {
	// SQLite keeps to the order of a CROSS JOIN: who is in the organization comes first,
	// for what else is asked for may be true of many more.
	q := r.bun.NewSelect().Conn(r.conn).Model(users).
		ModelTableExpr(`members AS m CROSS JOIN users AS "user"`).Where(`m.user_id = "user".id`).
		Where("m.organization_id = ? AND m.user_id > ?", f.Organization, after)
	return f.narrow(q).OrderExpr("m.user_id").Limit(int64(limit))
}

// UsersFound returns at most limit users of a filter whose address, or any word
// of whose name, begins with text, after a place, and where each is.
func (r Reader) UsersFound(
	ctx context.Context, f UserFilter, text string, after TermKey, limit int,
) ([]User, []TermKey, error) {
	found, err := r.search(ctx, userTerms, text, after, limit, f.narrowFound)
	if err != nil {
		return nil, nil, err
	}
	return gather(ctx, r, found, func(u *User) string { return u.ID })
}

// narrowFound is narrow for what a search finds, the table t.
func (f UserFilter) narrowFound(q *bun.SelectQuery) {
	if f == (UserFilter{}) {
		return
	}
	f.narrow(q.Join(`JOIN users AS "user" ON "user".id = t.user_id`))
	if f.Organization != "" {
		q.Join("JOIN members AS m ON m.user_id = t.user_id AND m.organization_id = ?", f.Organization)
	}
}

// HasAdmin says whether any active user administers the server.
func (r Reader) HasAdmin(ctx context.Context) (bool, error) {
	n, err := r.CountAdmins(ctx)
	return n > 0, err
}

// CountAdmins returns how many active users administer the server.
func (r Reader) CountAdmins(ctx context.Context) (int64, error) {
	n, err := r.bun.NewSelect().Conn(r.conn).Model((*User)(nil)).
		Where("is_admin = TRUE AND status = ?", Active).Count(ctx)
	return n, translate(err)
}

// InsertUser adds a user; [ErrTaken] says that the address is in use.
func (tx *Tx) InsertUser(ctx context.Context, u *User) error {
	if err := insert(ctx, tx, u); err != nil {
		return err
	}
	return tx.index(ctx, userTerms, u.ID, u.Email, u.FullName)
}

// SaveUser writes every column of u but the one that says since when they are
// signed out everywhere, which is for [Tx.RevokeUser]; [ErrTaken] says that the
// address is in use.
func (tx *Tx) SaveUser(ctx context.Context, u *User) error {
	tx.change(userKey, u.ID)
	if err := tx.reindex(ctx, userTerms, u.ID, u.Email, u.FullName); err != nil {
		return err
	}
	return save(ctx, tx, u, "signed_out_at")
}

// Stay has a user be as they are until tx ends: who ends all that is theirs by [DB.UpdateFor]
// waits for that, or comes first and is seen. SQLite has one transaction at a time anyhow.
func (tx *Tx) Stay(ctx context.Context, id string) error {
	if tx.bun.Dialect().Name() != dialect.PG {
		return nil
	}
	if _, err := tx.conn.hot(ctx, "SELECT pg_advisory_xact_lock_shared(?, ?)", userLock, lockOf(id)); err != nil {
		return translate(err)
	}
	// Whoever has changed them since the transaction began has it begin anew. A lock that is shared
	// would have two that change the user wait for each other.
	_, err := tx.conn.hot(ctx, "SELECT 1 FROM users WHERE id = ? FOR NO KEY UPDATE", id)
	return translate(err)
}

// RevokeUser ends every session and grant of a user that began up to at.
func (tx *Tx) RevokeUser(ctx context.Context, id string, at time.Time) error {
	if err := tx.revokeLater(ctx, id, at); err != nil {
		return err
	}
	tx.change(userKey, id)
	res, err := tx.bun.NewUpdate().Conn(tx.conn).Model((*User)(nil)).
		Set("signed_out_at = ?", At(at)).Where("id = ?", id).Exec(ctx)
	if err != nil {
		return translate(err)
	}
	return one(res)
}

// revokeLater ends what a user has that began after a time, and was kept before this transaction:
// between the time and the transaction, or by another node, whose clock is ahead.
func (tx *Tx) revokeLater(ctx context.Context, id string, at time.Time) error {
	const later, reason = "user_id = ? AND created_at > ?", "signed out everywhere"
	if _, err := tx.revokeSessions(ctx, reason, at, later+" AND revoked_at IS NULL", id, At(at)); err != nil {
		return err
	}
	if _, err := tx.revokeGrants(ctx, reason, at, later+" AND revoked_at IS NULL", id, At(at)); err != nil {
		return err
	}
	if err := tx.changeAPITokens(ctx, later, id, At(at)); err != nil {
		return err
	}
	if _, err := remove[APIToken](ctx, tx, later, id, At(at)); err != nil {
		return err
	}
	_, err := remove[FirstFactor](ctx, tx, later, id, At(at))
	return err
}

// DeleteUser deletes a user with everything that is theirs.
func (tx *Tx) DeleteUser(ctx context.Context, id string) error {
	if err := tx.changeSessions(ctx, "user_id = ?", id); err != nil {
		return err
	}
	if err := tx.changeGrants(ctx, "user_id = ?", id); err != nil {
		return err
	}
	if err := tx.changeMembers(ctx, "user_id = ? OR invited_by_id = ?", id, id); err != nil {
		return err
	}
	if err := tx.changeAPITokens(ctx, "user_id = ? OR created_by_id = ?", id, id); err != nil {
		return err
	}
	tx.change(userKey, id)
	tx.change(passwordKey, id)
	n, err := remove[User](ctx, tx, "id = ?", id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
