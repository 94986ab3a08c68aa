package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// What is refused about second factors. The first message is the contract's.
var (
	ErrPending = fault.New(fault.Unauthenticated, "no_pending_sign_in",
		"No pending TOTP verification. Please login first.")
	// errSecondFactor is what a door meets that forgets to ask for it.
	errSecondFactor = errors.New("login: a session without the second factor that its user has")
)

const (
	// pendingLifetime is how long the second factor may take.
	pendingLifetime = 10 * time.Minute
	// maxGuesses is how often it may be tried before the password is asked again.
	maxGuesses = 5
)

// byTOTP and byRecoveryCode are the methods that a second factor adds; a recovery code has
// no name of its own in RFC 8176, section 2.
var (
	byTOTP         = []string{"otp", "mfa"}
	byRecoveryCode = []string{"mfa"}
)

// Pending is a sign-in that has proved the password and needs the second
// factor. Its token goes on with it, and opens nothing else.
type Pending struct {
	Token     string // shown once
	ExpiresAt time.Time
	// Factors are what the second factor can be.
	Factors account.Factors
}

// Code is what someone types as their second factor.
type Code struct {
	Text string
	// Recovery says that it is a recovery code.
	Recovery bool
}

// typed is a code that has been read.
type typed struct {
	Code
	recovery account.RecoveryCode
}

// read reads a code of a user, which may take a while.
func (s *Service) read(ctx context.Context, userID string, code Code) (t typed, err error) {
	t.Code = code
	if code.Recovery {
		t.recovery, err = s.accounts.ReadRecoveryCode(ctx, userID, code.text())
	}
	return t, err
}

// text returns the code without what people and apps put between its groups.
func (c Code) text() string { return strings.NewReplacer(" ", "", "-", "").Replace(c.Text) }

// entry is what a sign-in is for.
type entry struct {
	kind     string // of the session
	remember bool
	flow     *flow // nil for someone who came by themselves
}

func (e entry) flowID() string {
	if e.flow == nil {
		return ""
	}
	return e.flow.record.ID
}

// suffices says whether what was proved is all that the user can be asked for.
func suffices(ctx context.Context, r storage.Reader, proved proof) (bool, error) {
	owed, err := owes(ctx, r, proved)
	return !owed.Any(), err
}

// owes returns what can be asked for beside what was proved.
func owes(ctx context.Context, r storage.Reader, proved proof) (account.Factors, error) {
	if proved.second {
		return account.Factors{}, nil
	}
	return account.FactorsOf(ctx, r, proved.user.ID)
}

// hold keeps the sign-in of someone who has a second factor and has not proved
// it, in tx; nil for anyone else.
func (s *Service) hold(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, proved proof, e entry,
) (*Pending, error) {
	owed, err := owes(ctx, tx.Reader, proved)
	if err != nil || !owed.Any() {
		return nil, err
	}
	p := &Pending{Token: rand.Text(), ExpiresAt: now.Add(pendingLifetime), Factors: owed}
	record := &storage.FirstFactor{
		Hash: storage.Hash(p.Token), UserID: proved.user.ID, FlowID: storage.Ref(e.flowID()), Kind: e.kind,
		Methods: proved.methods, Remember: e.remember,
		CreatedAt: storage.At(now), ExpiresAt: storage.At(p.ExpiresAt),
	}
	action := "user.login.external"
	switch {
	case proved.arrival != nil:
		if err := s.holdArrival(ctx, tx, proved.arrival, record); err != nil {
			return nil, err
		}
	case proved.password == nil:
		action = "user.login.recovery"
	default:
		action = "user.login.password"
		if err := s.accounts.Recheck(ctx, tx, proved.user.ID, proved.password); err != nil {
			return nil, err
		}
		record.PasswordChangedAt = storage.At(proved.password.ChangedAt())
	}
	if err := tx.InsertFirstFactor(ctx, record); err != nil {
		return nil, fmt.Errorf("hold the sign-in of %s: %w", proved.user.ID, err)
	}
	return p, audit.Record(ctx, tx, by.As(proved.user.ID), now, audit.Event{
		Action: action, TargetKind: "user", TargetID: proved.user.ID, Reason: "second_factor_needed",
	})
}

