// Package account decides about users and how they prove who they are. It
// refuses to know about sessions, protocols and pages, but for listing them in
// an export: server/login asks it, one step at a time. Read account.go for the
// life of a user, profile.go and export.go for what they say and what is kept,
// then a file for each way to prove who one is.
package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/logout"
	"authy/server/mail"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// What account refuses.
var (
	ErrEmailTaken = fault.New(fault.Conflict, "email_taken", "Email address already registered")
	ErrNoUser     = fault.New(fault.NotFound, "user_not_found", "User not found")
	ErrForbidden  = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
	ErrLastAdmin  = fault.New(fault.Conflict, "last_admin",
		"This is the only administrator; make someone else one first.")
	ErrLastOwner = fault.New(fault.Conflict, "last_owner",
		"The user is the only owner of an organization; make someone else its owner first.")
)

// User is a user as it is kept.
type User = storage.User

// Status says whether a user may sign in.
type Status = storage.Status

// maxName is the longest full name, in characters.
const maxName = 255

// Service decides about users.
type Service struct {
	// Mail sends links and notices; nil sends none.
	Mail *mail.Queue
	// PublicURL is where pictures are; it ends without a slash.
	PublicURL string
	// Limits count the pictures that are drawn; nil counts none.
	Limits *limit.Limits

	db      *storage.DB
	hasher  *Hasher
	drawing chan struct{} // holds one for each picture that is drawn just now
}

// New returns the service over db; passwords are hashed by hasher.
func New(db *storage.DB, hasher *Hasher) *Service {
	return &Service{db: db, hasher: hasher, drawing: make(chan struct{}, 1)}
}

// HashingLoad is how much the hashing of passwords has to do.
func (s *Service) HashingLoad() Load { return s.hasher.Load() }

// In returns s over db, such as a transaction that it takes part in ([storage.DB.In]).
func (s *Service) In(db *storage.DB) *Service {
	in := *s
	in.db = db
	return &in
}

// Draft is a checked user who is not added yet, password hashed.
type Draft struct {
	user storage.User
	hash string // "" for no password
}

// Email returns the address of the user who is to be added.
func (d *Draft) Email() string { return d.user.Email }

// NewUser describes a user to be added.
type NewUser struct {
	Email         string
	FullName      string
	Password      string
	EmailVerified bool
	Admin         bool
	// AnyPassword lets an operator set a password that the policy refuses,
	// such as those of the sample data.
	AnyPassword bool
	// NoPassword adds a user who cannot sign in by password yet.
	NoPassword bool
	// ID is the user's, where an operator knows it from elsewhere; "" has one made.
	ID string
}

// Draft checks in and hashes the password, which takes a while: it is done
// before the transaction that adds the user.
func (s *Service) Draft(ctx context.Context, in NewUser) (*Draft, error) {
	problems := map[string][]string{}
	email, err := ParseEmail(in.Email)
	collect(problems, err)
	name, err := ParseName(in.FullName)
	collect(problems, err)
	if !in.AnyPassword && !in.NoPassword {
		collect(problems, CheckPolicy("password", in.Password, email, name))
	}
	if err := fault.Fields(problems); err != nil {
		return nil, err
	}
	if in.ID == "" {
		in.ID = storage.NewID()
	}
	if !isID(in.ID) {
		return nil, fault.Field("id", "Must be a UUID.")
	}
	d := &Draft{user: storage.User{
		ID: strings.ToLower(in.ID), Email: email, FullName: name, Status: storage.Active, IsAdmin: in.Admin,
	}}
	if !in.NoPassword {
		if d.hash, err = s.hasher.Hash(ctx, in.Password); err != nil {
			return nil, err
		}
	}
	if in.EmailVerified {
		d.user.EmailVerifiedAt = storage.At(steady.Now())
	}
	return d, nil
}

func collect(problems map[string][]string, err error) {
	if f, ok := fault.As(err); ok {
		for name, texts := range f.Fields {
			problems[name] = append(problems[name], texts...)
		}
	}
}

// ParseName returns a full name as it is kept.
func ParseName(text string) (string, error) {
	name, problem := words(maxName)(strings.TrimSpace(text))
	if problem != "" {
		return "", fault.Field("full_name", problem)
	}
	return name, nil
}

