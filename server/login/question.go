package login

import (
	"context"

	"authy/server/account"
	"authy/server/openid"
	"authy/server/session"
	"authy/storage"
)

// Question is what a page asks.
type Question struct {
	Request *openid.Request
	Client  *storage.Client
	// Identity is who is signed in, nil for nobody.
	Identity *session.Identity
	// Missing are the scopes that have not been agreed to.
	Missing []string
	// Another says that the client asks for somebody else than is signed in.
	Another bool
	// Wants is how surely someone must prove who they are, where more is asked
	// than was proved.
	Wants openid.Assurance
	// Anew says that a provider must ask them who they are, whatever it knows.
	Anew bool
	// Stuck says that they are to prove so, and have neither password nor passkey.
	Stuck bool
}

// Question returns what the flow with an id asks of the browser. [ErrFlow] if
// it has ended or belongs to another browser.
func (s *Service) Question(ctx context.Context, b Browser, flowID string) (*Question, error) {
	id, f, err := s.openFlow(ctx, b, flowID)
	if err != nil {
		return nil, err
	}
	q := &Question{Request: f.request.Request, Identity: id, Anew: f.request.wantsAnew()}
	if q.Client, err = s.applicationOf(ctx, f.request); err != nil {
		return nil, err
	}
	if id == nil {
		if f.request.MustACR {
			q.Wants = f.request.Wanted(openid.ByPasskey)
		}
		return q, nil
	}
	subject, err := s.subjectOf(ctx, f.request, id.User.ID)
	if err != nil {
		return nil, err
	}
	q.Another = f.request.HintSubject != "" && f.request.HintSubject != subject
	up, err := s.climb(ctx, id, q.Request)
	if err != nil {
		return nil, err
	}
	q.Wants = up.to
	if q.Missing, err = s.missing(ctx, f.request, id.User.ID); err != nil || !q.Anew {
		return q, err
	}
	q.Stuck, err = s.isStuck(ctx, id.User.ID)
	return q, err
}

// isStuck says whether a user has neither password nor passkey.
func (s *Service) isStuck(ctx context.Context, userID string) (bool, error) {
	has, err := account.HasPassword(ctx, s.db.Reader, userID)
	if err != nil || has {
		return false, err
	}
	factors, err := account.FactorsOf(ctx, s.db.Reader, userID)
	return !factors.Passkeys, err
}
