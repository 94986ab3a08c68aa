package self

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/machine"
)

// AnswerPath is where the server tells itself that it is itself.
const AnswerPath = "/api/health/self"

// fresh is how long a challenge is answered, by whichever node; their clocks differ.
const fresh = 5 * time.Minute

// What is answered to who asks without a challenge, and with one that was not made here.
var (
	errNoChallenge    = fault.New(fault.Invalid, "challenge_missing", "There is no challenge.")
	errOtherChallenge = fault.New(fault.NotFound, "challenge_unknown", "The challenge was made by another server.")
)

// Answer is what the server says to its own question. Nobody else can ask it.
type Answer struct {
	Proof         string `json:"proof"`
	Host          string `json:"host"`
	Authorization string `json:"authorization"`
	Peer          string `json:"peer"`      // who connected
	Trusted       bool   `json:"trusted"`   // whether the peer is a trusted proxy
	Forwarded     bool   `json:"forwarded"` // whether it says for whom it asks
	// Scheme is how the peer says that visitors come, Others what else it says of them.
	Scheme string   `json:"scheme"`
	Others []string `json:"others"`
	// Files is how many files the server may have open.
	Files int `json:"files"`
}

// saidOtherwise are the headers by which proxies speak of visitors, but for the one that is read.
var saidOtherwise = []string{"Forwarded", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Host"}

// newChallenge returns a question that only a node of this server can answer, and
// that it answers to nobody who did not get it from one.
func (s *Service) newChallenge(now time.Time) string {
	text := strconv.FormatInt(now.UnixMilli(), 36) + "." + rand.Text()
	return text + "." + s.mark("asked", text)
}

func (s *Service) mark(purpose, text string) string {
	return hex.EncodeToString(s.DB.MAC("public URL "+purpose, text))
}

// Answer answers the challenge of a request.
func (s *Service) Answer(r *http.Request, now time.Time) (*Answer, error) {
	challenge := r.URL.Query().Get("challenge")
	if challenge == "" {
		return nil, errNoChallenge
	}
	if !s.made(challenge, now) {
		return nil, errOtherChallenge
	}
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr
	}
	answer := &Answer{
		Proof: s.mark("answered", challenge), Host: r.Host, Authorization: audit.Cut(r.Header.Get("Authorization"), 100),
		Peer: peer, Trusted: s.trusts(peer), Forwarded: r.Header.Get("X-Forwarded-For") != "",
		Scheme: audit.Cut(r.Header.Get("X-Forwarded-Proto"), 20), Files: machine.MostFiles(),
	}
	for _, name := range saidOtherwise {
		if r.Header.Get(name) != "" {
			answer.Others = append(answer.Others, name)
		}
	}
	return answer, nil
}

// made says whether a node of this server made the challenge, not long ago.
func (s *Service) made(challenge string, now time.Time) bool {
	at := strings.LastIndexByte(challenge, '.')
	if at < 0 {
		return false
	}
	text, mark := challenge[:at], challenge[at+1:]
	if subtle.ConstantTimeCompare([]byte(s.mark("asked", text)), []byte(mark)) != 1 {
		return false
	}
	begin, _, _ := strings.Cut(text, ".")
	millis, err := strconv.ParseInt(begin, 36, 64)
	return err == nil && now.Sub(time.UnixMilli(millis)).Abs() <= fresh
}

func (s *Service) trusts(peer string) bool {
	ip, err := netip.ParseAddr(peer)
	return err == nil && slices.ContainsFunc(s.Config.Config.TrustedProxies, func(p netip.Prefix) bool {
		return p.Contains(ip.Unmap())
	})
}
