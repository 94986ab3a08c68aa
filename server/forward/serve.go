package forward

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/openid"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// Answers says whether an address is one at which proxies ask. They write it plainly: who encodes
// it has come past a proxy that keeps it from others.
func Answers(u *url.URL) bool {
	path := u.EscapedPath()
	return path == CheckPath || path == NginxPath || path == EnvoyPath || strings.HasPrefix(path, EnvoyPath+"/")
}

// ask is a question of a proxy.
type ask struct {
	*Place
	on      *site
	request *http.Request
	now     time.Time
	// mute says that the proxy heeds nothing of the answer but its status.
	mute bool
}

// ServeCheck answers a proxy. Whoever is not one is told nothing.
func (s *Service) ServeCheck(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	// The answer may go out for another host.
	h.Del("Strict-Transport-Security")
	h.Set("Cache-Control", "no-store")
	if !s.isProxy(r.RemoteAddr) {
		slog.WarnContext(r.Context(), "forward-auth was asked by a stranger", "request_id", audit.FromContext(r.Context()).RequestID,
			"peer", r.RemoteAddr, "advice", "add the proxy to trusted_proxies if it is yours")
		say(w, http.StatusForbidden, "This address is for the proxies that trusted_proxies names.")
		return
	}
	p, problem := readAsk(r)
	if p == nil {
		slog.WarnContext(r.Context(), "forward-auth was asked what cannot be read", "request_id", audit.FromContext(r.Context()).RequestID,
			"problem", problem)
		say(w, http.StatusBadRequest, problem)
		return
	}
	a := &ask{Place: p, on: s.sites[p.Host], request: r, now: steady.Now(), mute: r.URL.Path == NginxPath}
	if err := s.answer(w, a); err != nil {
		if !errors.Is(err, context.Canceled) {
			slog.ErrorContext(r.Context(), "forward-auth failed", "request_id", audit.FromContext(r.Context()).RequestID,
				"host", p.Host, "err", err)
		}
		say(w, http.StatusInternalServerError, "Something went wrong on our side.")
	}
}

