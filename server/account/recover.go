package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/mail"
	"authy/server/steady"
	"authy/storage"
)

// ErrRecovery is answered to a link that lets no administrator in any more.
var ErrRecovery = fault.New(fault.Forbidden, "recovery_link",
	"This link has been used, has expired, or is not one of this server's. For another, run: authy admin recover")

// Recovery says which administrator a link lets in, and how.
type Recovery struct {
	// User is their address or id; "" for the only administrator.
	User string
	// Create makes an administrator with that address, if nobody has it.
	Create bool
	// ResetFactors takes their second factors away, which are asked for otherwise.
	ResetFactors bool
}

// recovery is what a link does when it is used: until then nothing is changed.
type recovery struct {
	Create       bool // the administrator with the link's address
	Activate     bool // who could not sign in when the link was made
	ResetFactors bool
}

// RecoveryLink is a link that lets an administrator in.
type RecoveryLink struct {
	*HandedLink
	Created      bool    // nobody has the address yet: the link makes the account
	Activated    bool    // the account is suspended or inactive, and the link ends that
	ResetFactors bool    // the link takes the second factors away
	Factors      Factors // what is asked for after the link, if they stay
}

// NewRecoveryLink returns a link that signs an administrator in, whatever has become
// of their ways in, of the other administrators and of the providers. It is for the
// operator at the shell alone, who could do all of it in the database. A second factor
// stays and is asked for, unless in says otherwise.
func (s *Service) NewRecoveryLink(ctx context.Context, by audit.Actor, in Recovery) (*RecoveryLink, error) {
	if by.Kind != audit.Operator {
		return nil, ErrForbidden
	}
	user, err := s.toRecover(ctx, in)
	if err != nil {
		return nil, err
	}
	out, now := &RecoveryLink{ResetFactors: in.ResetFactors}, steady.Now()
	out.HandedLink = &HandedLink{User: user, ExpiresAt: now.Add(recoverLifetime)}
	out.Created, out.Activated = user.ID == "", user.ID != "" && !inStanding(user)
	if !out.Created && !in.ResetFactors {
		if out.Factors, err = FactorsOf(ctx, s.db.Reader, user.ID); err != nil {
			return nil, err
		}
	}
	plan, err := json.Marshal(recovery{out.Created, out.Activated, in.ResetFactors})
	if err != nil {
		return nil, fmt.Errorf("make a link to recover: %w", err)
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		secret, err := issue(ctx, tx, now, storage.Link{
			Purpose: storage.RecoverLink, UserID: storage.Ref(user.ID), Email: user.Email, Data: plan,
		}, recoverLifetime)
		if err != nil {
			return err
		}
		out.Path = recoverPage + secret
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "admin.recovery_requested", TargetKind: "user", TargetID: user.ID,
			Details: recoveryFacts(out.Created, out.Activated, in.ResetFactors),
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// recoveryFacts says in the audit log what a link does beside letting somebody in.
func recoveryFacts(created, activated, reset bool) map[string]string {
	facts := map[string]string{}
	for name, is := range map[string]bool{"created": created, "activated": activated, "factors_reset": reset} {
		if is {
			facts[name] = "true"
		}
	}
	return facts
}

// toRecover returns the administrator whom in names, without an id if they are to be made.
func (s *Service) toRecover(ctx context.Context, in Recovery) (*User, error) {
	admins, err := s.admins(ctx)
	if err != nil {
		return nil, err
	}
	if in.User == "" {
		if len(admins) == 1 && !in.Create {
			return &admins[0], nil
		}
		return nil, errors.New("say whom the link is for: " + those(admins))
	}
	user, err := s.Find(ctx, in.User)
	switch {
	case errors.Is(err, ErrNoUser) && in.Create:
		draft, err := s.Draft(ctx, NewUser{Email: in.User, NoPassword: true})
		if err != nil {
			return nil, err
		}
		return &User{Email: draft.user.Email}, nil
	case errors.Is(err, ErrNoUser):
		return nil, fmt.Errorf("there is no user %s; %s", in.User, those(admins))
	case err != nil:
		return nil, err
	case !user.IsAdmin:
		return nil, fmt.Errorf("%s is no administrator; to make them one, run: authy user update %[1]s --admin", user.Email)
	}
	return user, nil
}

// namedAdmins is how many administrators are named where one must be chosen.
const namedAdmins = 20

func (s *Service) admins(ctx context.Context) ([]User, error) {
	admins, err := s.db.Users(ctx, Filter{Admin: new(true)}, "", namedAdmins)
	if err != nil {
		return nil, fmt.Errorf("list the administrators: %w", err)
	}
	return admins, nil
}

// those names administrators, and how there comes to be another.
func those(admins []User) string {
	const another = "; to make one, run: authy admin recover EMAIL --create"
	if len(admins) == 0 {
		return "there is no administrator" + another
	}
	names := make([]string, len(admins))
	for i := range admins {
		names[i] = admins[i].Email
		if !inStanding(&admins[i]) {
			names[i] += " (" + string(admins[i].Status) + ")"
		}
	}
	return "the administrators are " + strings.Join(names, ", ") + another
}

// CheckRecoveryLink returns the address of the administrator whom a link lets in.
// [ErrRecovery] if it lets nobody in.
func (s *Service) CheckRecoveryLink(ctx context.Context, secret string) (email string, err error) {
	l, err := s.db.Link(ctx, storage.RecoverLink, storage.Hash(secret))
	if errors.Is(err, storage.ErrNotFound) || err == nil && !l.ExpiresAt.After(steady.Now()) {
		return "", ErrRecovery
	}
	if err != nil {
		return "", fmt.Errorf("look a link up: %w", err)
	}
	return l.Email, nil
}

// Recover uses a link up in tx and returns the administrator whom it lets in, who can
// sign in from now on. [ErrRecovery] if it lets nobody in.
func (s *Service) Recover(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, secret string,
) (*User, error) {
	l, err := take(ctx, tx, now, storage.RecoverLink, secret)
	if errors.Is(err, ErrLink) {
		return nil, ErrRecovery
	}
	if err != nil {
		return nil, err
	}
	var plan recovery
	if err := json.Unmarshal(l.Data, &plan); err != nil {
		return nil, fmt.Errorf("read what a link does: %w", err)
	}
	user, err := s.recovered(ctx, tx, by, now, l, plan)
	if err != nil {
		return nil, err
	}
	by = by.As(user.ID)
	if plan.Activate && !inStanding(user) {
		if err := s.reactivate(ctx, tx, by, now, user); err != nil {
			return nil, err
		}
	}
	if !user.IsAdmin || !inStanding(user) {
		return nil, ErrRecovery // somebody has changed that since the link was made
	}
	if plan.ResetFactors {
		if err := dropFactors(ctx, tx, user.ID); err != nil {
			return nil, err
		}
	}
	if err := s.Mail.Notice(ctx, tx, by, now, user, mail.Recovered, ""); err != nil {
		return nil, err
	}
	return user, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "admin.recovered", TargetKind: "user", TargetID: user.ID,
		Details: recoveryFacts(plan.Create, plan.Activate, plan.ResetFactors),
	})
}

