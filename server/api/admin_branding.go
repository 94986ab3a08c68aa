package api

import (
	"context"
	"encoding/base64"
	"time"

	"authy/server/audit"
	"authy/server/brand"
	"authy/server/fault"
	"authy/server/session"
)

// adminBrandingRoutes are for administrators of the server.
func (a *API) adminBrandingRoutes() {
	const one = "/api/v1/admin/branding"
	signed(a, "GET "+one, 200, "Branding retrieved successfully", "What the server is called and how it looks", a.branding)
	signed(a, "PATCH "+one, 200, "Branding updated successfully", "Change what the server is called and how it looks", a.updateBranding)
	signed(a, "DELETE "+one, 200, "Branding reset successfully", "Have the server be called and look as authy does", a.resetBranding)
}

// brandingView is what the server is called and how it looks.
type brandingView struct {
	Name        string     `json:"name" example:"Acme"`
	AccentLight string     `json:"accent_light" example:"#0b6b61" doc:"The colour of links and buttons"`
	AccentDark  string     `json:"accent_dark" example:"#62cdbb" doc:"The same where the page is dark"`
	DarkFollows bool       `json:"dark_follows" doc:"Whether accent_dark follows from accent_light"`
	Logo        *string    `json:"logo" nullable:"true" doc:"A PNG, base64"`
	UpdatedAt   *time.Time `json:"updated_at" nullable:"true" doc:"null if nobody has chosen anything"`
	Managed
}

type brandingOut struct {
	Branding brandingView `json:"branding"`
}

func brandingOutOf(b *brand.Brand, err error) (*brandingOut, error) {
	if err != nil {
		return nil, err
	}
	return &brandingOut{brandingView{
		Name: b.Name, AccentLight: b.Light.Accent.String(), AccentDark: b.Dark.Accent.String(), DarkFollows: b.Follows,
		Logo: orNull(base64.StdEncoding.EncodeToString(b.Logo)), UpdatedAt: timeOrNull(b.UpdatedAt),
		Managed: managedBranding(),
	}}, nil
}

func (a *API) branding(ctx context.Context, _ *session.Identity, by audit.Actor, _ *struct{}) (*brandingOut, error) {
	return brandingOutOf(a.Brand.Show(ctx, by))
}

type updateBrandingIn struct {
	Body struct {
		Name        patch `json:"name,omitempty" doc:"At most 40 characters; null is authy"`
		AccentLight patch `json:"accent_light,omitempty" doc:"#rrggbb, refused where text in it could not be read; null is authy's"`
		AccentDark  patch `json:"accent_dark,omitempty" doc:"The same; null is what follows from accent_light"`
		Logo        patch `json:"logo,omitempty" doc:"PNG, JPEG or WebP, base64, at most 512 KiB; null takes it away"`
	}
}

func (a *API) updateBranding(ctx context.Context, _ *session.Identity, by audit.Actor, in *updateBrandingIn) (*brandingOut, error) {
	c := brand.Change{
		Name: in.Body.Name.pointer(), AccentLight: in.Body.AccentLight.pointer(), AccentDark: in.Body.AccentDark.pointer(),
	}
	if logo := in.Body.Logo.pointer(); logo != nil {
		picture, err := base64.StdEncoding.DecodeString(*logo)
		if err != nil {
			return nil, fault.Field("logo", "Not base64.")
		}
		c.Logo, c.NoLogo = picture, len(picture) == 0
	}
	return brandingOutOf(a.Brand.Change(ctx, by, c))
}

// pointer returns the text, nil where nothing was sent.
func (p patch) pointer() *string {
	if !p.sent {
		return nil
	}
	return &p.text
}

func (a *API) resetBranding(ctx context.Context, _ *session.Identity, by audit.Actor, _ *struct{}) (*nothing, error) {
	return nil, a.Brand.Reset(ctx, by)
}
