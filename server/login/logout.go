package login

import (
	"context"
	"net/url"
	"slices"

	"authy/server/audit"
	"authy/server/logout"
	"authy/server/openid"
	"authy/server/session"
	"authy/storage"
)

// SignedOut is what became of the applications of a session that has ended.
type SignedOut struct {
	// Frames are what the browser has to load for them.
	Frames []openid.Frame
	// Receipts are for those that were told from here.
	Receipts []logout.Receipt
	// Upstream is the session at the provider that it came from; nil if there is
	// none to be ended.
	Upstream *Leaving
}

// SignOut ends the session of a browser, if it has one.
func (s *Service) SignOut(ctx context.Context, by audit.Actor, b Browser) (SignedOut, error) {
	id, err := s.Identify(ctx, b)
	if err != nil || id == nil {
		return SignedOut{}, err
	}
	return s.signOut(ctx, by, b, id, "User logout", "")
}

// signOut ends a session and waits a little for its applications. The browser goes
// onward then, "" for the page here.
func (s *Service) signOut(
	ctx context.Context, by audit.Actor, b Browser, id *session.Identity, reason, onward string,
) (out SignedOut, err error) {
	if out.Upstream, err = s.upstreamLogout(ctx, b, id.Session.ID, onward); err != nil {
		return out, err
	}
	if out.Frames, err = s.openid.Frames(ctx, id.Session.ID); err != nil {
		return out, err
	}
	if err := s.sessions.End(ctx, id.Actor(by), id.User.ID, id.Session.ID, "user.logout", reason); err != nil {
		return out, err
	}
	if out.Receipts, err = s.Logouts.Await(ctx, id.Session.ID); err != nil {
		return out, err
	}
	err = s.frameServices(ctx, id.Session.ID, &out)
	return out, err
}

// frameServices has the browser tell the SAML services of a session that could not be
// told from here: their receipts are not there yet.
func (s *Service) frameServices(ctx context.Context, sessionID string, out *SignedOut) error {
	services, err := s.Services.Frames(ctx, sessionID)
	if err != nil {
		return err
	}
	for _, f := range services {
		out.Frames = append(out.Frames, openid.Frame{
			Client: &storage.Client{ID: f.Service.ID, Name: f.Service.Name}, URL: f.URL, Origin: f.Origin, Answers: true,
		})
		out.Receipts = slices.DeleteFunc(out.Receipts, func(r logout.Receipt) bool { return r.Client.ID == f.Service.ID })
	}
	return nil
}

// LogoutStep is what a client's logout request comes to.
type LogoutStep struct {
	// Ask says that the person must confirm; Client is who asks, if known.
	Ask    bool
	Client *storage.Client
	// RedirectURL is where the browser goes, "" for the page here.
	RedirectURL string
	// Kept says that the session of this browser goes on.
	Kept bool
	SignedOut
}

// Logout answers a client's logout request
// (OpenID Connect RP-Initiated Logout 1.0). A hint that was issued in the
// session of this very browser ends it; anything else ends it only when
// confirmed, since a link alone proves nothing.
func (s *Service) Logout(
	ctx context.Context, by audit.Actor, b Browser, form url.Values, confirmed bool,
) (*LogoutStep, error) {
	request, err := s.openid.ParseLogout(ctx, form)
	if err != nil {
		return nil, err
	}
	step := &LogoutStep{Client: request.Client, RedirectURL: request.RedirectURL}
	id, err := s.Identify(ctx, b)
	if err != nil || id == nil {
		return step, err
	}
	if !s.names(request, id) && !confirmed {
		step.Ask = true
		return step, nil
	}
	step.SignedOut, err = s.signOut(ctx, by, b, id, "RP-initiated logout", step.RedirectURL)
	return step, err
}

// names says whether a hint was issued in the session of id. ID tokens that do
// not name their session name its user alone.
func (s *Service) names(request *openid.Logout, id *session.Identity) bool {
	if request.SessionID != "" || request.Client == nil {
		return request.SessionID == id.Session.ID
	}
	return request.Subject != "" && request.Subject == s.openid.Subject(request.Client, id.User.ID)
}
