package api

import (
	"context"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/login"
	"authy/server/session"
	"authy/server/steady"
)

// User is a user as they see themselves. It is exported for the framework, which
// does not look into embedded types that are not.
type User struct {
	ID            string     `json:"id" format:"uuid"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	Email         string     `json:"email" example:"bob@acme-corp.com"`
	EmailVerified bool       `json:"email_verified"`
	FullName      *string    `json:"full_name" nullable:"true"`
	AvatarURL     *string    `json:"avatar_url" nullable:"true"`
	Status        string     `json:"status" enum:"active,inactive,suspended,pending,compliance_suspended"`
	LastLoginAt   *time.Time `json:"last_login_at" nullable:"true"`
}

func userOf(u *account.User) User {
	return User{
		ID: u.ID, CreatedAt: u.CreatedAt.Time, UpdatedAt: u.UpdatedAt.Time, Email: u.Email,
		EmailVerified: !u.EmailVerifiedAt.IsZero(), FullName: orNull(u.FullName), AvatarURL: orNull(u.AvatarURL),
		Status: string(u.Status), LastLoginAt: timeOrNull(u.LastLoginAt.Time),
	}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// signedIn is the answer to someone who has signed in.
type signedIn struct {
	User      User      `json:"user"`
	Token     string    `json:"token" doc:"Send it as Authorization: Bearer. It is shown this once."`
	ExpiresAt time.Time `json:"expires_at"`
	Enrollment

	byMail bool // there is nothing of the above: the rest is in a mail
}

// byMailMessage is the same for an address that has an account and one that has
// none.
const byMailMessage = "What comes next is in a mail on its way to the address."

func (s *signedIn) later() bool { return s.byMail }

func (s *signedIn) title() string {
	if s.byMail {
		return byMailMessage
	}
	return ""
}

func signedInOf(r *login.Result) *signedIn {
	return &signedIn{
		User: userOf(r.User), Token: r.Token, ExpiresAt: r.Session.ExpiresAt.Time, Enrollment: enrollmentOf(r),
	}
}

// loginOut is the answer to someone who has signed in, or must go on.
type loginOut struct {
	User             *User      `json:"user,omitempty"`
	Token            string     `json:"token,omitempty" doc:"Send it as Authorization: Bearer. It is shown this once."`
	ExpiresAt        *time.Time `json:"expires_at,omitempty" doc:"When the session ends"`
	RequiresWebAuthn bool       `json:"requires_webauthn,omitempty" doc:"There is no session yet: a passkey will do"`
	RequiresTOTP     bool       `json:"requires_totp,omitempty" doc:"There is no session yet: a code will do"`
	PendingToken     string     `json:"pending_token,omitempty" doc:"Goes on with the sign-in, for ten minutes"`
	Enrollment

	cookie string
}

func loginOutOf(r *login.Result) *loginOut {
	u := userOf(r.User)
	return &loginOut{User: &u, Token: r.Token, ExpiresAt: &r.Session.ExpiresAt.Time, Enrollment: enrollmentOf(r)}
}

func (o *loginOut) setCookie() string { return o.cookie }

func (o *loginOut) title() string {
	if o.RequiresWebAuthn {
		return "Passkey verification required. Please use your passkey to complete login."
	}
	if o.RequiresTOTP {
		return "TOTP code required. Please enter your 6-digit code from your authenticator app."
	}
	return ""
}

type registerIn struct {
	Body struct {
		Email           string  `json:"email" example:"bob@acme-corp.com"`
		Password        string  `json:"password" doc:"8 to 128 characters, not among the common ones"`
		PasswordConfirm string  `json:"password_confirm"`
		FullName        *string `json:"full_name,omitempty" nullable:"true"`
	}
}

func (a *API) register(ctx context.Context, by audit.Actor, in *registerIn) (*signedIn, error) {
	b := in.Body
	if b.Password != b.PasswordConfirm {
		return nil, fault.Field("password_confirm", "Passwords do not match")
	}
	user := account.NewUser{Email: b.Email, Password: b.Password}
	if b.FullName != nil {
		user.FullName = *b.FullName
	}
	result, err := a.Login.Register(ctx, by, user)
	if err != nil {
		return nil, err
	}
	if result == nil {
		return &signedIn{byMail: true}, nil
	}
	return signedInOf(result), nil
}

type loginIn struct {
	Body struct {
		Email      string `json:"email" example:"bob@acme-corp.com"`
		Password   string `json:"password" minLength:"1"`
		RememberMe bool   `json:"remember_me,omitempty" doc:"Stay signed in for 30 days, not one"`
	}
}

func (a *API) login(ctx context.Context, by audit.Actor, in *loginIn) (*loginOut, error) {
	if _, err := account.ParseEmail(in.Body.Email); err != nil {
		return nil, err
	}
	result, pending, err := a.Login.Program(ctx, by, login.Credentials{
		Email: in.Body.Email, Password: in.Body.Password, Remember: in.Body.RememberMe,
	})
	if err != nil {
		return nil, err
	}
	if pending != nil {
		return &loginOut{
			RequiresWebAuthn: pending.Factors.Passkeys, RequiresTOTP: pending.Factors.TOTP, PendingToken: pending.Token,
			cookie: a.cookie(pendingCookie, pending.Token, steady.Until(pending.ExpiresAt)),
		}, nil
	}
	return loginOutOf(result), nil
}

func (a *API) logout(ctx context.Context, id *session.Identity, by audit.Actor, _ *struct{}) (*nothing, error) {
	return nil, a.Sessions.End(ctx, by, id.User.ID, id.Session.ID, "user.logout", "User logout")
}

// organization is one of the user's organizations.
type organization struct {
	ID   string `json:"id" format:"uuid"`
	Name string `json:"name"`
	Slug string `json:"slug"`
}

type meOut struct {
	User          User           `json:"user"`
	Organizations []organization `json:"organizations"`
}

func (a *API) me(ctx context.Context, id *session.Identity, _ audit.Actor, _ *struct{}) (*meOut, error) {
	orgs, err := a.Orgs.Of(ctx, id.User.ID)
	if err != nil {
		return nil, err
	}
	out := &meOut{User: userOf(id.User), Organizations: make([]organization, len(orgs))}
	for i, m := range orgs {
		out.Organizations[i] = organization{ID: m.Organization.ID, Name: m.Organization.Name, Slug: m.Organization.Slug}
	}
	return out, nil
}
