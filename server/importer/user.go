package importer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/uuid"

	"authy/server/account"
	"authy/storage"
)

// here is why nothing is added to a user who was here before.
const here = "its user was here before, and keeps what they have"

// user brings a user with what is theirs, unless they are here.
func (r *run) user(ctx context.Context, u *User) error {
	email, err := account.ParseEmail(u.Email)
	if err != nil {
		r.leaveUser(u, u.Email, "the address cannot be one: "+fieldProblem(err))
		return nil
	}
	if uuid.Validate(u.ID) != nil {
		r.leaveUser(u, email, "the id is no UUID, and sub would be another")
		return nil
	}
	known, err := r.tx.User(ctx, u.ID)
	if err == nil {
		return r.userHere(ctx, u, email, known)
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("look user %s up: %w", u.ID, err)
	}
	other, err := r.tx.UserByEmail(ctx, email)
	switch {
	case err == nil:
		r.leaveUser(u, email, "the address is here already, of the user "+other.ID+
			", who is left as they are: change one of the two addresses, and import again")
		return nil
	case !errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("look %s up: %w", email, err)
	}
	return r.newUser(ctx, u, email)
}

// leaveUser leaves a user out, and with them what is theirs.
func (r *run) leaveUser(u *User, name, reason string) {
	r.leave(aUser, name, u.ID, reason)
	r.users[u.ID] = arrival{name, LeftOut}
	r.eachMethod(u, func(kind, method, id string) {
		r.leave(kind, join(name, method), id, "its user was left out")
	})
}

// eachMethod calls do with each way in which a user signs in.
func (r *run) eachMethod(u *User, do func(kind, name, id string)) {
	if u.PasswordHash != "" {
		do(aPassword, "", "")
	}
	if u.TOTP != nil {
		do(aTOTP, "", "")
	}
	for _, p := range u.Passkeys {
		do(aPasskey, p.Name, p.ID)
	}
	for _, l := range u.Links {
		do(aLink, l.Kind, l.ID)
	}
}

func join(user, what string) string {
	if what == "" {
		return user
	}
	return user + " · " + what
}

func (r *run) newUser(ctx context.Context, u *User, email string) error {
	notes := slices.Clone(u.Notes)
	name, picture, problems := account.CleanProfile(u.FullName, u.AvatarURL)
	notes = append(notes, problems...)
	ip := ipOf(u.LastLoginIP)
	if ip == "" && u.LastLoginIP != "" {
		notes = append(notes, "the address of the last sign-in was left out: it is no IP address")
	}
	if email != u.Email {
		notes = append(notes, "the address is "+email+" here, of "+u.Email)
	}
	record := &storage.User{
		ID: u.ID, Email: email, FullName: name, AvatarURL: picture, Status: u.Status,
		CreatedAt: r.at(u.CreatedAt), UpdatedAt: r.at(u.UpdatedAt),
		LastLoginAt: storage.At(u.LastLoginAt), LastLoginIP: ip,
	}
	if u.EmailVerified || r.options.EmailsVerified {
		record.EmailVerifiedAt = storage.At(r.now)
	}
	hash := u.PasswordHash
	problem := ""
	if hash != "" {
		problem = account.PasswordProblem(hash)
	}
	if problem != "" {
		hash = ""
	}
	if err := r.accounts.ImportUser(ctx, r.tx, r.by, r.now, r.in.Source, record, hash); err != nil {
		return err
	}
	r.users[u.ID] = arrival{email, Came}
	r.note(aUser, email, u.ID, Came, notes...)
	switch {
	case problem != "":
		r.leave(aPassword, email, "", problem+": they need a new password")
	case hash != "":
		r.note(aPassword, email, "", Came)
	}
	return r.methods(ctx, u, email)
}

// ipOf returns an IP address as it is kept here, "" for what is none.
func ipOf(text string) string {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	return ip.Unmap().WithZone("").String()
}

// userHere says what there is of a user who is here. Links come along later than their user,
// too, once their provider is there, until the user has signed in here: from then on a link
// that is missing may be one that they have undone.
func (r *run) userHere(ctx context.Context, u *User, email string, known *storage.User) error {
	var notes []string
	if known.Email != email {
		notes = append(notes, "has the address "+known.Email+" here")
	}
	r.users[u.ID] = arrival{email, WasThere}
	r.note(aUser, email, u.ID, WasThere, notes...)
	have, err := r.methodsHere(ctx, u)
	if err != nil {
		return err
	}
	asImported := known.LastLoginAt.Equal(storage.At(u.LastLoginAt).Time)
	r.eachMethod(u, func(kind, name, id string) {
		switch {
		case have[kind+id]:
			r.note(kind, join(email, name), id, WasThere)
		case kind != aLink || !asImported:
			r.leave(kind, join(email, name), id, here)
		}
	})
	for i := range u.Links {
		if l := &u.Links[i]; asImported && !have[aLink+l.ID] {
			if err := r.link(ctx, u.ID, email, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// methodsHere says which ways a user who is here has, by kind and id.
func (r *run) methodsHere(ctx context.Context, u *User) (map[string]bool, error) {
	password, err := account.HasPassword(ctx, r.tx.Reader, u.ID)
	if err != nil {
		return nil, err
	}
	factors, err := account.FactorsOf(ctx, r.tx.Reader, u.ID)
	if err != nil {
		return nil, err
	}
	have := map[string]bool{aPassword: password, aTOTP: factors.TOTP}
	for i := range u.Passkeys {
		p := record(u.ID, &u.Passkeys[i])
		if account.CleanPasskey(p) != nil {
			continue
		}
		kept, err := r.tx.PasskeyByCredential(ctx, p.CredentialID)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, fmt.Errorf("look a passkey of %s up: %w", u.ID, err)
		}
		have[aPasskey+u.Passkeys[i].ID] = err == nil && kept.UserID == u.ID
	}
	for i := range u.Links {
		l := &u.Links[i]
		p, issuer, problem := r.provider(l)
		if problem != "" {
			continue
		}
		kept, err := r.tx.IdentityOf(ctx, p.ID, issuer, l.Subject)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, fmt.Errorf("look a link of %s up: %w", u.ID, err)
		}
		have[aLink+l.ID] = err == nil && kept.UserID == u.ID
	}
	return have, nil
}