func (s *Service) isProxy(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	addr := peer.Addr().Unmap().WithZone("")
	return err == nil && slices.ContainsFunc(s.Proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// readAsk reads what a proxy asks about, or says what is wrong. Each path has headers of its own,
// so that those of the others, which a client may have sent, count for nothing.
func readAsk(r *http.Request) (p *Place, problem string) {
	var ok bool
	switch r.URL.Path {
	case CheckPath:
		v, missing := single(r.Header, "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-Method")
		if missing != "" {
			return nil, missing
		}
		p, ok = placeOf(v[0], v[1], v[2], v[3])
	case NginxPath:
		v, missing := single(r.Header, "X-Original-Url", "X-Original-Method")
		if missing != "" {
			return nil, missing
		}
		p, ok = ParsePlace(v[0], v[1])
	default:
		v, missing := single(r.Header, "X-Forwarded-Proto")
		if missing != "" {
			return nil, missing
		}
		uri := strings.TrimPrefix(r.RequestURI, EnvoyPath)
		p, ok = placeOf(v[0], r.Host, uri, r.Method)
	}
	if !ok {
		return nil, "The proxy asks about an address that no browser sends."
	}
	return p, ""
}

// single returns the values of headers that must be there once each.
func single(h http.Header, names ...string) (values []string, problem string) {
	for _, name := range names {
		v := h.Values(name)
		if len(v) != 1 || v[0] == "" {
			return nil, "The proxy must send the header " + name + " once."
		}
		values = append(values, v[0])
	}
	return values, ""
}

// answer decides about a question and answers it.
func (s *Service) answer(w http.ResponseWriter, a *ask) error {
	path, query, _ := strings.Cut(a.URI, "?")
	if a.on != nil && a.Scheme == s.scheme && !a.mute {
		switch path {
		case FinishPath:
			return s.finish(w, a, query)
		case SignOutPath:
			s.signOut(w, a)
			return nil
		}
	}
	id, err := s.whoAsks(a)
	if err != nil {
		return err
	}
	v, err := s.judge(a.request.Context(), s.DB.Reader, a.Place, id, a.now)
	if err != nil {
		return err
	}
	switch {
	case v.Passes():
		return s.admit(w, a, v, id)
	case v.Waits():
		s.sendToSignIn(w, a)
	case a.opens():
		s.redirect(w, s.refusedAt(a.back(), ""))
	default:
		say(w, http.StatusForbidden, "You may not go there: "+string(v.Reason)+".")
	}
	return nil
}

// whoAsks returns who the browser is signed in as at the host, nil for nobody.
func (s *Service) whoAsks(a *ask) (*session.Identity, error) {
	if a.on == nil {
		return nil, nil
	}
	cookies := a.request.CookiesNamed(s.cookieName(passCookie, a.on.domain))
	return s.bearer(a.request.Context(), a.on, cookies, a.now)
}

// admit lets a request through, with what the application is told.
func (s *Service) admit(w http.ResponseWriter, a *ask, v Verdict, id *session.Identity) (err error) {
	values := make([]string, len(Headers))
	if v.Reason == Admitted {
		if values, err = s.tell(a.request.Context(), a.Place, id, v.Groups, a.now); err != nil {
			return err
		}
	}
	for i, name := range Headers {
		w.Header()[http.CanonicalHeaderKey(name)] = []string{values[i]}
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// opens says whether the answer is for a browser that opens a page, and so can be led elsewhere.
func (a *ask) opens() bool {
	h := a.request.Header
	reads := a.Method == http.MethodGet || a.Method == http.MethodHead
	script := h.Get("X-Requested-With") != "" || h.Get("Sec-Fetch-Mode") != "" && h.Get("Sec-Fetch-Mode") != "navigate"
	return !a.mute && reads && !script && strings.Contains(h.Get("Accept"), "text/html")
}

// sendToSignIn has a browser sign in, and tells others that they must.
func (s *Service) sendToSignIn(w http.ResponseWriter, a *ask) {
	if !a.opens() {
		w.Header().Set("WWW-Authenticate", `Cookie realm="`+a.Host+`", form-action="`+s.PublicURL+`", cookie-name="`+
			s.cookieName(passCookie, a.on.domain)+`"`)
		say(w, http.StatusUnauthorized, "You are not signed in, or not in the way that this needs. Open "+a.Origin()+"/ in a browser.")
		return
	}
	secret := s.secretOf(a.request)
	if secret == "" {
		secret = rand.Text()
	}
	http.SetCookie(w, s.cookie(beginCookie, secret, "", int(beginLifetime.Seconds())))
	s.redirect(w, s.PublicURL+StartPath+"?"+url.Values{"url": {a.back()}, "browser": {storage.Hash(secret)}}.Encode())
}

// secretOf returns what binds sign-ins to a browser, "" for none.
func (s *Service) secretOf(r *http.Request) string {
	c, err := r.Cookie(s.cookieName(beginCookie, ""))
	if err != nil || !isSecret(c.Value) {
		return ""
	}
	return c.Value
}

// finish takes a browser in that comes back with a code. One that has come twice, or too late,
// goes on if it is signed in anyhow.
func (s *Service) finish(w http.ResponseWriter, a *ask, query string) error {
	form, err := url.ParseQuery(query)
	if err != nil || a.Method != http.MethodGet {
		say(w, http.StatusBadRequest, "This address is opened by a browser that has signed in.")
		return nil
	}
	cookie, to, err := s.redeem(a.request.Context(), a.on, form.Get("code"), s.secretOf(a.request), a.now)
	switch {
	case err == nil:
		http.SetCookie(w, cookie)
		s.clear(w, beginCookie, "")
		s.redirect(w, to)
		return nil
	case !errors.Is(err, errCode):
		return err
	}
	id, err := s.whoAsks(a)
	if err != nil {
		return err
	}
	if id != nil && to != "" {
		s.redirect(w, to)
		return nil
	}
	s.redirect(w, s.refusedAt(a.Origin()+"/", HandoverLost))
	return nil
}

// signOut takes the cookie of a host away. The session here is ended by the person, who is asked:
// a link alone proves nothing.
func (s *Service) signOut(w http.ResponseWriter, a *ask) {
	s.clear(w, passCookie, a.on.domain)
	s.redirect(w, s.PublicURL+openid.EndSessionPath)
}

func (s *Service) clear(w http.ResponseWriter, name, domain string) {
	http.SetCookie(w, s.cookie(name, "", domain, -1))
}

func (s *Service) redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(text + "\n")) //nolint:errcheck,gosec // plain text; whoever asked has gone
}
