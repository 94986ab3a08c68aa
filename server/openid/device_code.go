package openid

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// A device without a browser asks for a code, shows it, and polls until somebody has
// typed the code elsewhere and allowed it (RFC 8628). The state of that is a row;
// each step is one conditional statement.

// DevicePath is the page where the code is typed.
const DevicePath = "/device"

const (
	deviceLifetime = 10 * time.Minute
	devicePause    = 5 * time.Second // between two polls; one too early adds as much

	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ" // no vowels, so that no words come out
	userCodeLength  = 8
)

// deviceRule is how often one address may ask for codes: each is kept for a while.
var deviceRule = limit.Rule{Name: "device-address", Most: 100, Window: 15 * time.Minute}

// ErrUserCode is answered to a code that no device waits with.
var ErrUserCode = fault.New(fault.NotFound, "user_code_unknown",
	"There is no device that waits with this code. Look at the device again: the code may have changed or expired.")

// Device is the device that a request comes from.
type Device struct {
	Hash    string    `json:"hash"`    // of the code that it polls with
	Address string    `json:"address"` // where the code was asked for
	Asked   time.Time `json:"asked"`
}

// deviceAuthorization is the answer of RFC 8628, section 3.2.
type deviceAuthorization struct {
	DeviceCode      string `json:"device_code"`
	UserCode        string `json:"user_code"`
	VerificationURI string `json:"verification_uri"`
	Complete        string `json:"verification_uri_complete"`
	ExpiresIn       int64  `json:"expires_in"` // seconds
	Interval        int64  `json:"interval"`   // seconds
}

// deviceMetadata is what discovery says of the device flow (RFC 8628, section 4).
type deviceMetadata struct {
	Endpoint string `json:"device_authorization_endpoint"`
}

// DeviceAuthorization gives a device its codes (RFC 8628, section 3.1).
func (s *server) DeviceAuthorization(
	ctx context.Context, r *op.ClientRequest[oidc.DeviceAuthorizationRequest],
) (*op.Response, error) {
	answer, err := s.p.addDevice(ctx, registered(r.Client), r.Form)
	if _, told := errors.AsType[*oidc.Error](err); told {
		return nil, err
	}
	if _, many := fault.As(err); many {
		return nil, op.NewStatusError(oidc.ErrInvalidRequest().
			WithDescription("too many requests from this address, try again later"), http.StatusTooManyRequests)
	}
	if err != nil {
		return nil, internal(ctx, err)
	}
	return op.NewResponse(answer), nil
}

func (p *Provider) addDevice(
	ctx context.Context, c *storage.Client, form url.Values,
) (*deviceAuthorization, error) {
	if !has(c.GrantTypes, registry.DeviceCode) {
		return nil, oidc.ErrUnauthorizedClient().WithDescription("the client is not registered for the device flow")
	}
	asked := new(Request)
	if refusal := p.checkScope(ctx, c, asked, form); refusal != nil {
		return nil, oidc.ErrInvalidScope().WithDescription("%s", refusal.Description)
	}
	by := actor(ctx).AsClient(c.ClientID)
	if err := p.Limits.Count(ctx, deviceRule, limit.Network(by.IPAddress)); err != nil {
		return nil, err
	}
	for {
		answer, err := p.keepDevice(ctx, by, c, asked.Scopes)
		if !errors.Is(err, storage.ErrTaken) { // two of 25 billion
			return answer, err
		}
	}
}

// keepDevice keeps a device with new codes. [storage.ErrTaken] if its user code is in use.
func (p *Provider) keepDevice(
	ctx context.Context, by audit.Actor, c *storage.Client, scopes []string,
) (*deviceAuthorization, error) {
	now, secret, code := steady.Now(), make([]byte, 32), newUserCode()
	rand.Read(secret)
	deviceCode := base64.RawURLEncoding.EncodeToString(secret)
	err := p.db.Update(ctx, func(tx *storage.Tx) error {
		err := tx.InsertDeviceCode(ctx, &storage.DeviceCode{
			Hash: storage.Hash(deviceCode), UserCode: p.userCodeHash(code), ClientID: c.ID, Scopes: scopes,
			IPAddress: by.IPAddress, Network: strange(c, by), Pause: devicePause.Milliseconds(), CreatedAt: storage.At(now),
			ExpiresAt: storage.At(now.Add(deviceLifetime)), PolledAt: storage.At(now.Add(-devicePause)),
		})
		if err != nil {
			return fmt.Errorf("keep a device of %s: %w", c.ClientID, err)
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "device.requested", TargetKind: "client", TargetID: c.ClientID, OrgID: string(c.OrganizationID),
			Details: map[string]string{"scope": strings.Join(scopes, " ")},
		})
	})
	if err != nil {
		return nil, err
	}
	shown := code[:userCodeLength/2] + "-" + code[userCodeLength/2:]
	return &deviceAuthorization{
		DeviceCode: deviceCode, UserCode: shown, VerificationURI: p.Issuer + DevicePath,
		Complete:  p.Issuer + DevicePath + "?user_code=" + shown,
		ExpiresIn: int64(deviceLifetime / time.Second), Interval: int64(devicePause / time.Second),
	}, nil
}

