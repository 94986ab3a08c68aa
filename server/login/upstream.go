package login

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/provider"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// Protocol asks providers of a kind who somebody is. An error of its methods that
// is for the person to know is a [*provider.Refusal].
type Protocol interface {
	// Begin returns where a browser is sent.
	Begin(ctx context.Context, p *storage.Provider, ask provider.Ask) (*provider.Request, error)
	// Finish reads what came back from the trip that Begin has begun.
	Finish(ctx context.Context, p *storage.Provider, trip provider.Trip, answer url.Values) (*provider.Statement, error)
	// Logout returns the request that ends a session there; nil if there is none.
	// From there people come back to returnURL, which may have a state.
	Logout(ctx context.Context, p *storage.Provider, u *storage.UpstreamSession, returnURL string) (*provider.Request, error)
}

// logoutReader is a [Protocol] whose providers say by themselves that a session
// has ended.
type logoutReader interface {
	ParseLogout(ctx context.Context, p *storage.Provider, token string) (*provider.Notice, error)
}

// What is refused about providers.
var (
	ErrProvider = fault.New(fault.NotFound, "provider_not_found",
		"There is no such way to sign in here, or it is switched off.")
	ErrDeparture = fault.New(fault.Invalid, "invalid_state",
		"This sign-in was begun in another browser, took too long, or has been finished before. Start again.")
	ErrOther = fault.New(fault.Forbidden, "another_identity",
		"You have come back as somebody else. Use the account there that is linked to yours.")
	ErrNoAccount = fault.New(fault.Forbidden, "no_account",
		"There is no account here for you, and none is made by this way to sign in. Ask whoever runs this server.")
)

const (
	// awayFor is how long somebody may be at a provider, or think about what is
	// asked when they are back.
	awayFor = 10 * time.Minute
	// upstreamPatience is how long a provider is waited for.
	upstreamPatience = 9 * time.Second
	// callbackPath is where answers of a provider come in; acsPath where those of
	// all SAML providers do.
	callbackPath = "/external/%s/callback"
	acsPath      = "/saml/sp/acs"
)

// The pages that ask somebody who is back how to go on.
const (
	newcomerPage = "/arrival/new?handle="
	claimPage    = "/arrival/link?handle="
)

// What somebody is at a provider for, or is asked when they are back.
const (
	toSignIn = "sign-in"
	toProve  = "prove"  // that they still are who is signed in
	toLink   = "link"   // who they are there to who is signed in
	toOffer  = "offer"  // an account; they are back
	toClaim  = "claim"  // an account of theirs; they are back
	toSecond = "second" // the second factor; they are back
	toLeave  = "leave"  // to be signed out there, and go on then
)

// journey is what is kept of somebody who was sent away.
type journey struct {
	Trip     provider.Trip `json:"trip,omitzero"`
	Remember bool          `json:"remember,omitempty"`
	UserID   string        `json:"user_id,omitempty"` // who must come back; "" for anyone

	// What is kept of somebody who is back.
	Statement  *provider.Statement `json:"statement,omitempty"`
	IdentityID string              `json:"identity_id,omitempty"`
	// Exists says that they may be told that there is an account.
	Exists bool `json:"exists,omitempty"`
	// Onward is where somebody goes who has signed out there.
	Onward string `json:"onward,omitempty"`
}

// Going is somebody who wants to come in by way of a provider.
type Going struct {
	Slug string
	// Flow is the sign-in it belongs to; "" for somebody who came by themselves.
	Flow string
	// Again says that who is signed in proves that they still are.
	Again     bool
	Remember  bool
	LoginHint string
}

// Depart sends a browser to a provider.
func (s *Service) Depart(ctx context.Context, by audit.Actor, b Browser, in Going) (*Next, error) {
	id, f, err := s.open(ctx, b, in.Flow)
	if err != nil {
		return nil, err
	}
	purpose, j := toSignIn, journey{Remember: in.Remember}
	ask := provider.Ask{LoginHint: in.LoginHint, Again: in.Again}
	switch {
	case in.Again && id == nil:
		return nil, session.ErrInvalid
	case in.Again:
		purpose, j.UserID = toProve, id.User.ID
	case f != nil:
		ask.Again = f.request.wantsAnew()
		if ask.LoginHint == "" {
			ask.LoginHint = f.request.LoginHint
		}
	}
	d := &storage.Departure{Purpose: purpose, FlowID: storage.Ref(in.Flow), Network: limit.Neighborhood(by.IPAddress)}
	if purpose == toProve {
		d.SessionID, d.Network = storage.Ref(id.Session.ID), ""
	}
	away, err := s.away(ctx, by, b, in.Slug, ask, d, j)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error { return insertDeparture(ctx, tx, d) })
	return away, err
}

