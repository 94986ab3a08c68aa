package login

import (
	"context"

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
}

// Question returns what the flow with an id asks of the browser. [ErrFlow] if
// it has ended or belongs to another browser.
func (s *Service) Question(ctx context.Context, b Browser, flowID string) (*Question, error) {
	id, f, err := s.openFlow(ctx, b, flowID)
	if err != nil {
		return nil, err
	}
	q := &Question{Request: f.request.Request, Identity: id}
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
	q.Missing, err = s.missing(ctx, f.request, id.User.ID)
	return q, err
}
