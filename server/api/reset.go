package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/login"
	"authy/server/session"
)

// resetRoutes are the links that are mailed or handed out, and asking for them.
func (a *API) resetRoutes() {
	open(a, "POST /api/v1/auth/forgot-password", 202,
		"If the address has an account, a link to choose a new password is on its way to it.",
		"Ask for a link to a new password", a.forgotPassword)
	open(a, "POST /api/v1/auth/reset-password", 200, "Password reset successfully",
		"Choose a new password by a link, and end all sessions", a.resetPassword)
	open(a, "POST /api/v1/auth/verify-email", 200, "Email address verified successfully",
		"Confirm an address by a link", a.verifyEmail)
	open(a, "POST /api/v1/auth/confirm-email", 200, "Email address changed successfully",
		"Confirm a new address by a link", a.confirmEmail)
	signed(a, "POST /api/v1/users/me/verify-email", 202, "A link to confirm your address is on its way to it.",
		"Ask for a link that confirms my address", a.sendVerification)
	signed(a, "POST /api/v1/users/me/email", 202, "Confirm the new address by the link that is on its way to it.",
		"Change my address", a.changeEmail)
	signed(a, "POST /api/v1/admin/users/{id}/reset-link", 200, "Reset link made successfully",
		"Make a link by which a user chooses a new password", a.makeResetLink)
}

type forgotIn struct {
	Body struct {
		Email string `json:"email" example:"bob@acme-corp.com"`
	}
}

func (a *API) forgotPassword(ctx context.Context, by audit.Actor, in *forgotIn) (*nothing, error) {
	return nil, a.Login.ForgotPassword(ctx, by, in.Body.Email)
}

type resetIn struct {
	Body struct {
		Token           string `json:"token" minLength:"1" maxLength:"256" doc:"What stands after token= in the link"`
		Password        string `json:"password" doc:"8 to 128 characters, not among the common ones"`
		PasswordConfirm string `json:"password_confirm"`
	}
}

func (a *API) resetPassword(ctx context.Context, by audit.Actor, in *resetIn) (*nothing, error) {
	if in.Body.Password != in.Body.PasswordConfirm {
		return nil, fault.Field("password_confirm", "Passwords do not match")
	}
	return nil, a.Login.ResetPassword(ctx, by, in.Body.Token, in.Body.Password)
}

func (a *API) verifyEmail(ctx context.Context, by audit.Actor, in *answerInviteIn) (*nothing, error) {
	_, err := a.Login.VerifyEmail(ctx, by, in.Body.Token)
	return nil, err
}

func (a *API) confirmEmail(ctx context.Context, by audit.Actor, in *answerInviteIn) (*nothing, error) {
	_, err := a.Login.ConfirmEmail(ctx, by, in.Body.Token)
	return nil, err
}

func (a *API) sendVerification(ctx context.Context, id *session.Identity, by audit.Actor, _ *struct{}) (*nothing, error) {
	return nil, a.Login.SendVerification(ctx, by, id)
}

type changeEmailIn struct {
	Body struct {
		Email        string `json:"email" example:"robert@acme-corp.com"`
		Password     string `json:"password,omitempty" doc:"Needed if the session proved who it is more than 5 minutes ago"`
		Code         string `json:"code,omitempty" doc:"Of the second factor, if the session has not just proved that" example:"123456"`
		IsBackupCode bool   `json:"is_backup_code,omitempty" doc:"The code is a recovery code"`
	}
}

func (a *API) changeEmail(ctx context.Context, id *session.Identity, by audit.Actor, in *changeEmailIn) (*nothing, error) {
	proof := login.Again{
		Password: in.Body.Password, Code: login.Code{Text: in.Body.Code, Recovery: in.Body.IsBackupCode},
	}
	return nil, a.Login.ChangeEmail(ctx, by, id, proof, in.Body.Email)
}

type resetLinkOut struct {
	Link      string    `json:"link" doc:"Hand it to the user, and to nobody else. It is shown this once."`
	ExpiresAt time.Time `json:"expires_at"`
}

func (a *API) makeResetLink(ctx context.Context, _ *session.Identity, by audit.Actor, in *oneUserIn) (*resetLinkOut, error) {
	l, err := a.Accounts.NewResetLink(ctx, by, in.ID)
	if err != nil {
		return nil, err
	}
	return &resetLinkOut{a.Issuer + l.Path, l.ExpiresAt}, nil
}