// away asks the protocol of a provider where a browser goes, and fills d in,
// which is for the caller to keep.
func (s *Service) away(
	ctx context.Context, by audit.Actor, b Browser, slug string, ask provider.Ask, d *storage.Departure, j journey,
) (*Next, error) {
	if err := s.limits().departure(ctx, by); err != nil {
		return nil, err
	}
	p, err := s.Providers.Find(ctx, slug)
	if errors.Is(err, provider.ErrNoProvider) {
		return nil, ErrProvider
	}
	if err != nil {
		return nil, err
	}
	protocol, err := s.protocolOf(ctx, s.db.Reader, p)
	if err != nil {
		return nil, err
	}
	next := new(Next)
	if b.Secret == "" {
		b.Secret = rand.Text()
		next.Secret = b.Secret
	}
	ask.State, ask.ReturnURL = rand.Text(), s.returnURL(p)
	waiting, done := context.WithTimeout(ctx, upstreamPatience)
	defer done()
	request, err := protocol.Begin(waiting, p, ask)
	if err != nil {
		return nil, s.turned(ctx, by, p, d, nil, err)
	}
	j.Trip = request.Trip
	next.Location, next.Form, next.Away = request.URL, request.Form, p.Name
	return next, s.pack(d, p, ask.State, b.Secret, &j)
}

// returnURL is where the answers of a provider come in.
func (s *Service) returnURL(p *storage.Provider) string {
	if p.Kind == provider.SAML {
		return s.PublicURL + acsPath
	}
	return s.PublicURL + fmt.Sprintf(callbackPath, p.Slug)
}

// protocolOf returns the protocol of a provider that people may come from.
// [ErrProvider] if they may not, or not any more.
func (s *Service) protocolOf(ctx context.Context, r storage.Reader, p *storage.Provider) (Protocol, error) {
	usable, err := s.Providers.Usable(ctx, r, p)
	if err != nil {
		return nil, err
	}
	protocol := s.Protocols[p.Kind]
	if !usable || protocol == nil {
		return nil, ErrProvider
	}
	return protocol, nil
}

// pack fills in a departure that secret opens in the browser with another.
func (s *Service) pack(d *storage.Departure, p *storage.Provider, secret, browser string, j *journey) error {
	text, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("keep a departure: %w", err)
	}
	now := steady.Now()
	d.Hash, d.ProviderID, d.BrowserHash = storage.Hash(secret), p.ID, storage.Hash(browser)
	d.Kind, d.Details = session.Web, string(text)
	d.CreatedAt, d.ExpiresAt = storage.At(now), storage.At(now.Add(awayFor))
	return nil
}

func insertDeparture(ctx context.Context, tx *storage.Tx, d *storage.Departure) error {
	if err := tx.InsertDeparture(ctx, d); err != nil {
		return fmt.Errorf("keep a departure: %w", err)
	}
	return nil
}

// back uses up the departure that a secret opens in a browser.
// [ErrDeparture] if it opens none.
func (s *Service) back(ctx context.Context, b Browser, secret string) (d *storage.Departure, j *journey, err error) {
	if secret == "" || b.Secret == "" || strings.ContainsRune(secret, 0) {
		return nil, nil, ErrDeparture
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		d, j, err = takeDeparture(ctx, tx, storage.Hash(secret), storage.Hash(b.Secret), steady.Now())
		return err
	})
	return d, j, err
}

func takeDeparture(
	ctx context.Context, tx *storage.Tx, hash, browserHash string, now time.Time,
) (*storage.Departure, *journey, error) {
	d, err := tx.TakeDeparture(ctx, hash, browserHash, now)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil, ErrDeparture
	}
	if err != nil {
		return nil, nil, fmt.Errorf("use a departure up: %w", err)
	}
	j, err := unpack(d)
	return d, j, err
}

func unpack(d *storage.Departure) (*journey, error) {
	j := new(journey)
	if err := json.Unmarshal([]byte(d.Details), j); err != nil {
		return nil, fmt.Errorf("read a departure: %w", err)
	}
	return j, nil
}

// listen returns what is kept of a statement. SAML has no word for an address
// that was checked: what a provider says of one is worth something where it is
// believed.
func (s *Service) listen(
	ctx context.Context, r storage.Reader, p *storage.Provider, st *provider.Statement,
) (*account.Said, error) {
	believed, err := s.Providers.Believes(ctx, r, p, st.Email)
	if err != nil {
		return nil, err
	}
	verified := st.EmailVerified
	if p.Kind == provider.SAML {
		verified = believed
	}
	return account.Listen(account.Said{
		Provider: p, Issuer: st.Issuer, Subject: st.Subject, Email: st.Email,
		Name: st.Name, Picture: st.Picture, Locale: st.Locale,
	}, verified, believed)
}
