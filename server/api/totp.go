package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/skip2/go-qrcode"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/login"
	"authy/server/session"
)

// pendingCookie holds the token of a sign-in that needs its second factor, for
// programs that keep cookies; others send pending_token.
const pendingCookie = "authy_api_pending"

// qrSize is the width of the QR code in pixels.
const qrSize = 256

// totpRoutes are the authenticator and the step of signing in that asks for it.
func (a *API) totpRoutes() {
	signed(a, "POST /api/v1/auth/totp/enroll", 201,
		"TOTP enrollment initiated. Please verify with your authenticator app.", "Set an authenticator up", a.enrollTOTP)
	signed(a, "POST /api/v1/auth/totp/verify-enrollment", 200,
		"TOTP enrollment completed successfully", "Confirm the authenticator by a code", a.confirmTOTP)
	open(a, "POST /api/v1/auth/totp/verify", 200,
		"TOTP verification successful", "Sign in: the second factor", a.verifyTOTP)
	signed(a, "DELETE /api/v1/auth/totp/disable", 200, "TOTP disabled successfully", "Take my authenticator away", a.disableTOTP)
	signed(a, "GET /api/v1/auth/totp/status", 200, "TOTP status retrieved successfully", "My authenticator", a.totpStatus)
	signed(a, "POST /api/v1/auth/totp/regenerate-backup-codes", 200,
		"Backup codes regenerated successfully", "Fresh recovery codes", a.renewRecoveryCodes)
}

type enrollOut struct {
	Secret          string   `json:"secret" doc:"Base32. It is shown this once."`
	ProvisioningURI string   `json:"provisioning_uri" example:"otpauth://totp/authy:bob@acme-corp.com?issuer=authy&secret=…"`
	QRCode          string   `json:"qr_code" doc:"The URI as an image, in a data: URL"`
	BackupCodes     []string `json:"backup_codes" doc:"Each stands in for a code once. They are shown this once."`
}

func (a *API) enrollTOTP(ctx context.Context, id *session.Identity, by audit.Actor, in *maybeAgainIn) (*enrollOut, error) {
	e, err := a.Login.EnrollTOTP(ctx, by, id, in.again())
	if err != nil {
		return nil, err
	}
	image, err := qrcode.Encode(e.URI, qrcode.Medium, qrSize)
	if err != nil {
		return nil, fmt.Errorf("draw a QR code: %w", err)
	}
	return &enrollOut{
		Secret: e.Secret, ProvisioningURI: e.URI, BackupCodes: e.RecoveryCodes,
		QRCode: "data:image/png;base64," + base64.StdEncoding.EncodeToString(image),
	}, nil
}

// totpCode is what a code of an authenticator looks like.
var totpCode = regexp.MustCompile(`^[0-9]{6}$`)

type confirmTOTPIn struct {
	Body struct {
		Code            string `json:"code" example:"123456"`
		ClientTimestamp *int64 `json:"client_timestamp,omitempty" nullable:"true" doc:"Ignored: the server's clock counts"`
	}
}

func (a *API) confirmTOTP(ctx context.Context, id *session.Identity, by audit.Actor, in *confirmTOTPIn) (*nothing, error) {
	if !totpCode.MatchString(in.Body.Code) {
		return nil, fault.Field("code", "Code must be a 6-digit number")
	}
	return nil, a.Login.ConfirmTOTP(ctx, by, id.User.ID, in.Body.Code)
}

type verifyTOTPIn struct {
	Cookie       string `cookie:"authy_api_pending" doc:"Set by login"`
	SecureCookie string `cookie:"__Host-authy_api_pending" doc:"Set by login over https"`
	Body         struct {
		Code            string `json:"code" example:"123456"`
		IsBackupCode    bool   `json:"is_backup_code,omitempty"`
		PendingToken    string `json:"pending_token,omitempty" doc:"From login, where no cookies are kept"`
		ClientTimestamp *int64 `json:"client_timestamp,omitempty" nullable:"true" doc:"Ignored: the server's clock counts"`
	}
}