// newUserCode returns a code for a person to type, 35 bits of it.
func newUserCode() string {
	code := make([]byte, 0, userCodeLength)
	for len(code) < userCodeLength {
		var random [1]byte
		rand.Read(random[:])
		if limit := 256 - 256%len(userCodeLetters); int(random[0]) < limit { // each letter is as likely
			code = append(code, userCodeLetters[int(random[0])%len(userCodeLetters)])
		}
	}
	return string(code)
}

// parseUserCode returns a code as it was typed without what does not count
// (RFC 8628, section 6.1), "" if it is none.
func parseUserCode(typed string) string {
	if len(typed) > 64 {
		return ""
	}
	code := strings.Map(func(r rune) rune {
		switch r {
		case '-', ' ', '.', '_', '\u00a0', '\u2010', '\u2011', '\u2013':
			return -1
		}
		return r
	}, strings.ToUpper(typed))
	if len(code) != userCodeLength || strings.Trim(code, userCodeLetters) != "" {
		return ""
	}
	return code
}

// userCodeHash is what is kept of a user code; it is short, so that a plain hash
// would tell it.
func (p *Provider) userCodeHash(code string) string {
	return base64.RawURLEncoding.EncodeToString(p.db.MAC("user code", code))
}

// DeviceRequest returns the request of the device that waits with a code. [ErrUserCode]
// if there is none.
func (p *Provider) DeviceRequest(ctx context.Context, userCode string) (*Request, error) {
	code := parseUserCode(userCode)
	if code == "" {
		return nil, ErrUserCode
	}
	d, err := p.db.DeviceByUserCode(ctx, p.userCodeHash(code))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrUserCode
	}
	if err != nil {
		return nil, fmt.Errorf("look for a device: %w", err)
	}
	if d.GrantID != "" || !d.DeniedAt.IsZero() || !steady.Now().Before(d.ExpiresAt.Time) {
		return nil, ErrUserCode
	}
	c, err := p.db.ClientByRow(ctx, d.ClientID)
	if err == nil {
		err = p.clients.Usable(ctx, p.db.Reader, c)
	}
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, registry.ErrDisabled) {
		return nil, ErrUserCode
	}
	if err != nil {
		return nil, fmt.Errorf("look for the client of a device: %w", err)
	}
	return &Request{
		ClientID: c.ClientID, Scopes: d.Scopes,
		// Whoever is led here by a link must see what they allow (RFC 8628, section 5.4).
		Prompt: []string{"consent"},
		Device: &Device{Hash: d.Hash, Address: d.IPAddress, Asked: d.CreatedAt.Time},
	}, nil
}

// allowDevice lets the device of a request in, by a grant that is not kept yet, and
// returns the page that says so.
func (p *Provider) allowDevice(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time,
	r *Request, c *storage.Client, g *storage.Grant,
) (location string, err error) {
	// It polls when it polls: what it gets lasts as long as that of others.
	if latest := now.Add(deviceLifetime + c.AccessTokenLifetime.Duration()); g.ExpiresAt.Before(latest) {
		g.ExpiresAt = storage.At(latest)
	}
	if err := tx.InsertGrant(ctx, g); err != nil {
		return "", fmt.Errorf("grant %s to a device of %s: %w", g.UserID, r.ClientID, err)
	}
	if err := p.visit(ctx, tx, now, c, string(g.SessionID), p.Subject(c, g.UserID)); err != nil {
		return "", err
	}
	switch first, err := tx.UseDeviceDecision(ctx, r.Device.Hash, g.ID, now); {
	case err != nil:
		return "", fmt.Errorf("allow a device of %s: %w", r.ClientID, err)
	case !first:
		return "", ErrUserCode
	}
	return DoneAt("allowed"), audit.Record(ctx, tx, by, now, audit.Event{
		Action: "device.allowed", TargetKind: "client", TargetID: r.ClientID, OrgID: string(c.OrganizationID),
		Details: map[string]string{"scope": strings.Join(r.Scopes, " "), "ip_address": r.Device.Address},
	})
}

// DoneAt is where a browser goes once a device was allowed, denied or refused.
func DoneAt(outcome string) string { return DevicePath + "/done?outcome=" + outcome }
