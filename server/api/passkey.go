package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/login"
	"authy/server/session"
	"authy/server/steady"
)

// ceremonyCookie holds what binds a challenge to the program that asked for it,
// for programs that keep cookies; others send ceremony_token.
const ceremonyCookie = "authy_api_ceremony"

// passkeyRoutes are passkeys, and the step of signing in that asks for one. The
// options of W3C Web Authentication go without the envelope.
func (a *API) passkeyRoutes() {
	const keys, one = "/api/v1/auth/webauthn/credentials", "/api/v1/auth/webauthn/credentials/{id}"
	a.bareRegisterBegin()
	signed(a, "POST /api/v1/auth/webauthn/register/complete", 201,
		"Passkey registered successfully", "Keep a new passkey", a.addPasskey)
	a.bareLoginBegin()
	open(a, "POST /api/v1/auth/webauthn/login/complete", 200, "Login successful", "Sign in by a passkey", a.loginByPasskey)
	signed(a, "GET "+keys, 200, "Credentials retrieved successfully", "My passkeys", a.passkeys)
	signed(a, "PATCH "+one, 200, "Passkey renamed successfully", "Rename a passkey", a.renamePasskey)
	signed(a, "DELETE "+one, 200, "Passkey deleted successfully", "Delete a passkey", a.removePasskey)
	signed(a, "GET /api/v1/auth/webauthn/status", 200,
		"WebAuthn status retrieved successfully", "Whether I have passkeys", a.passkeyStatus)
}

// bare is an answer without the envelope.
type bare[T any] struct {
	Cache  string `header:"Cache-Control"`
	Cookie string `header:"Set-Cookie"`
	Body   *T
}

func (a *API) bareRegisterBegin() {
	op := operation("POST /api/v1/auth/webauthn/register/begin", 200, "Ask for a new passkey")
	op.Errors = []int{400, 401, 403, 409, 413, 415, 429, 500, 503, 504}
	a.secured(&op)
	huma.Register(a.huma, op, func(ctx context.Context, in *maybeAgainIn) (*bare[account.CreationOptions], error) {
		id, ok := ctx.Value(identityKey{}).(*session.Identity)
		if !ok {
			return nil, failure(ctx, errAuthRequired)
		}
		o, err := a.Login.BeginPasskey(ctx, id.Actor(audit.FromContext(ctx)), id, in.again())
		if err != nil {
			return nil, failure(ctx, err)
		}
		return &bare[account.CreationOptions]{Cache: "no-store", Body: o}, nil
	})
}

type askIn struct {
	PendingCookie       string `cookie:"authy_api_pending" doc:"Set by login"`
	SecurePendingCookie string `cookie:"__Host-authy_api_pending" doc:"Set by login over https"`
	Body                *struct {
		Email        string `json:"email,omitempty" doc:"Whose passkeys may answer; left out, anyone's" example:"bob@acme-corp.com"`
		PendingToken string `json:"pending_token,omitempty" doc:"From login, where no cookies are kept"`
	}
}

// AskOut asks for a passkey. It is exported for the framework, as is what it embeds.
type AskOut struct {
	account.RequestOptions
	CeremonyToken string `json:"ceremony_token" doc:"Goes with the answer, where no cookies are kept"`
}

func (a *API) bareLoginBegin() {
	op := operation("POST /api/v1/auth/webauthn/login/begin", 200, "Ask for a passkey")
	op.Errors = []int{400, 401, 404, 413, 415, 429, 500, 503, 504}
	huma.Register(a.huma, op, func(ctx context.Context, in *askIn) (*bare[AskOut], error) {
		ask := login.Ask{Held: a.one(in.SecurePendingCookie, in.PendingCookie)}
		if in.Body != nil {
			ask.Email, ask.Pending = in.Body.Email, in.Body.PendingToken
		}
		c, err := a.Login.AskProgram(ctx, audit.FromContext(ctx), ask)
		if err != nil {
			return nil, failure(ctx, err)
		}
		return &bare[AskOut]{
			Cache: "no-store", Cookie: a.cookie(ceremonyCookie, c.Token, steady.Until(c.ExpiresAt)),
			Body: &AskOut{RequestOptions: *c.Options, CeremonyToken: c.Token},
		}, nil
	})
}

// PasskeyIn is a credential as PublicKeyCredential.toJSON() writes it; what
// else that holds is let through. It is exported for the framework.
type PasskeyIn struct {
	_        struct{}     `additionalProperties:"true"`
	ID       string       `json:"id,omitempty" doc:"Base64url; needed"`
	RawID    string       `json:"rawId,omitempty" doc:"The same as id"`
	Type     string       `json:"type,omitempty" example:"public-key"`
	Response PasskeyParts `json:"response,omitempty"`
}

// PasskeyParts are what the authenticator answered, each base64url. It is
// exported for the framework.
type PasskeyParts struct {
	_                 struct{} `additionalProperties:"true"`
	ClientDataJSON    string   `json:"clientDataJSON,omitempty"`
	AttestationObject string   `json:"attestationObject,omitempty" doc:"Of a new passkey"`
	Transports        []string `json:"transports,omitempty" doc:"Of a new passkey"`
	AuthenticatorData string   `json:"authenticatorData,omitempty" doc:"Of a sign-in"`
	Signature         string   `json:"signature,omitempty" doc:"Of a sign-in"`
	UserHandle        *string  `json:"userHandle,omitempty" nullable:"true" doc:"Of a sign-in"`
}

