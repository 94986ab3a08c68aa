package forward

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// What an explanation refuses.
var (
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "Only administrators of the server may do this.")
	ErrAddress   = fault.Field("url", "Write a whole address, such as https://app.example.com/admin.")
)

// Explained is what would be decided about an address, and why.
type Explained struct {
	Verdict
	Text string // in a sentence
}

// Explain says what is decided about an address that is asked for by a method, for a user who
// has signed in as surely as the rule asks, or nil for somebody who has not signed in.
func (s *Service) Explain(
	ctx context.Context, by audit.Actor, address, method string, user *storage.User,
) (*Explained, error) {
	if may, err := by.Administers(ctx, s.DB.Reader); err != nil || !may {
		return nil, firstOf(err, ErrForbidden)
	}
	p, ok := ParsePlace(address, strings.ToUpper(method))
	if !ok {
		return nil, ErrAddress
	}
	var id *session.Identity
	if user != nil {
		id = &session.Identity{User: user, Session: &storage.Session{Methods: []string{"pop", "mfa"}}}
	}
	v, err := s.judge(ctx, s.DB.Reader, p, id, steady.Now())
	if err != nil {
		return nil, err
	}
	out := &Explained{Verdict: v, Text: s.text(p, v, user)}
	if user != nil && user.Status != storage.Active && user.Status != storage.Pending && v.Passes() && v.Reason != PublicPlace {
		out.Reason, out.Text = NotSignedIn, fmt.Sprintf("The account of %s is %s, so that nobody signs in with it.", user.Email, user.Status)
	}
	return out, nil
}

func firstOf(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// text says a verdict in a sentence.
func (s *Service) text(p *Place, v Verdict, user *storage.User) string {
	who := "Nobody"
	if user != nil {
		who = user.Email
	}
	switch v.Reason {
	case Admitted:
		return who + " is let in by " + v.Word + "."
	case PublicPlace:
		return "Everyone is let in, signed in or not."
	case Ambiguous:
		return "Programs disagree about how this path is read, and the rules of " + p.Host + " depend on paths: it is refused."
	case ClosedPlace:
		return "The rule lets nobody in."
	case NotSignedIn:
		return "The rule asks for a sign-in."
	case NotAllowed:
		return who + " is none of " + strings.Join(v.Rule.Who, ", ") + "."
	case Unverified:
		return who + " has not confirmed that address, so that it may be another's."
	case FactorOwed:
		return who + " must first set up the second factor that an organization asks for."
	case NoRule:
		return s.whyNoRule(p)
	}
	return "It is refused."
}

// whyNoRule says why no rule is about a place.
func (s *Service) whyNoRule(p *Place) string {
	switch {
	case p.Scheme != s.scheme:
		return "Rules are about " + s.scheme + " addresses, as public_url is one."
	case s.sites[p.Host] == nil:
		return "No rule names the host " + p.Host + ", and what no rule is about is refused."
	case p.Method != http.MethodGet:
		return "No rule of " + p.Host + " is about this path and method, and what no rule is about is refused."
	}
	return "No rule of " + p.Host + " is about this path, and what no rule is about is refused."
}
