package openid

import "net/url"

// Refusal is an authorization or logout request that is refused.
type Refusal struct {
	Code        string // of RFC 6749, section 4.1.2.1, or OpenID Connect
	Parameter   string // which parameter is at fault, if one is
	Description string // for whoever builds the application
	// Sent and Registered are what was sent and what would have been right.
	Sent       string
	Registered []string
	ClientID   string

	back   *Request
	issuer string
}

func refuse(code, parameter, description string) *Refusal {
	return &Refusal{Code: code, Parameter: parameter, Description: description}
}

// Error returns the code and the description.
func (r *Refusal) Error() string { return r.Code + ": " + r.Description }

// Answer returns how the refusal reaches the client, or the page that tells who
// lets a device in; nil if it must be shown here.
func (r *Refusal) Answer() *Answer {
	if r.back == nil {
		return nil
	}
	if r.back.Device != nil {
		return &Answer{Location: DoneAt("refused")}
	}
	a := answer(r.back, r.issuer, url.Values{"error": {r.Code}, "error_description": {r.Description}})
	return &a
}

// Location returns where the browser takes the refusal, or "" if it must be
// shown here; see [Refusal.Answer].
func (r *Refusal) Location() string {
	if a := r.Answer(); a != nil {
		return a.Location
	}
	return ""
}

// Refuse returns the refusal of a request that was understood: access_denied,
// login_required, consent_required and the like. It is kept for an hour.
func (p *Provider) Refuse(r *Request, code, description string) *Refusal {
	refusal := &Refusal{Code: code, Description: description, ClientID: r.ClientID, back: r, issuer: p.Issuer}
	p.refusals.note(nil, refusal)
	return refusal
}
