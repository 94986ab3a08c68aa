package browsertest

import (
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// AddAuthenticator plugs an authenticator in, which is part of the device,
// keeps discoverable keys, and knows its owner. Its owner touches it whenever it
// asks, unless touch says otherwise.
func (b *Browser) AddAuthenticator() (touch func(bool)) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	added, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true,
			IsUserVerified: true, AutomaticPresenceSimulation: true,
		},
	})
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	b.authenticator = added.AuthenticatorID
	return func(yes bool) {
		b.t.Helper()
		_, err := chromedp.Call(b.ctx, webauthn.SetAutomaticPresenceSimulation,
			webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: added.AuthenticatorID, Enabled: yes})
		if err != nil {
			b.t.Fatalf("browser: %v", err)
		}
	}
}

// Kept returns how many passkeys the authenticator keeps.
func (b *Browser) Kept() int {
	b.t.Helper()
	found, err := chromedp.Call(b.ctx, webauthn.GetCredentials,
		webauthn.GetCredentialsParams{AuthenticatorID: b.authenticator})
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	return len(found.Credentials)
}
