package account

import (
	"encoding/base64"
	"net/url"

	"authy/storage"
)

// The names of W3C Web Authentication that the options use.
const (
	publicKey = "public-key"
	// preferred and required say whether the authenticator checks who holds it.
	preferred = "preferred"
	required  = "required"
	// passkeyTimeout is how long a browser lets its user take, in milliseconds.
	passkeyTimeout = 60_000
)

// RelyingParty is this server as authenticators know it: a passkey belongs to
// its id and answers only at its origin.
type RelyingParty struct {
	ID     string // a host name
	Origin string
}

// RelyingPartyOf returns the server at a public URL.
func RelyingPartyOf(publicURL string) RelyingParty {
	u, err := url.Parse(publicURL)
	if err != nil {
		return RelyingParty{} // which no authenticator answers
	}
	return RelyingParty{ID: u.Hostname(), Origin: publicURL}
}

// CreationOptions ask a browser for a new passkey, in the form that
// PublicKeyCredential.parseCreationOptionsFromJSON takes.
type CreationOptions struct {
	RP                     PasskeyParty        `json:"rp"`
	User                   PasskeyUser         `json:"user"`
	Challenge              string              `json:"challenge" doc:"Works once, for five minutes, in this session"`
	PubKeyCredParams       []PasskeyAlgorithm  `json:"pubKeyCredParams"`
	Timeout                int                 `json:"timeout" doc:"Milliseconds"`
	ExcludeCredentials     []PasskeyDescriptor `json:"excludeCredentials"`
	AuthenticatorSelection PasskeySelection    `json:"authenticatorSelection"`
	Attestation            string              `json:"attestation" example:"none"`
}

// PasskeyParty is whom a passkey is for.
type PasskeyParty struct {
	Name string `json:"name"`
	ID   string `json:"id" doc:"The host of the server's public URL"`
}

// PasskeyUser is whose a passkey is.
type PasskeyUser struct {
	ID          string `json:"id" doc:"Base64url of the user's id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

// PasskeyAlgorithm is a signature algorithm that is accepted.
type PasskeyAlgorithm struct {
	Type string `json:"type"`
	Alg  int    `json:"alg" doc:"COSE: -7 is ES256, -8 EdDSA, -257 RS256"`
}

// PasskeyDescriptor names a passkey.
type PasskeyDescriptor struct {
	ID         string   `json:"id" doc:"Base64url"`
	Type       string   `json:"type"`
	Transports []string `json:"transports"`
}

// PasskeySelection says what an authenticator should be able to do.
type PasskeySelection struct {
	ResidentKey      string `json:"residentKey"`
	UserVerification string `json:"userVerification"`
}

// RequestOptions ask a browser to sign in by a passkey, in the form that
// PublicKeyCredential.parseRequestOptionsFromJSON takes.
type RequestOptions struct {
	Challenge        string              `json:"challenge" doc:"Works once, for five minutes, in this browser"`
	Timeout          int                 `json:"timeout" doc:"Milliseconds"`
	RPID             string              `json:"rpId"`
	AllowCredentials []PasskeyDescriptor `json:"allowCredentials" doc:"Empty: any that the authenticator knows"`
	UserVerification string              `json:"userVerification" enum:"required,preferred"`
}

func creationOptions(
	party RelyingParty, name string, user *User, challenge string, have []storage.Passkey,
) *CreationOptions {
	o := &CreationOptions{
		RP: PasskeyParty{Name: name, ID: party.ID}, Challenge: challenge, Timeout: passkeyTimeout,
		User:                   PasskeyUser{ID: userHandle(user.ID), Name: user.Email, DisplayName: user.FullName},
		ExcludeCredentials:     descriptors(have),
		AuthenticatorSelection: PasskeySelection{ResidentKey: preferred, UserVerification: preferred},
		Attestation:            "none",
	}
	if user.FullName == "" {
		o.User.DisplayName = user.Email
	}
	for _, p := range algorithms {
		o.PubKeyCredParams = append(o.PubKeyCredParams, PasskeyAlgorithm{Type: publicKey, Alg: int(p.Algorithm)})
	}
	return o
}

// PasskeySignal is what a browser is told of a user's passkeys here, so that what keeps
// them forgets those that are deleted and calls their user as they are called now
// (W3C Web Authentication Level 3, section 5.1.10).
type PasskeySignal struct {
	RPID        string   `json:"rpId"`
	UserID      string   `json:"userId"`
	Name        string   `json:"name"`
	DisplayName string   `json:"displayName"`
	Accepted    []string `json:"allAcceptedCredentialIds,omitzero"` // nil says nothing of them
}

// Signal returns what a browser is told of a user's passkeys, which are have.
func (s *Service) Signal(user *User, have []Passkey) PasskeySignal {
	out := PasskeySignal{
		RPID: RelyingPartyOf(s.PublicURL).ID, UserID: userHandle(user.ID), Name: user.Email, DisplayName: user.FullName,
		Accepted: make([]string, len(have)),
	}
	if user.FullName == "" {
		out.DisplayName = user.Email
	}
	for i, p := range have {
		out.Accepted[i] = p.CredentialID
	}
	return out
}

// UnknownPasskey is what a browser is told of a passkey that nobody has here, so that
// what keeps it forgets it (W3C Web Authentication Level 3, section 5.1.10.1).
type UnknownPasskey struct {
	RPID         string `json:"rpId"`
	CredentialID string `json:"credentialId"`
}

// Unknown returns what a browser is told that answered with a passkey for which
// [ErrUnknownPasskey] was the reason.
func (p RelyingParty) Unknown(answer *PasskeyResponse) UnknownPasskey {
	return UnknownPasskey{RPID: p.ID, CredentialID: answer.ID}
}

// userHandle is what an authenticator keeps to tell whose a passkey is.
func userHandle(userID string) string { return base64.RawURLEncoding.EncodeToString([]byte(userID)) }

func descriptors(have []storage.Passkey) []PasskeyDescriptor {
	out := make([]PasskeyDescriptor, len(have))
	for i, p := range have {
		out[i] = PasskeyDescriptor{ID: p.CredentialID, Type: publicKey, Transports: append([]string{}, p.Transports...)}
	}
	return out
}

// decoys are the passkeys of nobody, always the same for an address, so that
// asking for an address does not tell whether there is an account with it.
func (s *Service) decoys(email string) []PasskeyDescriptor {
	seed := s.db.MAC("passkey decoy", email)
	count, size := 1, 20+12*int(seed[0]&1) // as synchronized passkeys have, or those of a device
	if seed[1]&7 == 0 {
		count = 2
	}
	out := make([]PasskeyDescriptor, count)
	for i := range out {
		id := s.db.MAC("passkey decoy id", string(rune('0'+i))+email)
		out[i] = PasskeyDescriptor{
			ID: base64.RawURLEncoding.EncodeToString(id[:size]), Type: publicKey, Transports: []string{"hybrid", "internal"},
		}
	}
	return out
}