// held returns the sign-in that a token goes on with. [ErrPending] if it has
// ended, or is another door's or another flow's.
func (s *Service) held(ctx context.Context, token, kind, flowID string) (*storage.FirstFactor, error) {
	if token == "" {
		return nil, ErrPending
	}
	return s.heldAs(ctx, storage.Hash(token), kind, flowID)
}

// heldAs is [Service.held] by the hash of the token.
func (s *Service) heldAs(ctx context.Context, hash, kind, flowID string) (*storage.FirstFactor, error) {
	h, err := s.db.FirstFactor(ctx, hash)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrPending
	}
	if err != nil {
		return nil, fmt.Errorf("look a pending sign-in up: %w", err)
	}
	if h.Kind != kind || string(h.FlowID) != flowID || h.Guesses >= maxGuesses || !steady.Now().Before(h.ExpiresAt.Time) {
		return nil, ErrPending
	}
	return h, nil
}

// readSecondFactor reads what a user shows as their second factor, before the
// transaction that uses it.
type readSecondFactor func(ctx context.Context, userID string) (secondFactorBy, error)

// secondFactorBy uses a second factor of a user up, in tx, and returns the
// methods that it adds. What it returns as refused is recorded.
type secondFactorBy func(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID string,
) (methods []string, refused, err error)

// admit lets the sign-in of h in by its second factor: let makes the session
// in the transaction that uses up the factor and h.
func (s *Service) admit(
	ctx context.Context, by audit.Actor, h *storage.FirstFactor, shown readSecondFactor,
	let func(tx *storage.Tx, now time.Time, proved proof) error,
) error {
	by = by.As(h.UserID)
	user, err := s.db.User(ctx, h.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return ErrPending
	}
	if err != nil {
		return fmt.Errorf("look the user of a pending sign-in up: %w", err)
	}
	if err := s.limits().secondFactor(ctx, user); err != nil {
		return errors.Join(err, s.throttledHalfway(ctx, by, user))
	}
	second, err := shown(ctx, h.UserID)
	if err != nil {
		return err
	}
	found, err := s.signsOf(ctx, by, h.UserID)
	if err != nil {
		return err
	}
	now := steady.Now()
	var refused error
	err = s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		var added []string
		added, refused, err = s.trySecond(ctx, tx, by, now, h, second)
		if err != nil {
			return err
		}
		if refused != nil { // a guess that was wrong is counted: the transaction commits
			return s.wrongHalfway(ctx, tx, by, now, user, h.Hash)
		}
		if err := tx.TakeFirstFactor(ctx, h.Hash); errors.Is(err, storage.ErrNotFound) {
			return ErrPending
		} else if err != nil {
			return fmt.Errorf("end a pending sign-in: %w", err)
		}
		proved, err := s.provedBy(ctx, tx, now, h, added)
		if err != nil {
			return err
		}
		proved.signs = found
		return let(tx, now, proved)
	})
	if err == nil && refused == nil {
		s.limits().secondFactorPassed(ctx, user)
	}
	return refusal(refused, err)
}

// trySecond uses one guess of h, and the second factor if it is right. What it
// returns as refused is recorded.
func (s *Service) trySecond(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, h *storage.FirstFactor, second secondFactorBy,
) (added []string, refused, err error) {
	left, err := tx.UseGuess(ctx, h.Hash, maxGuesses, now)
	if err != nil {
		return nil, nil, fmt.Errorf("count a guess: %w", err)
	}
	if !left {
		return nil, nil, ErrPending
	}
	return second(ctx, tx, by, now, h.UserID)
}