// recovered returns the user of a link, who is made if the link says so and nobody
// has the address yet.
func (s *Service) recovered(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, l *storage.Link, plan recovery,
) (*User, error) {
	find, key := tx.User, string(l.UserID)
	if plan.Create {
		find, key = tx.UserByEmail, l.Email
	}
	user, err := find(ctx, key)
	switch {
	case err == nil:
		return user, nil
	case !errors.Is(err, storage.ErrNotFound):
		return nil, fmt.Errorf("look up the user of a link: %w", err)
	case !plan.Create:
		return nil, ErrRecovery
	}
	draft, err := s.Draft(ctx, NewUser{Email: l.Email, Admin: true, EmailVerified: true, NoPassword: true})
	if err != nil {
		return nil, err
	}
	return s.Add(ctx, tx, by, now, draft)
}

// reactivate lets a user sign in again.
func (s *Service) reactivate(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *User) error {
	user.Status, user.UpdatedAt = storage.Active, storage.At(now)
	if err := tx.SaveUser(ctx, user); err != nil {
		return fmt.Errorf("activate %s: %w", user.ID, err)
	}
	return audit.Record(ctx, tx, by, now, audit.Event{Action: "user.activate", TargetKind: "user", TargetID: user.ID})
}

// dropFactors takes every second factor of a user away, in tx, and their recovery codes.
func dropFactors(ctx context.Context, tx *storage.Tx, userID string) error {
	for _, remove := range []func() error{
		func() error { _, err := tx.DeletePasskeys(ctx, userID); return err },
		func() error { _, err := tx.DeleteTOTP(ctx, userID); return err },
		func() error { return tx.SaveRecoveryCodes(ctx, userID, true, nil) },
		func() error { return tx.SaveRecoveryCodes(ctx, userID, false, nil) },
	} {
		if err := remove(); err != nil {
			return fmt.Errorf("take the second factors of %s away: %w", userID, err)
		}
	}
	return nil
}