// Add adds the user of a draft in tx. [ErrEmailTaken] if the address is in use.
func (s *Service) Add(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, d *Draft) (*storage.User, error) {
	user := d.user
	user.CreatedAt, user.UpdatedAt = storage.At(now), storage.At(now)
	if err := tx.InsertUser(ctx, &user); errors.Is(err, storage.ErrTaken) {
		return nil, ErrEmailTaken
	} else if err != nil {
		return nil, fmt.Errorf("add user %s: %w", user.ID, err)
	}
	if d.hash != "" {
		err := tx.SavePassword(ctx, &storage.Password{UserID: user.ID, Hash: d.hash, ChangedAt: storage.At(now)})
		if err != nil {
			return nil, fmt.Errorf("add password of %s: %w", user.ID, err)
		}
	}
	return &user, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "user.register", TargetKind: "user", TargetID: user.ID,
	})
}

// Create adds a user on behalf of an operator.
func (s *Service) Create(ctx context.Context, by audit.Actor, in NewUser) (*storage.User, error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	draft, err := s.Draft(ctx, in)
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	var user *storage.User
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		user, err = s.Add(ctx, tx, by, now, draft)
		return err
	})
	return user, err
}

// Find returns the user with an address or an id.
func (s *Service) Find(ctx context.Context, emailOrID string) (*storage.User, error) {
	find := s.db.User
	if strings.ContainsRune(emailOrID, 0) {
		return nil, ErrNoUser // storage refuses such text
	}
	if strings.Contains(emailOrID, "@") {
		email, err := ParseEmail(emailOrID)
		if err != nil {
			return nil, err
		}
		find, emailOrID = s.db.UserByEmail, email
	}
	user, err := find(ctx, emailOrID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNoUser
	}
	return user, err
}

// Filter says which users are meant; its zero value means all.
type Filter = storage.UserFilter

// Show returns to an administrator the user with an address or an id.
func (s *Service) Show(ctx context.Context, by audit.Actor, emailOrID string) (*storage.User, error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	return s.Find(ctx, emailOrID)
}

// Suspend stops a user from signing in and ends everything they have open.
func (s *Service) Suspend(ctx context.Context, by audit.Actor, userID string) error {
	return s.change(ctx, by, userID, "user.suspend", func(tx *storage.Tx, u *storage.User, now time.Time) error {
		u.Status = storage.Suspended
		return logout.Everywhere(ctx, tx, now, u)
	})
}

// Activate lets a suspended user sign in again.
func (s *Service) Activate(ctx context.Context, by audit.Actor, userID string) error {
	return s.change(ctx, by, userID, "user.activate", func(_ *storage.Tx, u *storage.User, _ time.Time) error {
		u.Status = storage.Active
		return nil
	})
}

// Unlock forgives the attempts to sign in as a user that failed, from wherever.
func (s *Service) Unlock(ctx context.Context, by audit.Actor, userID string) error {
	return s.change(ctx, by, userID, "user.unlock", func(_ *storage.Tx, u *storage.User, now time.Time) error {
		u.UnlockedAt = storage.At(now)
		return nil
	})
}

// SignOut ends every session and grant of a user.
func (s *Service) SignOut(ctx context.Context, by audit.Actor, userID string) error {
	return s.change(ctx, by, userID, "session.revoke_all", func(tx *storage.Tx, u *storage.User, now time.Time) error {
		return logout.Everywhere(ctx, tx, now, u)
	})
}

// withUser has write change what is kept of a user, in a transaction of its own.
func (s *Service) withUser(
	ctx context.Context, userID string, write func(tx *storage.Tx, user *User, now time.Time) error,
) error {
	now := steady.Now()
	return s.db.UpdateFor(ctx, userID, func(tx *storage.Tx) error {
		user, err := load(ctx, tx, userID)
		if err != nil {
			return err
		}
		return write(tx, user, now)
	})
}