func (in *PasskeyIn) answer() *account.PasskeyResponse {
	r := in.Response
	out := &account.PasskeyResponse{ID: in.ID, RawID: in.RawID, Type: in.Type}
	out.Response = account.PasskeyAnswers{
		ClientDataJSON: r.ClientDataJSON, AttestationObject: r.AttestationObject, Transports: r.Transports,
		AuthenticatorData: r.AuthenticatorData, Signature: r.Signature,
	}
	if r.UserHandle != nil {
		out.Response.UserHandle = *r.UserHandle
	}
	return out
}

type addPasskeyIn struct {
	Body struct {
		PasskeyIn
		_          struct{} `additionalProperties:"true"`
		Name       *string  `json:"name,omitempty" nullable:"true" doc:"At most 100 characters"`
		Transports []string `json:"transports,omitempty" doc:"Where they are not in response"`
	}
}

// PasskeyView is a passkey. It is exported for the framework.
type PasskeyView struct {
	ID         string     `json:"id" doc:"The credential id, base64url"`
	Name       string     `json:"name"`
	Transports []string   `json:"transports"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at" nullable:"true"`
	SignCount  int64      `json:"sign_count"`
}

func passkeyOf(p *account.Passkey) PasskeyView {
	return PasskeyView{
		ID: p.CredentialID, Name: p.Name, Transports: append([]string{}, p.Transports...),
		CreatedAt: p.CreatedAt.Time, LastUsedAt: timeOrNull(p.LastUsedAt.Time), SignCount: p.SignCount,
	}
}

type passkeyOut struct {
	Credential  PasskeyView `json:"credential"`
	BackupCodes []string    `json:"backup_codes,omitempty" doc:"With the first second factor. They are shown this once."`
}

func (a *API) addPasskey(ctx context.Context, id *session.Identity, by audit.Actor, in *addPasskeyIn) (*passkeyOut, error) {
	answer, name := in.Body.answer(), ""
	if answer.Response.Transports == nil {
		answer.Response.Transports = in.Body.Transports
	}
	if in.Body.Name != nil {
		name = *in.Body.Name
	}
	added, err := a.Login.AddPasskey(ctx, by, id, answer, name)
	if err != nil {
		return nil, err
	}
	return &passkeyOut{passkeyOf(added.Passkey), added.RecoveryCodes}, nil
}

type loginByPasskeyIn struct {
	Cookie       string `cookie:"authy_api_ceremony" doc:"Set by login/begin"`
	SecureCookie string `cookie:"__Host-authy_api_ceremony" doc:"Set by login/begin over https"`
	Body         struct {
		PasskeyIn
		_             struct{} `additionalProperties:"true"`
		CeremonyToken string   `json:"ceremony_token,omitempty" doc:"From login/begin, where no cookies are kept"`
		RememberMe    bool     `json:"remember_me,omitempty" doc:"Without a password before it: stay signed in for 30 days, not one"`
	}
}

func (a *API) loginByPasskey(ctx context.Context, by audit.Actor, in *loginByPasskeyIn) (*loginOut, error) {
	token := in.Body.CeremonyToken
	if token == "" {
		token = a.one(in.SecureCookie, in.Cookie)
	}
	result, err := a.Login.ProgramPasskey(ctx, by, token, in.Body.answer(), in.Body.RememberMe)
	if err != nil {
		return nil, err
	}
	out := loginOutOf(result)
	out.cookie = a.cookie(ceremonyCookie, "", -time.Second)
	return out, nil
}

type passkeysOut struct {
	Credentials []PasskeyView `json:"credentials"`
	Count       int           `json:"count"`
}

func (a *API) passkeys(ctx context.Context, id *session.Identity, _ audit.Actor, _ *struct{}) (*passkeysOut, error) {
	have, err := a.Accounts.Passkeys(ctx, id.User.ID)
	if err != nil {
		return nil, err
	}
	out := &passkeysOut{Credentials: make([]PasskeyView, len(have)), Count: len(have)}
	for i := range have {
		out.Credentials[i] = passkeyOf(&have[i])
	}
	return out, nil
}

type renamePasskeyIn struct {
	ID   string `path:"id" doc:"The credential id"`
	Body struct {
		Name string `json:"name" doc:"1 to 100 characters"`
	}
}

func (a *API) renamePasskey(
	ctx context.Context, id *session.Identity, by audit.Actor, in *renamePasskeyIn,
) (*passkeyOut, error) {
	p, err := a.Accounts.RenamePasskey(ctx, by, id.User.ID, in.ID, in.Body.Name)
	if err != nil {
		return nil, err
	}
	return &passkeyOut{Credential: passkeyOf(p)}, nil
}

type removePasskeyIn struct {
	ID   string `path:"id" doc:"The credential id"`
	Body *Again
}

func (a *API) removePasskey(ctx context.Context, id *session.Identity, by audit.Actor, in *removePasskeyIn) (*nothing, error) {
	again := maybeAgainIn{in.Body}
	return nil, a.Login.RemovePasskey(ctx, by, id, again.again(), in.ID)
}

type passkeyStatusOut struct {
	WebAuthnEnabled      bool `json:"webauthn_enabled"`
	CredentialCount      int  `json:"credential_count"`
	BackupCodesRemaining int  `json:"backup_codes_remaining"`
}

func (a *API) passkeyStatus(ctx context.Context, id *session.Identity, _ audit.Actor, _ *struct{}) (*passkeyStatusOut, error) {
	s, err := a.Accounts.PasskeyStatus(ctx, id.User.ID)
	if err != nil {
		return nil, err
	}
	return &passkeyStatusOut{s.Passkeys > 0, s.Passkeys, s.RecoveryCodes}, nil
}
