package account

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"authy/server/fault"
	"authy/storage"
)

// PasskeyResponse is what a browser returns from an authenticator, in the form
// of PublicKeyCredential.toJSON(). What else that holds is of no use here.
type PasskeyResponse struct {
	ID       string         `json:"id"`
	RawID    string         `json:"rawId"`
	Type     string         `json:"type"`
	Response PasskeyAnswers `json:"response"`
}

// PasskeyAnswers are the parts that the authenticator and the browser made,
// each base64url.
type PasskeyAnswers struct {
	ClientDataJSON    string   `json:"clientDataJSON"`
	AttestationObject string   `json:"attestationObject"` // of a new passkey
	Transports        []string `json:"transports"`        // of a new passkey
	AuthenticatorData string   `json:"authenticatorData"` // of a sign-in
	Signature         string   `json:"signature"`         // of a sign-in
	UserHandle        string   `json:"userHandle"`        // of a sign-in
}

// algorithms are the signatures that are accepted, the preferred first.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

const (
	minRSA = 2048 / 8 // bytes of a modulus
	// maxPublicKey bounds the work of a check, in bytes.
	maxPublicKey = 1024
	maxAnswer    = 16 << 10
)

// transports are the ways to an authenticator that are remembered.
var transports = []string{"usb", "nfc", "ble", "smart-card", "hybrid", "internal", "platform"}

// reading decodes the fields of a response and gathers what is wrong with them.
type reading struct{ problems map[string][]string }

func (r *reading) problem(name, sentence string) {
	if r.problems == nil {
		r.problems = map[string][]string{}
	}
	r.problems[name] = append(r.problems[name], sentence)
}

// bytes decodes the base64url of a field.
func (r *reading) bytes(name, text string, needed bool) []byte {
	if text == "" {
		if needed {
			r.problem(name, "Missing data for required field.")
		}
		return nil
	}
	out, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(out) > maxAnswer {
		r.problem(name, "Not valid base64url.")
		return nil
	}
	return out
}

// credential reads what both kinds of responses have.
func (r *reading) credential(in *PasskeyResponse) (out protocol.PublicKeyCredential, clientData []byte) {
	id, raw := r.bytes("id", in.ID, true), r.bytes("rawId", in.RawID, true)
	if id != nil && raw != nil && !bytes.Equal(id, raw) {
		r.problem("rawId", "Not the same as id.")
	}
	if in.Type != publicKey {
		r.problem("type", "Must be one of: public-key.")
	}
	clientData = r.bytes("response.clientDataJSON", in.Response.ClientDataJSON, true)
	if clientData != nil && json.Unmarshal(clientData, new(protocol.CollectedClientData)) != nil {
		r.problem("response.clientDataJSON", "Not valid client data.")
	}
	out.ID, out.Type, out.RawID = base64.RawURLEncoding.EncodeToString(raw), in.Type, raw
	return out, clientData
}

// creation reads the answer to [CreationOptions]. Its errors are for the caller.
func (in *PasskeyResponse) creation() (*protocol.ParsedCredentialCreationData, error) {
	var r reading
	credential, clientData := r.credential(in)
	raw := protocol.CredentialCreationResponse{PublicKeyCredential: credential}
	raw.AttestationResponse.ClientDataJSON = clientData
	raw.AttestationResponse.AttestationObject = r.bytes("response.attestationObject", in.Response.AttestationObject, true)
	for _, t := range in.Response.Transports {
		if !slices.Contains(transports, t) {
			r.problem("transports", "Must be one of: "+strings.Join(transports, ", ")+".")
			break
		}
	}
	if err := fault.Fields(r.problems); err != nil {
		return nil, err
	}
	parsed, err := raw.Parse()
	if err != nil {
		return nil, ErrAuthenticatorData
	}
	return parsed, nil
}

// assertion reads the answer to [RequestOptions]. Its errors are for the caller.
func (in *PasskeyResponse) assertion() (*protocol.ParsedCredentialAssertionData, error) {
	var r reading
	credential, clientData := r.credential(in)
	raw := protocol.CredentialAssertionResponse{PublicKeyCredential: credential}
	raw.AssertionResponse.ClientDataJSON = clientData
	raw.AssertionResponse.AuthenticatorData = r.bytes("response.authenticatorData", in.Response.AuthenticatorData, true)
	raw.AssertionResponse.Signature = r.bytes("response.signature", in.Response.Signature, true)
	raw.AssertionResponse.UserHandle = r.bytes("response.userHandle", in.Response.UserHandle, false)
	if err := fault.Fields(r.problems); err != nil {
		return nil, err
	}
	parsed, err := raw.Parse()
	if err != nil {
		return nil, ErrAuthenticatorData
	}
	return parsed, nil
}

