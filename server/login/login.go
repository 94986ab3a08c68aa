// Package login is the one way in: a sign-in machine that decides, from what
// is asked and what has been proved so far, what comes next. The API, the
// pages and every protocol go through it, so that a second factor, a policy or
// a suspension cannot be walked round through another door. It refuses to know
// how a page looks or a response is encoded.
//
// Read login.go (the doors), step.go (the decision), flow.go (sign-ins that
// have begun and not ended), second_factor.go (sign-ins that are half done),
// limit.go (how often one may try), upstream.go and arrive.go (coming from
// another provider).
package login

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/forward"
	"authy/server/limit"
	"authy/server/logout"
	"authy/server/openid"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/registry"
	"authy/server/saml2"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// What login refuses. The first three messages are the contract's.
var (
	ErrCredentials = fault.New(fault.Unauthenticated, "invalid_credentials", "Invalid email or password")
	ErrSuspended   = fault.New(fault.Forbidden, "account_suspended", "Your account has been suspended")
	ErrInactive    = fault.New(fault.Forbidden, "account_inactive", "Your account is inactive")
	ErrClosed      = fault.New(fault.Forbidden, "registration_closed",
		"Registration is closed on this server. Ask its administrator for an account.")
	ErrFlow = fault.New(fault.Forbidden, "flow_ended",
		"This sign-in has ended or was begun in another browser. Go back to the app and start again.")
)

// Config says how signing in behaves.
type Config struct {
	// Registration lets anyone make an account for themselves.
	Registration bool
	// Uniform answers to all who want an account by mail.
	Uniform bool
	// Limits slows guessing down; nil does not.
	Limits *limit.Limits
	// Orgs keeps the records of who meets what their organizations ask.
	Orgs    *org.Service
	Clients *registry.Service
	// Services is the server as SAML services know it.
	Services *saml2.IDP
	// Forward is who gets through proxies.
	Forward *forward.Service
	// Logouts tells applications that a session has ended.
	Logouts *logout.Service
	// Providers keeps the identity providers that people come from; Protocols
	// ask them, by their kind.
	Providers *provider.Service
	Protocols map[string]Protocol
	// PublicURL is where the answers of providers come in.
	PublicURL string
	// Party is the server as the authenticators of passkeys know it.
	Party account.RelyingParty
}

// Service is the sign-in machine.
type Service struct {
	Config
	db       *storage.DB
	accounts *account.Service
	sessions *session.Service
	openid   *openid.Provider
	chores   chan chore
	many     limit.Tally // of attempts beyond a limit
}

// New returns the machine over db and the services it asks.
func New(
	db *storage.DB, accounts *account.Service, sessions *session.Service, provider *openid.Provider, c Config,
) *Service {
	return &Service{
		Config: c, db: db, accounts: accounts, sessions: sessions, openid: provider, chores: make(chan chore, maxChores),
	}
}

func (s *Service) limits() limits { return limits{s.Limits} }

// Credentials is what someone types to sign in.
type Credentials struct {
	Email    string
	Password string
	Remember bool
}

// Result is a sign-in that is done.
type Result struct {
	User    *storage.User
	Session *storage.Session
	Token   string // shown once
	// Standing is how the user meets what their organizations ask; nil for a
	// browser whose session goes on.
	Standing *org.Standing
	// Remember says that a browser keeps the session when it is closed.
	Remember bool
}

// proof is who has proved to be whom, and how.
type proof struct {
	user     *storage.User
	password *account.Match // nil for a user who is being made, or came otherwise
	methods  []string       // RFC 8176
	second   bool           // says that the second factor was proved, too
	signs    signs          // what the user is told of
	arrival  *arrival       // from a provider; nil for who came by themselves
}

// Program signs a program in, which then sends its token as a Bearer header.
// Where the user has a second factor the result is nil, and the sign-in is
// pending; see [Service.ProgramSecondFactor].
func (s *Service) Program(ctx context.Context, by audit.Actor, in Credentials) (*Result, *Pending, error) {
	proved, err := s.prove(ctx, by, in)
	if err != nil {
		return nil, nil, err
	}
	out, now := new(Result), steady.Now()
	var pending *Pending
	err = s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		pending, err = s.hold(ctx, tx, by, now, proved, entry{kind: session.API, remember: in.Remember})
		if err != nil || pending != nil {
			return err
		}
		return s.begin(ctx, tx, by, now, proved, session.API, in.Remember, out)
	})
	if err != nil || pending != nil {
		return nil, pending, err
	}
	return out, nil, nil
}

