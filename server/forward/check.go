package forward

import (
	"context"
	"strings"
	"time"

	"authy/server/keyring"
	"authy/server/openid"
	"authy/server/org"
	"authy/server/session"
	"authy/storage"
)

// Reason is why somebody gets through or not, in a stable word.
type Reason string

// The reasons.
const (
	Admitted     Reason = "admitted"
	PublicPlace  Reason = "public"
	NoRule       Reason = "no_rule"            // none is about this place
	Ambiguous    Reason = "ambiguous_path"     // which one is depends on who reads it
	ClosedPlace  Reason = "closed"             // a rule says nobody
	NotSignedIn  Reason = "not_signed_in"      // and a rule asks for it
	NotAllowed   Reason = "not_allowed"        // a rule says others
	Unverified   Reason = "email_not_verified" // so that it may be another's
	FactorNeeded Reason = "factor_needed"      // by a rule
	FactorOwed   Reason = "second_factor_owed" // to an organization
	HandoverLost Reason = "handover_lost"      // the code was not good
)

// Verdict is what is decided about somebody at a place.
type Verdict struct {
	Reason Reason
	Rule   *Rule  // that decided, nil for none
	Word   string // of the rule, which let them in
	// Groups are those of the user, if it came to that.
	Groups []string
}

// Passes says whether they get through.
func (v Verdict) Passes() bool { return v.Reason == Admitted || v.Reason == PublicPlace }

// Waits says whether they may, after they have signed in, or more surely.
func (v Verdict) Waits() bool {
	return v.Reason == NotSignedIn || v.Reason == FactorNeeded || v.Reason == FactorOwed
}

// judge decides about a place for who is there, nil for nobody.
func (s *Service) judge(
	ctx context.Context, r storage.Reader, p *Place, id *session.Identity, now time.Time,
) (Verdict, error) {
	on := s.sites[p.Host]
	if on == nil || p.Scheme != s.scheme {
		return Verdict{Reason: NoRule}, nil
	}
	rule, certain := on.decides(p)
	v := Verdict{Rule: rule}
	switch {
	case !certain:
		v.Reason = Ambiguous
	case rule == nil:
		v.Reason = NoRule
	case rule.Closed():
		v.Reason = ClosedPlace
	case rule.Public():
		v.Reason = PublicPlace
	case id == nil:
		v.Reason = NotSignedIn
	default:
		err := v.judgeUser(ctx, r, id.User, id.Session.Methods, now)
		return v, err
	}
	return v, nil
}

// judgeUser decides about a user who has signed in by methods, by the rule of v.
func (v *Verdict) judgeUser(
	ctx context.Context, r storage.Reader, user *storage.User, methods []string, now time.Time,
) (err error) {
	if v.Groups, err = org.GroupsOf(ctx, r, user.ID); err != nil {
		return err
	}
	owes, err := org.Limited(ctx, r, user.ID, now)
	if err != nil {
		return err
	}
	word, admitted := v.Rule.admits(user, v.Groups)
	switch {
	case user.EmailVerifiedAt.IsZero():
		v.Reason = Unverified
	case !admitted:
		v.Reason = NotAllowed
	case owes:
		v.Reason = FactorOwed
	case !v.Rule.reaches(methods):
		v.Reason = FactorNeeded
	default:
		v.Reason, v.Word = Admitted, word
	}
	return nil
}

// tokenLifetime is how long the token that goes with a request is good.
const tokenLifetime = time.Minute

// token is what an application can check by itself, with the keys at openid.JWKSPath.
type token struct {
	Issuer            string   `json:"iss"`
	Subject           string   `json:"sub"`
	Audience          string   `json:"aud"`
	IssuedAt          int64    `json:"iat"`
	ExpiresAt         int64    `json:"exp"`
	AuthTime          int64    `json:"auth_time"`
	Email             string   `json:"email"`
	EmailVerified     bool     `json:"email_verified"`
	Name              string   `json:"name"`
	PreferredUsername string   `json:"preferred_username"`
	Groups            []string `json:"groups"`
	ACR               string   `json:"acr"`
	AMR               []string `json:"amr"`
}

// Headers are those that an application is sent, whether or not somebody is signed in: one that
// is empty takes the place of what the client has sent.
var Headers = []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Remote-JWT"}

// tell returns the values of [Headers] about who is there.
func (s *Service) tell(
	ctx context.Context, p *Place, id *session.Identity, groups []string, now time.Time,
) ([]string, error) {
	user := id.User
	signed, err := s.Keys.Sign(ctx, keyring.ES256, keyring.ForwardAuth, token{
		Issuer: s.PublicURL, Subject: user.ID, Audience: p.Origin(),
		IssuedAt: now.Unix(), ExpiresAt: now.Add(tokenLifetime).Unix(), AuthTime: id.Session.AuthenticatedAt.Unix(),
		Email: user.Email, EmailVerified: true, Name: user.FullName, PreferredUsername: user.Email, Groups: groups,
		ACR: openid.Reached(id.Session.Methods).ACR(), AMR: id.Session.Methods,
	})
	if err != nil {
		return nil, err
	}
	return []string{user.Email, user.Email, oneLine(user.FullName), strings.Join(groups, ","), signed}, nil
}

// oneLine returns text without what ends a line in a header.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}