func (a *API) verifyTOTP(ctx context.Context, by audit.Actor, in *verifyTOTPIn) (*loginOut, error) {
	token := in.Body.PendingToken
	if token == "" {
		token = a.one(in.SecureCookie, in.Cookie)
	}
	code := login.Code{Text: in.Body.Code, Recovery: in.Body.IsBackupCode}
	result, err := a.Login.ProgramSecondFactor(ctx, by, token, code)
	if err != nil {
		return nil, err
	}
	out := loginOutOf(result)
	out.cookie = a.cookie(pendingCookie, "", -time.Second)
	return out, nil
}

// secure says that programs come by https.
func (a *API) secure() bool { return strings.HasPrefix(a.Issuer, "https:") }

// one returns the cookie that counts: over https only that with the prefix.
func (a *API) one(secure, plain string) string {
	if a.secure() {
		return secure
	}
	return plain
}

// cookie keeps the token of something that goes on for a while; a negative age
// forgets it.
func (a *API) cookie(name, token string, age time.Duration) string {
	c := &http.Cookie{ //nolint:gosec // not Secure on http alone
		Name: name, Value: token, Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true, Secure: a.secure(),
		SameSite: http.SameSiteStrictMode,
	}
	if c.Secure {
		c.Name = "__Host-" + name
	}
	return c.String()
}

// Again proves anew who is signed in. It is exported for the framework.
type Again struct {
	Password     string `json:"password,omitempty" doc:"Needed if the session proved who it is more than 5 minutes ago"`
	Code         string `json:"code,omitempty" doc:"Of the second factor, if the session has not just proved that" example:"123456"`
	IsBackupCode bool   `json:"is_backup_code,omitempty" doc:"The code is a recovery code"`
}

func (b Again) proof() login.Again {
	return login.Again{Password: b.Password, Code: login.Code{Text: b.Code, Recovery: b.IsBackupCode}}
}

// maybeAgainIn may have no body at all.
type maybeAgainIn struct{ Body *Again }

func (in *maybeAgainIn) again() login.Again {
	if in.Body == nil {
		return login.Again{}
	}
	return in.Body.proof()
}

// againIn must have the password.
type againIn struct {
	Body struct {
		Password     string `json:"password" minLength:"1"`
		Code         string `json:"code,omitempty" doc:"Needed if the session has not just proved the second factor" example:"123456"`
		IsBackupCode bool   `json:"is_backup_code,omitempty" doc:"The code is a recovery code"`
	}
}

func (a *API) disableTOTP(ctx context.Context, id *session.Identity, by audit.Actor, in *againIn) (*nothing, error) {
	return nil, a.Login.DisableTOTP(ctx, by, id, Again(in.Body).proof())
}

type totpStatusOut struct {
	TOTPEnabled          bool       `json:"totp_enabled"`
	VerifiedAt           *time.Time `json:"verified_at" nullable:"true"`
	BackupCodesRemaining int        `json:"backup_codes_remaining"`
}

func (a *API) totpStatus(ctx context.Context, id *session.Identity, _ audit.Actor, _ *struct{}) (*totpStatusOut, error) {
	s, err := a.Accounts.TOTPStatus(ctx, id.User.ID)
	if err != nil {
		return nil, err
	}
	return &totpStatusOut{s.Enabled, timeOrNull(s.ConfirmedAt), s.RecoveryCodes}, nil
}

type backupCodesOut struct {
	BackupCodes []string `json:"backup_codes" doc:"They are shown this once; all earlier ones are dead."`
}

func (a *API) renewRecoveryCodes(
	ctx context.Context, id *session.Identity, by audit.Actor, in *againIn,
) (*backupCodesOut, error) {
	codes, err := a.Login.RenewRecoveryCodes(ctx, by, id, Again(in.Body).proof())
	return &backupCodesOut{codes}, err
}
