package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// errCursor refuses what no list has answered with.
var errCursor = fault.Field("cursor", "Not a cursor of this list.")

// Search returns to an administrator at most limit users of a filter whose id
// is text, or whose address or any word of whose name begins with it, after
// the place that an earlier page ended with, and where this one ends: "" if
// there are no more. Without a text it lists them all.
func (s *Service) Search(
	ctx context.Context, by audit.Actor, f Filter, text, after string, limit int,
) (users []storage.User, next string, err error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, "", err
	}
	f.EmailPrefix = strings.ToLower(f.EmailPrefix)
	text = strings.TrimSpace(text)
	var key func(i int) string
	switch {
	case isID(text):
		users, err = s.withID(ctx, f, text)
	case text != "":
		from, ok := storage.ParseTermKey(after)
		if !ok {
			return nil, "", errCursor
		}
		var keys []storage.TermKey
		users, keys, err = s.db.UsersFound(ctx, f, text, from, limit+1)
		key = func(i int) string { return keys[i].String() }
	case f.Organization != "":
		users, err = s.db.UsersIn(ctx, f, after, limit+1)
		key = func(i int) string { return users[i].ID }
	default:
		users, err = s.db.Users(ctx, f, strings.ToLower(after), limit+1)
		key = func(i int) string { return users[i].Email }
	}
	if err != nil {
		return nil, "", fmt.Errorf("list users: %w", err)
	}
	if len(users) > limit {
		users, next = users[:limit], key(limit-1)
	}
	return users, next, nil
}

func isID(text string) bool { return uuid.Validate(text) == nil && len(text) == len(uuid.Nil.String()) }

// withID returns the user with an id if they are of a filter.
func (s *Service) withID(ctx context.Context, f Filter, id string) ([]storage.User, error) {
	u, err := s.db.User(ctx, strings.ToLower(id))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if f.Status != "" && u.Status != f.Status || f.Admin != nil && u.IsAdmin != *f.Admin ||
		!strings.HasPrefix(u.Email, f.EmailPrefix) {
		return nil, nil
	}
	if f.HasFactor != nil {
		have, err := FactorsOf(ctx, s.db.Reader, u.ID)
		if err != nil || have.Any() != *f.HasFactor {
			return nil, err
		}
	}
	if f.Organization != "" {
		_, err := s.db.Member(ctx, f.Organization, u.ID)
		if errors.Is(err, storage.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return []storage.User{*u}, nil
}

// Correction is what an administrator changes of a user; nil leaves it as it is.
type Correction struct {
	FullName      *string
	Admin         *bool
	EmailVerified *bool
	// Profile is what [Service.ChangeProfile] takes.
	Profile map[string]string
}

// Correct changes a user on behalf of an administrator. [ErrLastAdmin] if no
// administrator would be left, whoever asks. Nothing is written or recorded if
// nothing becomes another.
func (s *Service) Correct(
	ctx context.Context, by audit.Actor, userID string, in Correction,
) (user *storage.User, err error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	if in.FullName != nil {
		name, err := ParseName(*in.FullName)
		if err != nil {
			return nil, err
		}
		in.FullName = &name
	}
	if in.Profile, err = parseProfile(in.Profile); err != nil {
		return nil, err
	}
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if user, err = load(ctx, tx, userID); err != nil {
			return err
		}
		if in.Admin != nil && !*in.Admin {
			if err := isNotLastAdmin(ctx, tx, user); err != nil {
				return err
			}
		}
		changed := in.writeTo(user, now)
		if len(changed) == 0 {
			return nil
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.User, userID, changedFields(changed)...); err != nil {
			return err
		}
		if slices.Contains(strings.Fields(changed["fields"]), pictureField) {
			if err := dropPicture(ctx, tx, userID); err != nil {
				return err
			}
		}
		user.UpdatedAt = storage.At(now)
		if err := tx.SaveUser(ctx, user); err != nil {
			return fmt.Errorf("change user %s: %w", userID, err)
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "user.update", TargetKind: "user", TargetID: userID, Details: changed,
		})
	})
	return user, err
}

// writeTo writes the correction to u and returns what became another, as the
// audit log shows it: of a name only that it did.
func (c Correction) writeTo(u *storage.User, now time.Time) map[string]string {
	changed := map[string]string{}
	fields := apply(u, c.Profile)
	if c.FullName != nil && *c.FullName != u.FullName {
		u.FullName, fields = *c.FullName, append(fields, "full_name")
	}
	if len(fields) > 0 {
		changed["fields"] = strings.Join(fields, " ")
	}
	if c.Admin != nil && *c.Admin != u.IsAdmin {
		u.IsAdmin, changed["is_admin"] = *c.Admin, strconv.FormatBool(*c.Admin)
	}
	if c.EmailVerified != nil && *c.EmailVerified == u.EmailVerifiedAt.IsZero() {
		u.EmailVerifiedAt, changed["email_verified"] = storage.Time{}, strconv.FormatBool(*c.EmailVerified)
		if *c.EmailVerified {
			u.EmailVerifiedAt = storage.At(now)
		}
	}
	return changed
}

// changedFields are the fields that an event says have become another.
func changedFields(changed map[string]string) []string {
	fields := strings.Fields(changed["fields"])
	for name := range changed {
		if name != "fields" {
			fields = append(fields, name)
		}
	}
	return fields
}

// isNotLastAdmin is [ErrLastAdmin] for the only active administrator.
func isNotLastAdmin(ctx context.Context, tx *storage.Tx, user *storage.User) error {
	if !user.IsAdmin || user.Status != storage.Active {
		return nil
	}
	n, err := tx.CountAdmins(ctx)
	if err == nil && n < 2 {
		return ErrLastAdmin
	}
	return err
}

// Addresses returns to an administrator the addresses of the users among some ids.
func (s *Service) Addresses(ctx context.Context, by audit.Actor, ids []string) (map[string]string, error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !isID(id) })
	users, err := s.db.UsersByID(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look users up: %w", err)
	}
	out := make(map[string]string, len(users))
	for id, u := range users {
		out[id] = u.Email
	}
	return out, nil
}