// byCode is the second factor of someone who types a code.
func (s *Service) byCode(code Code) readSecondFactor {
	added := byTOTP
	if code.Recovery {
		added = byRecoveryCode
	}
	return func(ctx context.Context, userID string) (secondFactorBy, error) {
		read, err := s.read(ctx, userID, code)
		return func(
			ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID string,
		) ([]string, error, error) {
			refused, err := s.useCode(ctx, tx, by, now, userID, read)
			return added, refused, err
		}, err
	}
}

// useCode uses a code of a user up. What it returns as refused is recorded.
func (s *Service) useCode(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID string, code typed,
) (refused, err error) {
	if code.Recovery {
		err = s.accounts.UseRecoveryCode(ctx, tx, by, now, userID, code.recovery)
	} else {
		err = s.accounts.UseTOTP(ctx, tx, by, now, userID, code.text())
	}
	if errors.Is(err, account.ErrTOTPCode) || errors.Is(err, account.ErrRecoveryCode) {
		return err, nil
	}
	return nil, err
}

// provedBy is what the owner of h has proved by now, with the methods that the
// second factor added. [ErrPending] if they were signed out since.
func (s *Service) provedBy(
	ctx context.Context, tx *storage.Tx, now time.Time, h *storage.FirstFactor, added []string,
) (proof, error) {
	user, err := tx.User(ctx, h.UserID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && !h.CreatedAt.After(user.SignedOutAt.Time) {
		return proof{}, ErrPending
	}
	if err != nil {
		return proof{}, fmt.Errorf("sign %s in: %w", h.UserID, err)
	}
	p := proof{user: user, second: true, methods: append(append([]string{}, h.Methods...), added...)}
	if slices.Contains(h.Methods, byRecovery) {
		return p, nil
	}
	if h.PasswordChangedAt.IsZero() {
		p.arrival, err = s.heldArrival(ctx, tx, now, h)
		return p, err
	}
	p.password = account.MatchOf(h.PasswordChangedAt.Time)
	return p, nil
}

// ProgramSecondFactor signs a program in that has sent the password before and
// got a token for it.
func (s *Service) ProgramSecondFactor(ctx context.Context, by audit.Actor, token string, code Code) (*Result, error) {
	h, err := s.held(ctx, token, session.API, "")
	if err != nil {
		return nil, err
	}
	out := new(Result)
	err = s.admit(ctx, by, h, s.byCode(code), func(tx *storage.Tx, now time.Time, proved proof) error {
		return s.begin(ctx, tx, by, now, proved, session.API, h.Remember, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// SecondFactor signs a browser in that has sent the password before; flowID is
// the flow it did so in.
func (s *Service) SecondFactor(ctx context.Context, by audit.Actor, b Browser, flowID string, code Code) (*Next, error) {
	old, f, err := s.open(ctx, b, flowID)
	if err != nil {
		return nil, err
	}
	h, err := s.held(ctx, b.Pending, session.Web, flowID)
	if err != nil {
		return nil, err
	}
	out := new(Result)
	err = s.admit(ctx, by, h, s.byCode(code), func(tx *storage.Tx, now time.Time, proved proof) error {
		return s.enterFlow(ctx, tx, by, now, old, proved, entry{session.Web, h.Remember, f}, out)
	})
	if err != nil {
		return nil, err
	}
	return s.entered(ctx, by, b, f, out)
}

// Owes returns what a browser can be asked for that has proved the password in
// the flow with an id; nothing for any other.
func (s *Service) Owes(ctx context.Context, b Browser, flowID string) (account.Factors, error) {
	h, err := s.held(ctx, b.Pending, session.Web, flowID)
	if errors.Is(err, ErrPending) {
		return account.Factors{}, nil
	}
	if err != nil {
		return account.Factors{}, err
	}
	return account.FactorsOf(ctx, s.db.Reader, h.UserID)
}