// change applies what an operator or administrator does to a user.
func (s *Service) change(
	ctx context.Context, by audit.Actor, userID, action string,
	apply func(tx *storage.Tx, u *storage.User, now time.Time) error,
) error {
	if err := s.mayAdminister(ctx, by); err != nil {
		return err
	}
	return s.withUser(ctx, userID, func(tx *storage.Tx, user *User, now time.Time) error {
		if action == "user.suspend" {
			if err := keepsAnAdmin(ctx, tx, by, user); err != nil {
				return err
			}
		}
		if action == "user.suspend" || action == "user.activate" {
			if err := managed.Refuse(ctx, tx.Reader, by, managed.User, userID); err != nil {
				return err
			}
		}
		if err := apply(tx, user, now); err != nil {
			return err
		}
		user.UpdatedAt = storage.At(now)
		if err := tx.SaveUser(ctx, user); err != nil {
			return fmt.Errorf("%s of %s: %w", action, userID, err)
		}
		return audit.Record(ctx, tx, by, now, audit.Event{Action: action, TargetKind: "user", TargetID: userID})
	})
}

// Delete deletes a user with everything that is theirs on behalf of an
// administrator. [ErrLastOwner] if that would leave an organization without an
// owner.
func (s *Service) Delete(ctx context.Context, by audit.Actor, userID string) error {
	if err := s.mayAdminister(ctx, by); err != nil {
		return err
	}
	return s.remove(ctx, by, userID)
}

// DeleteSelf is [Service.Delete] for a user who does it to themselves.
func (s *Service) DeleteSelf(ctx context.Context, by audit.Actor) error {
	if by.Kind != audit.User {
		return ErrForbidden
	}
	return s.remove(ctx, by, by.ID)
}

// DeleteSelfIn is [Service.DeleteSelf] in a transaction of the caller's.
func (s *Service) DeleteSelfIn(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time) error {
	if by.Kind != audit.User {
		return ErrForbidden
	}
	return s.removeIn(ctx, tx, by, now, by.ID)
}

func (s *Service) remove(ctx context.Context, by audit.Actor, userID string) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error { return s.removeIn(ctx, tx, by, now, userID) })
}

func (s *Service) removeIn(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID string) error {
	user, err := load(ctx, tx, userID)
	if err != nil {
		return err
	}
	if err := namedByNoFile(ctx, tx.Reader, by, userID); err != nil {
		return err
	}
	if err := keepsAnAdmin(ctx, tx, by, user); err != nil {
		return err
	}
	alone, err := tx.OwnsAlone(ctx, userID)
	if err != nil {
		return err
	}
	if alone {
		return ErrLastOwner
	}
	if err := logout.Delete(ctx, tx, now, userID); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, audit.Event{Action: "user.delete", TargetKind: "user", TargetID: userID})
}

// namedByNoFile is nil unless a file sets a user, or a place of theirs in an organization:
// without them, or under another address, it would name nobody.
func namedByNoFile(ctx context.Context, r storage.Reader, by audit.Actor, userID string) error {
	if err := managed.Refuse(ctx, r, by, managed.User, userID); err != nil {
		return err
	}
	places, err := r.Memberships(ctx, userID)
	if err != nil {
		return fmt.Errorf("organizations of %s: %w", userID, err)
	}
	ids := make([]string, len(places))
	for i := range places {
		ids[i] = places[i].ID
	}
	return managed.RefusePlaces(ctx, r, by, ids)
}

// keepsAnAdmin is nil unless by would leave the server without an
// administrator by doing away with user. An operator at the shell may: the next
// start prints a link that makes another. A file may not.
func keepsAnAdmin(ctx context.Context, tx *storage.Tx, by audit.Actor, user *storage.User) error {
	if by.Kind != audit.User && by.File == "" {
		return nil
	}
	return isNotLastAdmin(ctx, tx, user)
}

func load(ctx context.Context, tx *storage.Tx, userID string) (*storage.User, error) {
	if strings.ContainsRune(userID, 0) {
		return nil, ErrNoUser // storage refuses such text
	}
	user, err := tx.User(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNoUser
	}
	return user, err
}

// mayAdminister lets an operator at the shell, the server itself, and
// administrators through.
func (s *Service) mayAdminister(ctx context.Context, by audit.Actor) error {
	if by.Kind == audit.System {
		return nil
	}
	may, err := by.Administers(ctx, s.db.Reader)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}
