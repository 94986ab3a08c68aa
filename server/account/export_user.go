package account

import (
	"context"
	"errors"
	"time"

	"authy/storage"
)

// ExportUser is the user's own record.
type ExportUser struct {
	ID                string     `json:"id"`
	Email             string     `json:"email"`
	EmailVerifiedAt   *time.Time `json:"email_verified_at" nullable:"true"`
	FullName          string     `json:"full_name"`
	AvatarURL         string     `json:"avatar_url"`
	GivenName         string     `json:"given_name"`
	FamilyName        string     `json:"family_name"`
	Nickname          string     `json:"nickname"`
	PreferredUsername string     `json:"preferred_username"`
	Website           string     `json:"website"`
	Gender            string     `json:"gender"`
	Birthdate         string     `json:"birthdate"`
	PhoneNumber       string     `json:"phone_number"`
	Locale            string     `json:"locale"`
	Zoneinfo          string     `json:"zoneinfo"`
	MiddleName        string     `json:"middle_name"`
	ProfileURL        string     `json:"profile_url"`
	StreetAddress     string     `json:"street_address"`
	Locality          string     `json:"locality"`
	Region            string     `json:"region"`
	PostalCode        string     `json:"postal_code"`
	Country           string     `json:"country"`
	Status            string     `json:"status"`
	Admin             bool       `json:"admin"`
	CreatedAt         time.Time  `json:"created_at"`
	UpdatedAt         time.Time  `json:"updated_at"`
	LastLoginAt       *time.Time `json:"last_login_at" nullable:"true"`
	LastLoginIP       string     `json:"last_login_ip"`
	SignedOutAt       *time.Time `json:"signed_out_at" nullable:"true"`
}

// ExportPasskey is a passkey, without its key.
type ExportPasskey struct {
	Name       string     `json:"name"`
	Transports []string   `json:"transports"`
	BackedUp   bool       `json:"backed_up"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at" nullable:"true"`
}

func (e *exporter) user(ctx context.Context) error {
	u, err := e.db.User(ctx, e.userID)
	if errors.Is(err, storage.ErrNotFound) {
		return ErrNoUser
	}
	if err != nil {
		return err
	}
	e.out.User = ExportUser{
		ID: u.ID, Email: u.Email, EmailVerifiedAt: moment(u.EmailVerifiedAt), FullName: u.FullName, AvatarURL: u.AvatarURL,
		GivenName: u.GivenName, FamilyName: u.FamilyName, Nickname: u.Nickname, PreferredUsername: u.PreferredUsername,
		Website: u.Website, Gender: u.Gender, Birthdate: u.Birthdate, PhoneNumber: u.PhoneNumber, Locale: u.Locale,
		Zoneinfo: u.Zoneinfo, MiddleName: u.MiddleName, ProfileURL: u.ProfileURL, StreetAddress: u.StreetAddress,
		Locality: u.Locality, Region: u.Region, PostalCode: u.PostalCode, Country: u.Country,
		Status: string(u.Status), Admin: u.IsAdmin, CreatedAt: u.CreatedAt.Time, UpdatedAt: u.UpdatedAt.Time,
		LastLoginAt: moment(u.LastLoginAt), LastLoginIP: u.LastLoginIP, SignedOutAt: moment(u.SignedOutAt),
	}
	return nil
}

func (e *exporter) picture(ctx context.Context) error {
	p, err := e.db.PictureOf(ctx, e.userID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	e.out.Picture = p.Large
	return nil
}

func (e *exporter) password(ctx context.Context) error {
	p, err := e.db.Password(ctx, e.userID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	e.out.PasswordChangedAt = moment(p.ChangedAt)
	return nil
}

func (e *exporter) totp(ctx context.Context) error {
	t, err := e.db.TOTP(ctx, e.userID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	e.out.TOTPConfirmedAt = moment(t.ConfirmedAt)
	return nil
}

func (e *exporter) passkeys(ctx context.Context) error {
	have, err := e.db.Passkeys(ctx, e.userID)
	e.out.Passkeys = make([]ExportPasskey, len(have))
	for i, p := range have {
		e.out.Passkeys[i] = ExportPasskey{
			Name: p.Name, Transports: append([]string{}, p.Transports...), BackedUp: p.BackedUp,
			CreatedAt: p.CreatedAt.Time, LastUsedAt: moment(p.LastUsedAt),
		}
	}
	return err
}
