package upstream

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"authy/server/keyset"
	"authy/server/outbound"
	"authy/server/provider"
	"authy/storage"
)

// maxAnswer is how much is read of what a provider answers, in bytes. The groups
// of a person are the longest of it.
const maxAnswer = 128 << 10

// errObject says that an answer is no JSON object.
var errObject = errors.New("the answer is no JSON object")

// assertionType is what a client assertion is (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// tokenEndpoint is where codes are exchanged, and how a client says there who it
// is.
type tokenEndpoint struct {
	url, method string
	// issuer is whom a client assertion is for, and algs how it may be signed.
	issuer string
	algs   []string
}

// exchange gives a code for tokens (RFC 6749, section 4.1.3) and returns the
// members of the answer.
func (s *Service) exchange(
	ctx context.Context, p *storage.Provider, to tokenEndpoint, trip provider.Trip, code string,
) (keyset.Claims, error) {
	if trip.Verifier == "" || trip.ReturnURL == "" {
		return nil, provider.Refuse(provider.Untrue, "no_verifier", nil)
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {trip.ReturnURL},
		"code_verifier": {trip.Verifier},
	}
	header := http.Header{"Accept": {"application/json"}} // GitHub answers with a form otherwise
	if err := s.authenticate(ctx, p, to, form, header); err != nil {
		return nil, err
	}
	answer, err := s.ask.Ask(ctx, outbound.Question{URL: to.url, Form: form, Header: header, Limit: maxAnswer})
	if err != nil {
		return nil, unanswered(err)
	}
	return granted(answer)
}

// authenticate adds to a request by what authy says who it is.
func (s *Service) authenticate(
	ctx context.Context, p *storage.Provider, to tokenEndpoint, form url.Values, header http.Header,
) error {
	switch to.method {
	case provider.AuthBasic:
		header.Set("Authorization", basic(p.ClientID, p.Secret))
		return nil
	case provider.AuthPost:
		form.Set("client_secret", p.Secret)
	case provider.AuthKey:
		if s.Assert == nil {
			return provider.Refuse(provider.Misconfigured, "no_client_key", nil)
		}
		assertion, err := s.Assert(ctx, p.ClientID, to.issuer, to.algs)
		if err != nil {
			return provider.Refuse(provider.Misconfigured, "no_client_key", err)
		}
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion)
	}
	form.Set("client_id", p.ClientID)
	return nil
}

// basic returns the header by which a client authenticates (RFC 6749, section
// 2.3.1: both parts are encoded as in a form).
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// granted returns the members of the answer of a token endpoint that grants
// something.
func granted(answer *outbound.Answer) (keyset.Claims, error) {
	members, err := object(answer.Body)
	code, _ := members.Text("error") // of whatever status: GitHub has its errors with 200
	switch {
	case answer.Status >= 500:
		return nil, provider.Refuse(provider.Unreachable, "token_failed", fmt.Errorf("the token endpoint answered %d", answer.Status))
	case answer.Status >= 300 && answer.Status < 400:
		return nil, provider.Refuse(provider.Misconfigured, "token_redirected", fmt.Errorf("the token endpoint answered %d", answer.Status))
	case code != "" || members["error"] != nil:
		return nil, notGranted(code)
	case answer.Status != http.StatusOK:
		return nil, provider.Refuse(provider.Misconfigured, "token_refused", fmt.Errorf("the token endpoint answered %d", answer.Status))
	case err != nil:
		return nil, provider.Refuse(provider.Untrue, "bad_token_answer", err)
	}
	kind, kindErr := members.Text("token_type")
	access, accessErr := members.Text("access_token")
	// RFC 6749, section 7.1: a token of a type that is not known is not used.
	if kindErr != nil || accessErr != nil || !strings.EqualFold(kind, "Bearer") || !isToken(access) {
		return nil, provider.Refuse(provider.Untrue, "bad_token_answer", errors.New("no access token of a known type"))
	}
	return members, nil
}

// isToken says whether a text can stand in a header as a Bearer token: printable
// ASCII without blanks.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// notGranted returns the refusal for an error of a token endpoint (RFC 6749,
// section 5.2, and GitHub's own words).
func notGranted(code string) *provider.Refusal {
	err := fmt.Errorf("the token endpoint answered with the error %.64q", code)
	switch code {
	case "invalid_grant", "bad_verification_code":
		return provider.Refuse(provider.Untrue, "invalid_grant", err)
	case "invalid_client", "incorrect_client_credentials":
		return provider.Refuse(provider.Misconfigured, "invalid_client", err)
	case "temporarily_unavailable", "server_error":
		return provider.Refuse(provider.Unreachable, "token_failed", err)
	}
	return provider.Refuse(provider.Misconfigured, "token_refused", err)
}

// fetch asks for a document with an access token.
func (s *Service) fetch(ctx context.Context, address, access string, header http.Header) (*outbound.Answer, error) {
	header.Set("Authorization", "Bearer "+access)
	answer, err := s.ask.Ask(ctx, outbound.Question{URL: address, Header: header, Limit: maxAnswer})
	if err != nil {
		return nil, unanswered(err)
	}
	return answer, nil
}

// object reads a JSON object.
func object(text []byte) (keyset.Claims, error) {
	var members keyset.Claims
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return nil, errObject
	}
	return members, nil
}
