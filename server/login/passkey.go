package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// ErrCeremony is answered to a passkey that nobody asked for. The message is
// the contract's.
var ErrCeremony = fault.New(fault.Unauthenticated, "no_pending_passkey",
	"No pending WebAuthn verification. Please initiate login first.")

// Ceremony asks a program for a passkey. Its token says that it is the same
// program that answers.
type Ceremony struct {
	Options   *account.RequestOptions
	Token     string // shown once
	ExpiresAt time.Time
}

// ceremonyLifetime is how long a token is kept by a program that keeps cookies;
// challenges end by themselves.
const ceremonyLifetime = 5 * time.Minute

// Ask says whom a program wants to be asked for a passkey.
type Ask struct {
	// Pending is the token of a sign-in that needs its second factor.
	Pending string
	// Held is one that the program may have without knowing, by a cookie: it
	// counts if nothing else is named, and if it can go on.
	Held string
	// Email is whose passkeys may answer.
	Email string
}

// AskProgram asks a program for a passkey: as the second factor of a pending
// sign-in, as the first of the user with an address, or of whoever answers.
func (s *Service) AskProgram(ctx context.Context, by audit.Actor, ask Ask) (*Ceremony, error) {
	h, err := s.heldFor(ctx, ask)
	if err != nil {
		return nil, err
	}
	c := &Ceremony{Token: rand.Text(), ExpiresAt: steady.Now().Add(ceremonyLifetime)}
	q := account.PasskeyRequest{Binding: storage.Hash(c.Token), Email: ask.Email, Pending: h}
	if c.Options, err = s.request(ctx, by, q); err != nil {
		return nil, err
	}
	return c, nil
}

// heldFor returns the pending sign-in that ask is about, nil for none.
func (s *Service) heldFor(ctx context.Context, ask Ask) (*storage.FirstFactor, error) {
	switch {
	case ask.Pending != "":
		return s.held(ctx, ask.Pending, session.API, "")
	case ask.Email != "" || ask.Held == "":
		return nil, nil
	}
	h, err := s.held(ctx, ask.Held, session.API, "")
	if errors.Is(err, ErrPending) {
		return nil, nil
	}
	return h, err
}

// AskBrowser asks a browser for a passkey: as the second factor where the
// password was proved in the flow with an id, as the first otherwise. The
// secret is a cookie to be set, if not "".
func (s *Service) AskBrowser(
	ctx context.Context, by audit.Actor, b Browser, flowID string, second bool,
) (o *account.RequestOptions, secret string, err error) {
	if _, _, err := s.open(ctx, b, flowID); err != nil {
		return nil, "", err
	}
	if b.Secret == "" {
		b.Secret = rand.Text()
		secret = b.Secret
	}
	q := account.PasskeyRequest{Binding: storage.Hash(b.Secret)}
	if second {
		if q.Pending, err = s.held(ctx, b.Pending, session.Web, flowID); err != nil {
			return nil, "", err
		}
	}
	o, err = s.request(ctx, by, q)
	return o, secret, err
}

func (s *Service) request(ctx context.Context, by audit.Actor, q account.PasskeyRequest) (*account.RequestOptions, error) {
	if err := s.limits().challenge(ctx, by); err != nil {
		return nil, err
	}
	return s.accounts.RequestPasskey(ctx, by, s.Party, q)
}

