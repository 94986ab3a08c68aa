package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/openid"
	"authy/server/session"
	"authy/storage"
)

// Choose goes on with the account that is signed in, where the client has asked
// for a choice (prompt=select_account). The person is asked again if that is not
// the user they have seen on the page.
func (s *Service) Choose(ctx context.Context, by audit.Actor, b Browser, flowID, userID string) (*Next, error) {
	id, f, err := s.openFlow(ctx, b, flowID)
	if err != nil {
		return nil, err
	}
	if id == nil || id.User.ID != userID {
		return s.advance(ctx, by, b, f, f.request)
	}
	f.request.Drop("select_account")
	f.record.SessionID = storage.Ref(id.Session.ID)
	if err := s.saveRequest(ctx, f); err != nil {
		return nil, err
	}
	return s.advance(ctx, by, b, f, f.request)
}

// Speak has the rest of a sign-in be in the languages that the person has chosen, and
// no more in those that the client asks for.
func (s *Service) Speak(ctx context.Context, b Browser, flowID, locales string) error {
	_, f, err := s.openFlow(ctx, b, flowID)
	if err != nil || f.request.UILocales == "" {
		return err
	}
	f.request.UILocales = locales
	return s.saveRequest(ctx, f)
}

// saveRequest keeps what a person has chosen about a request.
func (s *Service) saveRequest(ctx context.Context, f *flow) error {
	text, err := json.Marshal(f.request)
	if err != nil {
		return fmt.Errorf("keep a choice: %w", err)
	}
	f.record.Request = string(text)
	err = s.db.Update(ctx, func(tx *storage.Tx) error { return tx.SaveFlow(ctx, f.record) })
	if errors.Is(err, storage.ErrNotFound) {
		return ErrFlow
	}
	if err != nil {
		return fmt.Errorf("keep a choice: %w", err)
	}
	return nil
}

// climb is how far a session is from the authentication context that a client
// asks for.
type climb struct {
	// to is what the user can reach by signing in anew; 0 if that is no more
	// than the session has.
	to openid.Assurance
	// unmet says that the session is not enough, and nothing less will do.
	unmet bool
}

// climb says how far the session of id is from what a request asks for.
func (s *Service) climb(ctx context.Context, id *session.Identity, request *openid.Request) (c climb, err error) {
	if len(request.ACR) == 0 {
		return c, nil
	}
	has := openid.Reached(id.Session.Methods)
	c.unmet = request.MustACR && request.Wanted(has) == 0
	if request.Wanted(openid.ByPasskey) <= has {
		return c, nil
	}
	factors, err := account.FactorsOf(ctx, s.db.Reader, id.User.ID)
	if err != nil {
		return c, err
	}
	most := openid.ByPassword
	switch {
	case factors.Passkeys:
		most = openid.ByPasskey
	case factors.TOTP:
		most = openid.ByTwoFactors
	}
	if to := request.Wanted(most); to > has {
		c.to = to
	}
	return c, nil
}