// Register makes an account and signs its program in. Where everyone gets the
// same answer the result is nil, and the rest is in a mail.
func (s *Service) Register(ctx context.Context, by audit.Actor, in account.NewUser) (*Result, error) {
	draft, err := s.draft(ctx, by, in)
	if err != nil {
		return nil, err
	}
	if s.Uniform {
		return nil, s.registerByMail(ctx, by, draft)
	}
	out := new(Result)
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		user, err := s.accounts.Add(ctx, tx, by, now, draft)
		if err != nil {
			return err
		}
		if err := s.accounts.SendVerification(ctx, tx, now, user); err != nil {
			return err
		}
		return s.begin(ctx, tx, by.As(user.ID), now, proof{user: user, methods: []string{"pwd"}}, session.API, false, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// registerByMail answers a draft by mail alone.
func (s *Service) registerByMail(ctx context.Context, by audit.Actor, draft *account.Draft) error {
	if err := s.limits().mail(ctx, by, draft.Email()); err != nil {
		return err
	}
	return s.later(ctx, func(ctx context.Context) error { return s.accounts.RequestRegistration(ctx, by, draft) })
}

// Setup makes the first administrator by a setup link and signs their browser in.
func (s *Service) Setup(ctx context.Context, by audit.Actor, link string, in account.NewUser) (*Result, error) {
	if err := s.accounts.CheckSetupLink(ctx, link); err != nil {
		return nil, err
	}
	draft, err := s.accounts.Draft(ctx, in)
	if err != nil {
		return nil, err
	}
	out := new(Result)
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		user, err := s.accounts.AddFirstAdmin(ctx, tx, by, now, link, draft)
		if err != nil {
			return err
		}
		return s.begin(ctx, tx, by.As(user.ID), now, proof{user: user, methods: []string{"pwd"}}, session.Web, false, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// prove checks credentials. A wrong password, an unknown address and an
// address that is none get the same answer after the same time; what the
// account's state is, only its owner learns.
func (s *Service) prove(ctx context.Context, by audit.Actor, in Credentials) (proof, error) {
	if err := account.CheckSize("password", in.Password); err != nil {
		return proof{}, err
	}
	email, err := account.ParseEmail(in.Email)
	if err != nil {
		email = ""
	}
	if err := s.limits().attempt(ctx, by); err != nil {
		return proof{}, errors.Join(err, s.throttled(ctx, by, nil, "user.login"))
	}
	user, err := s.db.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return proof{}, fmt.Errorf("look a user up: %w", err)
	}
	known := func() (bool, error) { return s.sessions.Knows(ctx, user, by) }
	if err := s.limits().attemptAt(ctx, by, email, user, known); err != nil {
		return proof{}, errors.Join(err, s.throttled(ctx, by, user, "user.login"))
	}
	match, err := s.accounts.CheckPassword(ctx, user, in.Password)
	if err != nil {
		if errors.Is(err, account.ErrBusy) {
			s.limits().untried(ctx, by, email, user)
		}
		return proof{}, err
	}
	if match == nil {
		return proof{}, refusal(ErrCredentials, s.failed(ctx, by, user, "wrong_credentials"))
	}
	if err := standing(user); err != nil {
		return proof{}, refusal(err, s.failed(ctx, by, user, string(user.Status)))
	}
	s.limits().passed(ctx, by, email, user)
	found, err := s.signsOf(ctx, by, user.ID)
	return proof{user: user, password: match, methods: []string{"pwd"}, signs: found}, err
}

// refusal is what the person is told, unless it could not be recorded.
func refusal(told, recorded error) error {
	if recorded != nil {
		return recorded
	}
	return told
}

// standing is nil for a user who may sign in.
func standing(u *storage.User) error {
	switch u.Status {
	case storage.Active, storage.Pending:
		return nil
	case storage.Suspended:
		return ErrSuspended
	}
	return ErrInactive
}

// failed records a sign-in that was refused.
func (s *Service) failed(ctx context.Context, by audit.Actor, user *storage.User, reason string) error {
	return s.refused(ctx, by, user, "user.login", reason)
}

// refused records that an action of a user, nil for an unknown one, was refused.
func (s *Service) refused(ctx context.Context, by audit.Actor, user *storage.User, action, reason string) error {
	event := audit.Event{Action: action, Failed: true, Reason: reason, TargetKind: "user"}
	if user != nil {
		event.TargetID = user.ID
	}
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error { return audit.Record(ctx, tx, by, now, event) })
}

// throttled records that an action of a user, nil for an unknown one, was tried too often:
// the first in a minute from a network, with how many came since the one before. No flood
// of attempts is a flood of records.
func (s *Service) throttled(ctx context.Context, by audit.Actor, user *storage.User, action string) error {
	event := audit.Event{Action: action, Failed: true, Reason: "throttled", TargetKind: "user"}
	if user != nil {
		event.TargetID = user.ID
	}
	now, key := steady.Now(), action+" "+event.TargetID+" "+limit.Network(by.IPAddress)
	more, record := s.many.Note(key, now)
	if !record {
		return nil
	}
	if more > 0 {
		event.Details = map[string]string{"more": strconv.Itoa(more)}
	}
	err := s.db.Update(ctx, func(tx *storage.Tx) error { return audit.Record(ctx, tx, by, now, event) })
	if err != nil {
		s.many.Forget(key)
	}
	return err
}

// begin makes the session of someone who has proved who they are.
func (s *Service) begin(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time,
	proved proof, kind string, remember bool, out *Result,
) (err error) {
	by = by.As(proved.user.ID)
	out.Remember = remember
	if out.User, err = s.signedIn(ctx, tx, by, now, proved); err != nil {
		return err
	}
	out.Session, out.Token, err = s.sessions.Start(ctx, tx, by, now, session.Began{
		UserID: proved.user.ID, Kind: kind, Remember: remember, Methods: proved.methods,
		Until: proved.arrival.until(),
	})
	if err != nil {
		return err
	}
	if err := keepArrival(ctx, tx, now, proved.arrival, out.Session.ID); err != nil {
		return err
	}
	out.Standing, err = org.StandingOf(ctx, tx.Reader, proved.user.ID, now)
	return err
}

// signedIn notes the sign-in of a user, who must still be in good standing.
func (s *Service) signedIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, proved proof,
) (*storage.User, error) {
	user, err := tx.User(ctx, proved.user.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrCredentials
	}
	if err != nil {
		return nil, fmt.Errorf("sign %s in: %w", proved.user.ID, err)
	}
	if err := standing(user); err != nil {
		return nil, err
	}
	if enough, err := suffices(ctx, tx.Reader, proved); err != nil {
		return nil, err
	} else if !enough {
		return nil, errSecondFactor
	}
	if err := s.tell(ctx, tx, by, now, proved.signs, user); err != nil {
		return nil, err
	}
	details := map[string]string{"method": strings.Join(proved.methods, " ")}
	if proved.arrival != nil {
		details["provider"] = proved.arrival.provider.Slug
		if err := s.settleIn(ctx, tx, by, now, user, proved.arrival); err != nil {
			return nil, err
		}
	}
	if err := s.accounts.SignedIn(ctx, tx, by, now, user, proved.password); err != nil {
		return nil, err
	}
	return user, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "user.login", TargetKind: "user", TargetID: user.ID, Details: details,
	})
}

// Browser is what a browser's cookies say.
type Browser struct {
	// Secret binds sign-ins to the browser that began them.
	Secret string
	// Token is that of the browser's session, "" if there is none.
	Token string
	// Pending is the token of a sign-in that needs its second factor.
	Pending string
}

// Identify returns who a browser's session speaks for, nil for nobody.
func (s *Service) Identify(ctx context.Context, b Browser) (*session.Identity, error) {
	if b.Token == "" {
		return nil, nil
	}
	id, err := s.sessions.Authenticate(ctx, session.Web, b.Token)
	if _, refused := fault.As(err); refused {
		return nil, nil
	}
	return id, err
}