// ProgramPasskey signs a program in by its answer to [Service.AskProgram],
// whose token it sends.
func (s *Service) ProgramPasskey(
	ctx context.Context, by audit.Actor, token string, answer *account.PasskeyResponse, remember bool,
) (*Result, error) {
	a, err := s.readAssertion(ctx, token, answer)
	if err != nil {
		return nil, err
	}
	var h *storage.FirstFactor
	if a.Pending() != "" {
		if h, err = s.heldAs(ctx, a.Pending(), session.API, ""); err != nil {
			return nil, err
		}
		remember = h.Remember
	}
	out := new(Result)
	err = s.admitPasskey(ctx, by, h, a, func(tx *storage.Tx, now time.Time, proved proof) error {
		return s.begin(ctx, tx, by, now, proved, session.API, remember, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Passkey signs a browser in by its answer to [Service.AskBrowser]; flowID is
// the flow it does so in.
func (s *Service) Passkey(
	ctx context.Context, by audit.Actor, b Browser, flowID string, answer *account.PasskeyResponse, remember bool,
) (*Next, error) {
	old, f, err := s.open(ctx, b, flowID)
	if err != nil {
		return nil, err
	}
	a, err := s.readAssertion(ctx, b.Secret, answer)
	if err != nil {
		return nil, err
	}
	var h *storage.FirstFactor
	if a.Pending() != "" {
		if h, err = s.held(ctx, b.Pending, session.Web, flowID); err != nil {
			return nil, err
		}
		if h.Hash != a.Pending() {
			return nil, ErrPending // the password was sent anew since
		}
		remember = h.Remember
	}
	out := new(Result)
	err = s.admitPasskey(ctx, by, h, a, func(tx *storage.Tx, now time.Time, proved proof) error {
		return s.enterFlow(ctx, tx, by, now, old, proved, entry{session.Web, remember, f}, out)
	})
	if err != nil {
		return nil, err
	}
	return s.entered(ctx, by, b, f, out)
}

// readAssertion checks what can be checked before the transaction. [ErrCeremony]
// to someone who was asked for nothing.
func (s *Service) readAssertion(
	ctx context.Context, secret string, answer *account.PasskeyResponse,
) (*account.Assertion, error) {
	if secret == "" || strings.ContainsRune(secret, 0) {
		return nil, ErrCeremony
	}
	return s.accounts.ReadAssertion(ctx, s.Party, storage.Hash(secret), answer)
}

// admitPasskey lets someone in by a passkey: as the second factor of h, or,
// where h is nil, as the only one. let makes the session in the transaction
// that uses up the challenge.
func (s *Service) admitPasskey(
	ctx context.Context, by audit.Actor, h *storage.FirstFactor, a *account.Assertion,
	let func(tx *storage.Tx, now time.Time, proved proof) error,
) error {
	if h != nil {
		return s.admit(ctx, by, h, s.byPasskey(a), let)
	}
	if err := s.limits().passkey(ctx, by, a.CredentialID()); err != nil {
		return errors.Join(err, s.throttled(ctx, by, &storage.User{ID: a.UserID()}, "webauthn.login.failed"))
	}
	found, err := s.signsOf(ctx, by, a.UserID())
	if err != nil {
		return err
	}
	now := steady.Now()
	var refused error
	err = s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		var proved proof
		proved, refused, err = s.provedByPasskey(ctx, tx, by, now, a)
		if err != nil || refused != nil {
			return err // the challenge is used up all the same: the transaction commits
		}
		proved.signs = found
		return let(tx, now, proved)
	})
	if err == nil && refused == nil {
		s.limits().passkeyPassed(ctx, by, a.CredentialID())
	}
	return refusal(refused, err)
}

// byPasskey is the second factor of someone who uses a passkey.
func (s *Service) byPasskey(a *account.Assertion) readSecondFactor {
	use := func(
		ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, _ string,
	) (methods []string, refused, err error) {
		used, refused, err := s.accounts.UsePasskey(ctx, tx, by, now, a)
		if err != nil || refused != nil {
			return nil, refused, err
		}
		return append(used.Methods, "mfa"), nil, nil
	}
	return func(context.Context, string) (secondFactorBy, error) { return use, nil }
}

// provedByPasskey is what someone has proved by a passkey alone: both factors,
// as the authenticator has checked who they are. What it returns as refused is
// recorded.
func (s *Service) provedByPasskey(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, a *account.Assertion,
) (p proof, refused, err error) {
	used, refused, err := s.accounts.UsePasskey(ctx, tx, by, now, a)
	if err != nil || refused != nil {
		return proof{}, refused, err
	}
	user, err := tx.User(ctx, used.UserID)
	if err != nil {
		return proof{}, nil, fmt.Errorf("sign %s in: %w", used.UserID, err)
	}
	if err := standing(user); err != nil {
		return proof{}, err, audit.Record(ctx, tx, by, now, audit.Event{
			Action: "user.login", Failed: true, Reason: string(user.Status), TargetKind: "user", TargetID: user.ID,
		})
	}
	p = proof{user: user, methods: used.Methods, second: used.Verified}
	if used.Verified {
		p.methods = append(p.methods, "mfa")
	}
	return p, nil, nil
}
