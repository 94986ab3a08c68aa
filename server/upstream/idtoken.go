package upstream

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"
	"unicode"

	"authy/server/keyset"
	"authy/server/provider"
)

// maxSubject is how long a subject may be, in bytes (OpenID Connect Core 1.0,
// section 2).
const maxSubject = 255

// idToken is what a provider has said and signed, all of it checked.
type idToken struct {
	text    string
	access  string // the access token that came with it
	issuer  string
	subject string
	claims  keyset.Claims
}

// verify believes the ID token among the members of a token answer, or not (OpenID
// Connect Core 1.0, section 3.1.3.7).
func (o *openID) verify(
	ctx context.Context, m *metadata, now time.Time, trip provider.Trip, members keyset.Claims,
) (*idToken, error) {
	t := &idToken{}
	t.access, _ = members.Text("access_token") // which [granted] has seen
	var err error
	if t.text, err = members.Text("id_token"); err != nil || t.text == "" {
		return nil, provider.Refuse(provider.Untrue, "no_id_token", err)
	}
	token, err := o.signed(ctx, m, t.text)
	if err != nil {
		return nil, err
	}
	// RFC 8725, section 3.11: a JWT that says it is something else is none.
	if strings.HasSuffix(strings.ToLower(token.Type), "+jwt") {
		return nil, provider.Refuse(provider.Untrue, "wrong_token_type", fmt.Errorf("typ is %.64q", token.Type))
	}
	t.claims = token.Claims
	if t.issuer, err = o.checkIssued(m, now, t.claims); err != nil {
		return nil, err
	}
	if t.subject, err = subjectOf(t.claims); err != nil {
		return nil, err
	}
	err = cmp.Or(checkNonce(t.claims, trip), checkAccess(token, t.access), checkFresh(t.claims, trip))
	if err != nil {
		return nil, err
	}
	return t, nil
}

// signed returns a token of the provider whose signature is right. The algorithm is one
// with a key pair: what is signed with the client's secret others could sign.
func (o *openID) signed(ctx context.Context, m *metadata, text string) (*keyset.Token, error) {
	token, err := keyset.Read(text, maxAnswer)
	switch {
	case errors.Is(err, keyset.ErrEncrypted):
		return nil, provider.Refuse(provider.Misconfigured, "encrypted_token", err)
	case err != nil:
		return nil, provider.Refuse(provider.Untrue, "bad_token", err)
	case !slices.Contains(keyset.Signatures, token.Algorithm):
		return nil, provider.Refuse(provider.Untrue, "wrong_algorithm", fmt.Errorf("alg is %.64q", token.Algorithm))
	}
	err = o.keys.Verify(ctx, keyset.Owner{ID: m.KeysURL, URL: m.KeysURL}, token)
	switch {
	case errors.Is(err, keyset.ErrSignature):
		return nil, provider.Refuse(provider.Untrue, "wrong_signature", err)
	case errors.Is(err, keyset.ErrKeys):
		return nil, provider.Refuse(provider.Unreachable, "no_keys", err)
	case err != nil:
		return nil, unanswered(err)
	}
	return token, nil
}

// checkIssued returns who issued a token, which must be for this client, and for now.
func (o *openID) checkIssued(m *metadata, now time.Time, claims keyset.Claims) (issuer string, err error) {
	if issuer, err = o.issuer(m, claims); err != nil {
		return "", provider.Refuse(provider.Untrue, "wrong_issuer", err)
	}
	audience, err := claims.Audience()
	if err != nil || !slices.Contains(audience, o.p.ClientID) {
		return "", provider.Refuse(provider.Untrue, "wrong_audience", fmt.Errorf("aud is %.200q", audience))
	}
	party, err := claims.Text("azp")
	if _, has := claims["azp"]; err != nil || has && party != o.p.ClientID || !has && len(audience) > 1 {
		return "", provider.Refuse(provider.Untrue, "wrong_party", fmt.Errorf("azp is %.200q, aud %.200q", party, audience))
	}
	return issuer, checkTimes(claims, now)
}

// checkTimes refuses a token that has expired, or that will be issued.
func checkTimes(claims keyset.Claims, now time.Time) error {
	expires, issued, err := claims.Times(now)
	switch {
	case err != nil && !expires.IsZero() && !now.Before(expires):
		return provider.Refuse(provider.Untrue, "expired_token", err)
	case err != nil:
		return provider.Refuse(provider.Untrue, "wrong_times", err)
	case expires.IsZero() || issued.IsZero():
		return provider.Refuse(provider.Untrue, "wrong_times", errors.New("exp or iat is missing"))
	}
	return nil
}

// subjectOf returns whom claims are about. It is kept as it is or not at all: a
// subject with something cut off is somebody else.
func subjectOf(claims keyset.Claims) (string, error) {
	subject, err := claims.Text("sub")
	if err != nil || subject == "" || len(subject) > maxSubject || strings.ContainsFunc(subject, unprintable) {
		return "", provider.Refuse(provider.Untrue, "bad_subject", err)
	}
	return subject, nil
}

// unprintable says whether a character has no place in a name.
func unprintable(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }

// checkNonce refuses a token that was issued for another trip.
func checkNonce(claims keyset.Claims, trip provider.Trip) error {
	nonce, err := claims.Text("nonce")
	if err != nil || trip.Nonce == "" || subtle.ConstantTimeCompare([]byte(nonce), []byte(trip.Nonce)) != 1 {
		return provider.Refuse(provider.Untrue, "wrong_nonce", err)
	}
	return nil
}

// checkAccess refuses a token that came with another access token. In the code
// flow at_hash may be missing (section 3.1.3.6).
func checkAccess(token *keyset.Token, access string) error {
	if _, has := token.Claims["at_hash"]; !has {
		return nil
	}
	want, err := token.Claims.Text("at_hash")
	h := hashOf(token.Algorithm)
	h.Write([]byte(access))
	sum := h.Sum(nil)
	if err != nil || want != base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]) {
		return provider.Refuse(provider.Untrue, "wrong_access_hash", err)
	}
	return nil
}

// hashOf returns the hash of an algorithm of [keyset.Signatures].
func hashOf(algorithm string) hash.Hash {
	switch {
	case strings.HasSuffix(algorithm, "256"):
		return sha256.New()
	case strings.HasSuffix(algorithm, "384"):
		return sha512.New384()
	}
	return sha512.New() // EdDSA with Ed25519 as well
}

// checkFresh refuses somebody who had to prove who they are and did not.
func checkFresh(claims keyset.Claims, trip provider.Trip) error {
	if !trip.Again {
		return nil
	}
	at, err := claims.Time("auth_time")
	if err != nil || at.Before(trip.AskedAt.Add(-keyset.Skew)) {
		return &provider.Refusal{
			Kind: provider.Untrue, Reason: "not_again", Err: err,
			Text: "The provider did not ask you again who you are, so that it cannot be confirmed. Use another way.",
		}
	}
	return nil
}
