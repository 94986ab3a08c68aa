package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"authy/server/account"
	"authy/server/managed"
	"authy/storage"
)

// users are the users of a document, who is to administer the server before others: the
// last administrator can be none any more only when there is another.
// users has users be what the document says: administrators first, as the last one can be none
// any more only when there is another, and whoever gives an address up before its next owner.
func (r *run) users(ctx context.Context) error {
	users := slices.Clone(r.doc.Users)
	rank := func(u *User) int {
		if u.IsAdmin && u.Status == "active" {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(users, func(a, b *User) int { return rank(a) - rank(b) })
	byID := map[string]*User{}
	for _, u := range users {
		byID[u.ID] = u
	}
	users, err := inOrder(users, func(u *User) (*User, error) {
		if u.ID == "" {
			return nil, nil //nolint:nilnil // nobody
		}
		holder, err := r.tx.UserByEmail(ctx, u.Email)
		if errors.Is(err, storage.ErrNotFound) {
			return nil, nil //nolint:nilnil // likewise
		}
		if err != nil {
			return nil, fmt.Errorf("look user %s up: %w", u.Email, err)
		}
		return byID[holder.ID], nil
	})
	if err != nil {
		return err
	}
	return r.each(entriesOf(users))(ctx)
}

func (u *User) label() (kind, name string) { return managed.User, u.Email }

func (u *User) alias() map[string]string {
	names := map[string]string{"password_hash": "password_hash_file"}
	if u.HashEnv != "" {
		names["password_hash"] = "password_hash_env"
	}
	for name := range u.Profile {
		names[name] = "profile." + name
	}
	return names
}

func (u *User) find(ctx context.Context, r *run) (string, error) {
	if u.ID != "" {
		_, err := r.tx.User(ctx, u.ID)
		if err == nil {
			return u.ID, nil
		}
		if !errors.Is(err, storage.ErrNotFound) {
			return "", fmt.Errorf("look user %s up: %w", u.ID, err)
		}
	}
	known, err := r.tx.UserByEmail(ctx, u.Email)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("look user %s up: %w", u.Email, err)
	case u.ID != "":
		r.source.note(join(u.path, "email"), "the user with this address has the id %s here, not the one that is given", known.ID)
		return "", errRefused
	}
	return known.ID, r.mayTrust(ctx, join(u.path, "email"), known)
}

// mayTrust refuses the account with an address that a file names, where somebody may have
// registered it before the one who is meant: nobody has shown that the address is theirs, and
// no file has made it. Who names its id means it.
func (r *run) mayTrust(ctx context.Context, path string, known *storage.User) error {
	if r.options.Take || !known.EmailVerifiedAt.IsZero() {
		return nil
	}
	mark, err := managed.Find(ctx, r.tx.Reader, managed.User, known.ID)
	if err != nil || mark != nil {
		return err
	}
	r.source.note(path, "somebody has registered %s, and has not shown that the address is theirs; if it is them, name them under [[user]] "+
		"with the id %s, or run 'authy user verify-email'; if not, 'authy user delete'", known.Email, known.ID)
	return errRefused
}

func (u *User) write(ctx context.Context, r *run, id string) (string, error) {
	accounts := r.rules.Accounts
	if id == "" {
		made, err := accounts.Create(ctx, r.by, account.NewUser{
			ID: u.ID, Email: u.Email, EmailVerified: u.EmailVerified == nil || *u.EmailVerified, Admin: u.IsAdmin, NoPassword: true,
		})
		if err != nil {
			return "", err
		}
		id = made.ID
	}
	before, err := r.tx.User(ctx, id)
	if err != nil {
		return "", fmt.Errorf("look user %s up: %w", id, err)
	}
	if before.Email != u.Email {
		if err := accounts.SetEmail(ctx, r.by, id, u.Email); err != nil {
			return "", err
		}
	}
	correction := account.Correction{FullName: u.FullName, Admin: &u.IsAdmin, Profile: u.Profile}
	if u.EmailVerified != nil && *u.EmailVerified { // who has shown theirs keeps that
		correction.EmailVerified = u.EmailVerified
	}
	_, err = accounts.Correct(ctx, r.by, id, correction)
	if err != nil {
		return "", err
	}
	switch {
	case u.Status == "suspended" && before.Status != storage.Suspended:
		err = accounts.Suspend(ctx, r.by, id)
	case u.Status == "active" && before.Status != storage.Active:
		err = accounts.Activate(ctx, r.by, id)
	}
	if err != nil || u.hash == "" {
		return id, err
	}
	return id, u.writeHash(ctx, r, id)
}

// writeHash gives a user their first password.
// writeHash gives a user their first password, once: who has lost it since, by whatever there
// was against it, does not have it back.
func (u *User) writeHash(ctx context.Context, r *run, id string) error {
	if r.mark != nil && slices.ContainsFunc(r.mark.Fields, func(key string) bool { return strings.HasPrefix(key, "password_hash_") }) {
		return nil
	}
	kept, err := r.rules.Accounts.KeepHash(ctx, r.by, id, u.hash)
	if kept {
		r.aside = append(r.aside, Field{Key: "password"})
	}
	return err
}

func (u *User) describe(ctx context.Context, r *run, id string) (entry, error) {
	user, err := r.tx.User(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look user %s up: %w", id, err)
	}
	return r.describeUser(user), nil
}

// picture is the field of a profile that is not in a file where authy keeps it.
// picture and verified are keys of a user.
const (
	picture  = "avatar_url"
	verified = "email_verified"
)

func (r *run) describeUser(user *storage.User) *User {
	isVerified := !user.EmailVerifiedAt.IsZero()
	u := &User{
		ID: user.ID, Email: user.Email, EmailVerified: &isVerified, Status: string(user.Status), IsAdmin: user.IsAdmin,
		Profile: account.ProfileOf(user),
	}
	if user.FullName != "" {
		u.FullName = &user.FullName
	}
	maps.DeleteFunc(u.Profile, func(name, text string) bool { return text == "" || name == "full_name" })
	if r.rules.Accounts.PicturePath(user) != "" {
		delete(u.Profile, picture)
	}
	return u
}
