package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"

	"authy/server/outbound"
	"authy/server/provider"
)

// maxCode is how long a code may be, in bytes. Microsoft's have about two thousand.
const maxCode = 8 << 10

// unanswered returns the refusal for a provider that could not be asked.
func unanswered(err error) *provider.Refusal {
	var certificate *tls.CertificateVerificationError
	var slow net.Error
	switch {
	case errors.Is(err, outbound.ErrURL):
		return provider.Refuse(provider.Misconfigured, "address_not_allowed", err)
	case errors.Is(err, outbound.ErrLong):
		return provider.Refuse(provider.Untrue, "answer_too_long", err)
	case errors.As(err, &certificate):
		return provider.Refuse(provider.Unreachable, "bad_certificate", err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return provider.Refuse(provider.Unreachable, "too_slow", err)
	}
	return provider.Refuse(provider.Unreachable, "unreachable", err)
}

// unambiguous refuses an answer that has a parameter twice that may be there
// once (RFC 6749, section 3.1).
func unambiguous(answer url.Values) error {
	for _, name := range []string{"code", "state", "error", "iss"} {
		if len(answer[name]) > 1 {
			return provider.Refuse(provider.Untrue, "ambiguous_answer", fmt.Errorf("%s is there %d times", name, len(answer[name])))
		}
	}
	return nil
}

// codeOf returns the code of an answer, or the refusal that it is.
func codeOf(answer url.Values) (string, error) {
	if answer.Has("error") {
		return "", refusedWith(answer.Get("error"))
	}
	code := answer.Get("code")
	if code == "" {
		return "", provider.Refuse(provider.Untrue, "no_code", nil)
	}
	if len(code) > maxCode {
		return "", provider.Refuse(provider.Untrue, "answer_too_long", fmt.Errorf("the code has %d bytes", len(code)))
	}
	return code, nil
}

// refusals are what the errors of authorization endpoints mean (RFC 6749, section
// 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6).
var refusals = map[string]provider.Fault{
	"access_denied": provider.Denied, "login_required": provider.Denied, "interaction_required": provider.Denied,
	"consent_required": provider.Denied, "account_selection_required": provider.Denied,
	"server_error": provider.Unreachable, "temporarily_unavailable": provider.Unreachable,
	"invalid_request": provider.Misconfigured, "unauthorized_client": provider.Misconfigured,
	"unsupported_response_type": provider.Misconfigured, "invalid_scope": provider.Misconfigured,
	"redirect_uri_mismatch": provider.Misconfigured, "application_suspended": provider.Misconfigured,
}

// refusedWith returns the refusal for an error that a provider answered with. Only
// a code that is known becomes a reason: the rest is somebody else's text.
func refusedWith(code string) *provider.Refusal {
	err := fmt.Errorf("it answered with the error %.64q", code)
	if kind, known := refusals[code]; known {
		return provider.Refuse(kind, code, err)
	}
	return provider.Refuse(provider.Misconfigured, "other_error", err)
}
