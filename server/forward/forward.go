// Package forward decides who gets through a proxy to a host that knows no sign-in of its own.
// The proxy asks about each request (forward-auth, auth_request, ext_authz); rules say who may,
// and a cookie of that host, which stands for a session here and is worth nothing else, says who
// asks. It refuses to know how somebody signs in, and how a page looks.
//
// Read rule.go (which rule decides), place.go (how an address is read, so that nothing can be
// read in two ways), check.go (the verdict), pass.go (the cookie and the code that leads to it),
// serve.go (what proxies ask and are answered), request.go (what a sign-in needs to know),
// explain.go (for administrators).
package forward

import (
	"net/netip"
	"strings"

	"authy/server/config"
	"authy/server/keyring"
	"authy/server/session"
	"authy/storage"
	"authy/storage/kv"
)

// The paths of this server, and of the hosts behind proxies.
const (
	// CheckPath is where proxies ask, which say by X-Forwarded headers about what, and pass the
	// answer on; at NginxPath by X-Original headers, and heed its status alone; below EnvoyPath by
	// the request itself.
	CheckPath = "/forward-auth"
	NginxPath = "/forward-auth/nginx"
	EnvoyPath = "/forward-auth/envoy"
	// StartPath is where a browser comes to sign in, RefusedPath where it is told why not.
	StartPath   = "/forward-auth/start"
	RefusedPath = "/forward-auth/refused"
	// FinishPath and SignOutPath are on every host that has rules.
	FinishPath  = "/forward-auth/finish"
	SignOutPath = "/forward-auth/sign-out"
)

// Config is what a [Service] needs.
type Config struct {
	DB       *storage.DB
	Sessions *session.Service
	Keys     *keyring.Ring
	// Used keeps which codes were used, for all nodes.
	Used kv.Store
	// Rules are those of the configuration, which has checked them.
	Rules []*config.ForwardRule
	// Proxies are the peers that are believed about what was asked.
	Proxies []netip.Prefix
	// PublicURL is how browsers reach this server. Hosts are reached by the same scheme.
	PublicURL string
}

// Service decides about requests to other hosts.
type Service struct {
	Config
	scheme string
	rules  []*Rule
	sites  map[string]*site // by host
}

// New returns the service.
func New(c Config) *Service {
	s := &Service{Config: c, sites: map[string]*site{}}
	s.scheme, _, _ = strings.Cut(c.PublicURL, "://")
	for i, r := range c.Rules {
		s.add(ruleOf(i+1, r), r)
	}
	return s
}

// Enabled says whether there are rules at all.
func (s *Service) Enabled() bool { return len(s.rules) > 0 }

// Rules returns the rules in their order.
func (s *Service) Rules() []*Rule { return s.rules }
