package openid

import (
	"net/url"
	"strings"
)

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

// Location returns where the browser takes the refusal to the client, or to the
// page that tells who lets a device in; "" if it must be shown at once.
func (r *Refusal) Location() string {
	if r.back == nil {
		return ""
	}
	if r.back.Device != nil {
		return DoneAt("refused")
	}
	return answer(r.back, r.issuer, url.Values{"error": {r.Code}, "error_description": {r.Description}})
}

// Refuse returns the refusal of a request that was understood: access_denied,
// login_required, consent_required and the like. It is kept for an hour.
func (p *Provider) Refuse(r *Request, code, description string) *Refusal {
	refusal := &Refusal{Code: code, Description: description, ClientID: r.ClientID, back: r, issuer: p.Issuer}
	p.refusals.note(nil, refusal)
	return refusal
}

// answer adds the parameters of an authorization response to the redirect URI,
// which is left as it was registered.
func answer(r *Request, issuer string, values url.Values) string {
	if r.State != "" {
		values.Set("state", r.State)
	}
	values.Set("iss", issuer) // RFC 9207, section 2
	mark := "?"
	if strings.Contains(r.RedirectURI, "?") {
		mark = "&"
	}
	return r.RedirectURI + mark + values.Encode()
}