// checkClientData holds what the browser says it did against what it was asked
// for (Web Authentication Level 3, sections 7.1 and 7.2). The origin is
// compared letter by letter, and nothing here is bound to a TLS connection.
func (p RelyingParty) checkClientData(c *protocol.CollectedClientData, kind protocol.CeremonyType) error {
	err := c.Verify(c.Challenge, kind, []string{p.Origin}, nil, nil, protocol.TopOriginExplicitVerificationMode, false)
	switch {
	case err != nil:
		return err
	case c.Origin != p.Origin:
		return fmt.Errorf("origin is %q", c.Origin)
	//nolint:staticcheck // Level 3 has no token binding; who says to use it binds to another connection
	case c.TokenBinding != nil && c.TokenBinding.Status == protocol.Present:
		return errors.New("bound to another connection")
	}
	return nil
}

// checkAuthenticatorData holds what the authenticator says it did against what
// it was asked for.
func (p RelyingParty) checkAuthenticatorData(a *protocol.AuthenticatorData) error {
	id := sha256.Sum256([]byte(p.ID))
	if err := a.Verify(id[:], nil, false, false); err != nil {
		return err
	}
	if a.Flags.HasBackupState() && !a.Flags.HasBackupEligible() {
		return errors.New("backed up, though it cannot be")
	}
	return nil
}

// checkCreation says what is wrong with a new passkey, if anything is.
func (p RelyingParty) checkCreation(c *protocol.ParsedCredentialCreationData) error {
	object := &c.Response.AttestationObject
	if err := p.checkClientData(&c.Response.CollectedClientData, protocol.CreateCeremony); err != nil {
		return err
	}
	if err := p.checkAuthenticatorData(&object.AuthData); err != nil {
		return err
	}
	if !object.AuthData.Flags.HasUserPresent() {
		return ErrPresence
	}
	// "none" was asked for; an authenticator may still vouch for itself, which
	// says no more (section 5.1.3, step 22).
	if object.Format != "none" && object.Format != "packed" {
		return fmt.Errorf("attestation of the format %q", object.Format)
	}
	_, err := c.Verify(c.Response.CollectedClientData.Challenge, p.ID, []string{p.Origin}, nil, nil,
		protocol.TopOriginExplicitVerificationMode, false, false, true, nil, algorithms,
		protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
	if err != nil {
		return err
	}
	return checkPublicKey(object.AuthData.AttData.CredentialPublicKey)
}

func checkPublicKey(cose []byte) error {
	if len(cose) > maxPublicKey {
		return errors.New("the public key is too long")
	}
	key, err := webauthncose.ParsePublicKey(cose)
	if err != nil {
		return err
	}
	if rsa, ok := key.(webauthncose.RSAPublicKeyData); ok && len(rsa.Modulus) < minRSA {
		return errors.New("the RSA key is too short")
	}
	return nil
}

// checkSignature says what is wrong with an assertion of a passkey, if
// anything is, beside the counter.
func (p RelyingParty) checkSignature(a *protocol.ParsedCredentialAssertionData, key *storage.Passkey) error {
	cose, err := base64.RawURLEncoding.DecodeString(key.PublicKey)
	if err != nil {
		return fmt.Errorf("read the public key of passkey %s: %w", key.ID, err)
	}
	err = a.Verify(a.Response.CollectedClientData.Challenge, p.ID, "", []string{p.Origin}, nil, nil,
		protocol.TopOriginExplicitVerificationMode, false, false, true, cose, protocol.SignaturePolicy{})
	if err != nil {
		return err
	}
	if !key.BackupUnknown && key.BackupEligible != a.Response.AuthenticatorData.Flags.HasBackupEligible() {
		return errors.New("whether it can be backed up has changed")
	}
	if h := a.Response.UserHandle; len(h) > 0 && string(h) != key.UserID {
		return errors.New("somebody else's passkey")
	}
	return nil
}
