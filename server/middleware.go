package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"authy/server/api"
	"authy/server/audit"
	"authy/server/limit"
	"authy/server/openid"
	"authy/storage"
)

// wrap puts around every request what all of them have: who asks and from
// where, a request id, security headers, one line in the log, and a net for
// panics.
func (s *Services) wrap(next http.Handler) http.Handler {
	guarded := api.Guard(next)
	origins := clientAddress(s.Config.TrustedProxies)
	secure := s.Config.Secure()
	cors := allowOrigins(s.Config.CORS.Origins)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 {
			// It may have had a length, too, by which a proxy has read it otherwise:
			// nothing that follows is a request (RFC 9112, section 6.1).
			w.Header().Set("Connection", "close")
		}
		if isPublicDocument(r) {
			// The same for everyone, and asked for all the time: no actor, no line.
			setCommonHeaders(w.Header(), secure)
			s.metrics.document()
			next.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		by := &audit.Actor{
			Kind: audit.Anonymous, IPAddress: origins(r), UserAgent: r.UserAgent(), RequestID: requestID(r),
			Languages: r.Header.Get("Accept-Language"),
		}
		out := &recorder{ResponseWriter: w}
		setHeaders(out.Header(), by.RequestID, secure)
		ctx := audit.WithActor(storage.Watch(r.Context()), by)
		if r.Method == http.MethodPost || r.Method == http.MethodDelete { // what is counted
			ctx, out.limits = limit.Watch(ctx)
		}
		r = r.WithContext(ctx)
		defer s.observe(out, r, by.RequestID, began)
		defer finish(out, r, by, began)
		if cors(out, r) {
			return
		}
		if isAPI(r.URL.Path) {
			guarded.ServeHTTP(out, r)
			return
		}
		next.ServeHTTP(out, r)
	})
}

func isPublicDocument(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.URL.Path == openid.JWKSPath || r.URL.Path == openid.DiscoveryPath)
}

// statusGone is the status, in the log and the metrics alone, of a request whose client
// has gone before it was answered: what failed for it is nobody's trouble.
const statusGone = 499

// finish catches a panic and writes the request's line in the log.
func finish(w *recorder, r *http.Request, by *audit.Actor, began time.Time) {
	if p := recover(); p != nil {
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p) // impossible to answer: net/http closes the connection
		}
		slog.ErrorContext(r.Context(), "panic", "request_id", by.RequestID, "panic", fmt.Sprint(p),
			"stack", string(debug.Stack()))
		if w.status == 0 {
			api.WriteFault(w, r, errors.New("panic"))
		}
	} else if w.status >= http.StatusInternalServerError && r.Context().Err() != nil {
		w.status = statusGone
	}
	level := slog.LevelInfo
	switch {
	case w.status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case w.status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	if !slog.Default().Enabled(r.Context(), level) {
		return
	}
	// The query may hold codes and hints: it is not logged.
	slog.LogAttrs(context.WithoutCancel(r.Context()), level, "request",
		slog.String("method", audit.Cut(r.Method, 16)), slog.String("path", audit.Cut(r.URL.Path, 256)),
		slog.Int("status", w.status), slog.Duration("took", time.Since(began).Round(time.Microsecond)),
		slog.String("ip", by.IPAddress), slog.String("request_id", by.RequestID))
}

// recorder remembers the status of an answer, and tells in it what was counted.
type recorder struct {
	http.ResponseWriter
	status int
	limits *limit.Report
}

// begin is called before the header is sent; only the first call counts.
func (w *recorder) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if policy, state := w.limits.Fields(); policy != "" {
		w.Header().Set("RateLimit-Policy", policy)
		w.Header().Set("RateLimit", state)
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *recorder) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *recorder) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// Unwrap gives [http.ResponseController] the writer below.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Fixed header values, shared by every answer.
var (
	nosniff     = []string{"nosniff"}
	denyFrames  = []string{"DENY"}
	noReferrer  = []string{"no-referrer"}
	noFeatures  = []string{"geolocation=(), microphone=(), camera=(), payment=(), usb=()"}
	nothingElse = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}
	sameOrigin  = []string{"same-origin"}
	stayHTTPS   = []string{"max-age=31536000; includeSubDomains"}
)

// setHeaders sets what every answer carries; pages set a policy of their own.
func setHeaders(h http.Header, requestID string, secure bool) {
	h["X-Request-Id"] = []string{requestID}
	h["X-Frame-Options"] = denyFrames
	h["Permissions-Policy"] = noFeatures
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	setCommonHeaders(h, secure)
}

// setCommonHeaders sets what also the public documents carry. With their own
// they are eight, which is what a small map holds without growing.
func setCommonHeaders(h http.Header, secure bool) {
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noReferrer
	h["Content-Security-Policy"] = nothingElse
	h["Cross-Origin-Opener-Policy"] = sameOrigin
	if secure {
		h["Strict-Transport-Security"] = stayHTTPS
	}
}

// requestID returns the caller's request id if it is fit to be repeated, or a
// fresh one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if len(id) >= 8 && len(id) <= 64 && !strings.ContainsFunc(id, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_'
	}) {
		return id
	}
	return uuid.NewString()
}

// clientAddress returns a function that tells the address a request came from.
// Proxy headers count only when the peer is a trusted proxy; then it is the
// right-most address in X-Forwarded-For that is not one.
func clientAddress(trusted []netip.Prefix) func(*http.Request) string {
	isTrusted := func(ip netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
	}
	return func(r *http.Request) string {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return r.RemoteAddr
		}
		if len(trusted) == 0 {
			return host
		}
		peer, err := netip.ParseAddr(host)
		if err != nil || !isTrusted(peer.Unmap()) {
			return host
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for _, hop := range slices.Backward(hops) {
			ip, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				break // what stands left of nonsense is worth nothing
			}
			peer = ip.Unmap().WithZone("")
			if !isTrusted(peer) {
				break
			}
		}
		return peer.String()
	}
}
