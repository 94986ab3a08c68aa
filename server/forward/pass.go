package forward

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"authy/server/openid"
	"authy/server/session"
	"authy/storage"
)

// The cookies of a host behind a proxy: what stands for the session, and the secret that binds
// a sign-in to the browser that began it.
const (
	passCookie  = "authy_forward"
	beginCookie = "authy_forward_begin"
)

const (
	// codeLifetime is how long a browser may take from here to the host.
	codeLifetime = 30 * time.Second
	// beginLifetime is how long it may take to sign in.
	beginLifetime = 30 * time.Minute
)

// What a sealed text is for; one is never taken for another.
const (
	forPass = "forward-auth pass"
	forCode = "forward-auth code"
)

// pass is what the cookie holds. It stands for a session as long as that lives.
type pass struct {
	Session string `json:"s"`
	Scope   string `json:"d"` // the domain or host that it is good for
	Until   int64  `json:"u"` // in seconds
}

// code is what the browser takes from here to a host, once.
type code struct {
	ID      string `json:"i"`
	Session string `json:"s"`
	Browser string `json:"b"` // the hash of its secret
	URL     string `json:"l"` // where it was going
	At      int64  `json:"a"` // when it was made, in milliseconds
}

// scope is what the cookie of a host is good for: a domain has a dot in front.
func (t *site) scope() string {
	if t.domain != "" {
		return "." + t.domain
	}
	return t.host
}

// seal returns value as text that only this server can have made.
func (s *Service) seal(purpose string, value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encode a %s: %w", purpose, err)
	}
	enc := base64.RawURLEncoding
	body := enc.EncodeToString(text)
	return body + "." + enc.EncodeToString(s.DB.MAC(purpose, body)), nil
}

// open reads what seal made, and says whether it is that.
func (s *Service) open(purpose, text string, value any) bool {
	body, sum, found := strings.Cut(text, ".")
	enc := base64.RawURLEncoding.Strict()
	given, err := enc.DecodeString(sum)
	if !found || err != nil || !hmac.Equal(given, s.DB.MAC(purpose, body)) {
		return false
	}
	plain, err := enc.DecodeString(body)
	return err == nil && json.Unmarshal(plain, value) == nil
}

// bearer returns who the cookies of a request to a site speak for, nil for nobody.
func (s *Service) bearer(ctx context.Context, on *site, cookies []*http.Cookie, now time.Time) (*session.Identity, error) {
	for _, c := range cookies {
		var p pass
		if !s.open(forPass, c.Value, &p) || p.Scope != on.scope() || now.Unix() >= p.Until {
			continue
		}
		id, err := s.Sessions.Alive(ctx, session.Web, p.Session)
		if errors.Is(err, session.ErrInvalid) || errors.Is(err, session.ErrInactive) {
			continue
		}
		return id, err
	}
	return nil, nil
}

// newCode returns the code that takes the browser of a request to its host.
func (s *Service) newCode(r *Request, current *storage.Session, now time.Time) (string, error) {
	return s.seal(forCode, code{
		ID: rand.Text(), Session: current.ID, Browser: r.Browser, URL: r.URL, At: now.UnixMilli(),
	})
}

// errCode says that a code is not good, or not here.
var errCode = errors.New("forward: code refused")

// redeem uses up the code that a browser has brought to a site, and returns the cookie to be set
// and where the browser was going. [errCode] if it is not good; where may be known even so.
func (s *Service) redeem(ctx context.Context, on *site, text, secret string, now time.Time) (*http.Cookie, string, error) {
	var c code
	if !s.open(forCode, text, &c) {
		return nil, "", errCode
	}
	to, ok := ParsePlace(c.URL, http.MethodGet)
	if !ok || to.Host != on.host || to.Scheme != s.scheme {
		return nil, "", errCode
	}
	own := secret != "" && hmac.Equal([]byte(storage.Hash(secret)), []byte(c.Browser))
	at := time.UnixMilli(c.At)
	// What the store was told before it began, it may have forgotten.
	if !own || now.Sub(at) >= codeLifetime || at.Before(s.Used.Since()) {
		return nil, c.URL, errCode
	}
	fresh, err := s.Used.SetIfAbsent(ctx, "forward-code:"+c.ID, nil, 2*codeLifetime)
	if err != nil {
		return nil, "", fmt.Errorf("use a code of forward-auth up: %w", err)
	}
	if !fresh {
		return nil, c.URL, errCode
	}
	id, err := s.Sessions.Alive(ctx, session.Web, c.Session)
	if errors.Is(err, session.ErrInvalid) || errors.Is(err, session.ErrInactive) {
		return nil, c.URL, errCode
	}
	if err != nil {
		return nil, "", err
	}
	value, err := s.seal(forPass, pass{Session: id.Session.ID, Scope: on.scope(), Until: id.Session.ExpiresAt.Unix()})
	return s.cookie(passCookie, value, on.domain, 0), c.URL, err
}

// cookie makes a cookie of a host, or of a domain if that is not "", as old as browsers let it
// get; 0 is until they close. Over https the prefix makes them refuse one that was set in another
// way (RFC 6265bis, section 4.1.3).
func (s *Service) cookie(name, value, domain string, age int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // not Secure on http://localhost alone
		Name: s.cookieName(name, domain), Value: value, Domain: domain, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: s.scheme == "https", SameSite: http.SameSiteLaxMode,
	}
}

func (s *Service) cookieName(name, domain string) string {
	switch {
	case s.scheme != "https":
		return name
	case domain == "":
		return "__Host-" + name
	}
	return "__Secure-" + name
}

// reaches says whether methods of RFC 8176 are as sure as a rule asks.
func (r *Rule) reaches(methods []string) bool { return openid.Reached(methods) >= r.Factor }

// isSecret says whether text is a secret as beginCookie has it.
func isSecret(text string) bool {
	return len(text) == 26 && !strings.ContainsFunc(text, func(r rune) bool {
		return !slices.Contains([]rune("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), r)
	})
}
