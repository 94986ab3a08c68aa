package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ForwardRule is a rule of forward-auth: who gets through a proxy to what. The first one that
// a request falls under decides; package forward reads them.
type ForwardRule struct {
	// Hosts are those of the requests, as browsers write them: a port only if it is not the
	// scheme's own.
	Hosts Words `toml:"hosts"`
	// Domain is the domain that the cookie of these hosts is good for. Empty means that each
	// host has a cookie of its own.
	Domain string `toml:"domain"`
	// Paths are those of the requests, each with what is below it. Empty means all.
	Paths Words `toml:"paths"`
	// Methods are those of the requests. Empty means all.
	Methods Words `toml:"methods"`
	// Who gets through: public, signed-in, nobody, admins, user:ADDRESS, org:SLUG,
	// org:SLUG:ROLE, group:NAME. One of them is enough.
	Who Words `toml:"who"`
	// Factor is how they must have signed in: password, mfa or passkey. Empty is password.
	Factor string `toml:"factor"`
}

const forwardSection = "forward_auth"

var ruleSettings = listSettings(reflect.TypeFor[ForwardRule](), "", nil)

// ruleSetting returns the setting called key, of a rule of forward-auth.
func ruleSetting(key string) (setting, bool) {
	rest, ok := strings.CutPrefix(key, forwardSection+".")
	number, leaf, found := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	if !ok || !found || err != nil || n < 1 {
		return setting{}, false
	}
	i := slices.IndexFunc(ruleSettings, func(s setting) bool { return s.key == leaf })
	if i < 0 {
		return setting{}, false
	}
	return ruleSettings[i].ofRule(n), true
}

// ofRule returns s as the setting of the rule with a number, from 1.
func (s setting) ofRule(n int) setting {
	s.rule, s.key = n, forwardSection+"."+strconv.Itoa(n)+"."+s.key
	return s
}

// rule returns the rule with a number, a new one if there is none.
func (c *Config) rule(n int) *ForwardRule {
	for len(c.ForwardAuth) < n {
		c.ForwardAuth = append(c.ForwardAuth, new(ForwardRule))
	}
	return c.ForwardAuth[n-1]
}

// readRuleHead takes the head of a rule, and refuses what is written in its place.
func (l *loader) readRuleHead(origin string, e entry) bool {
	if e.path[0] != forwardSection {
		return false
	}
	n, err := 0, error(nil)
	if len(e.path) > 1 {
		n, err = strconv.Atoi(e.path[1])
	}
	switch {
	case n < 1 || err != nil:
		l.fail("%s: %s: each rule is a table of its own; write its keys under [[%s]]", origin, e.key(), forwardSection)
	case len(e.path) == 2:
		l.config.rule(n)
	default:
		var known []string
		for _, s := range ruleSettings {
			known = append(known, s.ofRule(n).key)
		}
		l.fail("%s: unknown key %q%s", origin, e.key(), Suggest(e.key(), known))
	}
	return true
}

// forwardProblems are those of the rules of forward-auth.
func forwardProblems(c *Config) (list []problem) {
	domains := map[string]string{}
	for i, r := range c.ForwardAuth {
		at := func(leaf string, err error) {
			list = append(list, problem{forwardSection + "." + strconv.Itoa(i+1) + "." + leaf, err})
		}
		at("hosts", c.checkHosts(r.Hosts))
		at("domain", checkDomain(r, domains))
		at("paths", each(r.Paths, checkPath))
		at("methods", each(r.Methods, checkMethod))
		at("who", checkWho(r.Who))
		at("factor", oneOf(r.Factor, "", "password", "mfa", "passkey"))
		public := slices.Contains(r.Who, "public") || slices.Contains(r.Who, "nobody")
		if public && (len(r.Who) > 1 || r.Factor != "") {
			at("who", errors.New("public and nobody stand alone, without a factor"))
		}
	}
	if len(c.ForwardAuth) > 0 && len(c.TrustedProxies) == 0 {
		list = append(list, problem{"trusted_proxies", errors.New("the proxies that ask at /forward-auth are missing; " +
			`write their addresses, such as ["127.0.0.1"]`)})
	}
	return list
}

// forwardRisks returns a sentence for each rule that decides nothing about one of its hosts, as a
// rule before it is about all that it is about.
func forwardRisks(rules []*ForwardRule) (list []risk) {
	for i, r := range rules {
		for _, host := range r.Hosts {
			before := slices.IndexFunc(rules[:i], func(b *ForwardRule) bool { return slices.Contains(b.Hosts, host) && b.covers(r) })
			if before < 0 {
				continue
			}
			list = append(list, risk{forwardSection + "." + strconv.Itoa(i+1) + ".hosts", fmt.Sprintf("forward_auth.%d decides nothing about "+
				"%s: forward_auth.%d comes first, and is about all of that. Put it before that one, or take it away.", i+1, host, before+1)})
		}
	}
	return list
}

// covers says whether the paths and methods of another rule are among those of r.
func (r *ForwardRule) covers(other *ForwardRule) bool {
	all := func(paths Words) bool { return len(paths) == 0 || slices.Contains(paths, "/") }
	among := func(path string) bool {
		return slices.ContainsFunc(r.Paths, func(one string) bool {
			one = strings.TrimSuffix(one, "/")
			return path == one || strings.HasPrefix(path, one+"/")
		})
	}
	apart := func(path string) bool { return !among(path) }
	untaken := func(method string) bool { return !slices.Contains(r.Methods, method) }
	return (all(r.Paths) || !all(other.Paths) && !slices.ContainsFunc(other.Paths, apart)) &&
		(len(r.Methods) == 0 || len(other.Methods) > 0 && !slices.ContainsFunc(other.Methods, untaken))
}

// each is what is wrong with the first of words that a check refuses.
func each(words Words, check func(string) error) error {
	for _, word := range words {
		if err := check(word); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkHosts(hosts Words) error {
	if len(hosts) == 0 {
		return errors.New(`it names no host; write hosts = ["app.example.com"]`)
	}
	scheme, own, _ := strings.Cut(c.PublicURL, "://")
	return each(hosts, func(host string) error {
		normal, err := normalURL(scheme + "://" + host)
		switch {
		case strings.Contains(host, "://"):
			return fmt.Errorf("%q is an address; name the host alone, such as app.example.com", host)
		case strings.Contains(host, "*"):
			return fmt.Errorf("%q is a pattern; name each host", host)
		case err != nil:
			return err
		case normal != scheme+"://"+host:
			return fmt.Errorf("%q is not written as browsers do; write %s", host, strings.TrimPrefix(normal, scheme+"://"))
		case host == own:
			return fmt.Errorf("%s is authy itself", host)
		}
		return nil
	})
}

// checkDomain takes domains for what the rules before have said of their hosts.
func checkDomain(r *ForwardRule, domains map[string]string) error {
	for _, host := range r.Hosts {
		if before, said := domains[host]; said && before != r.Domain {
			return fmt.Errorf("%s has the domain %q by a rule before; a host has one", host, before)
		}
		domains[host] = r.Domain
		if r.Domain == "" {
			continue
		}
		name := (&url.URL{Host: host}).Hostname()
		_, err := netip.ParseAddr(name)
		if err == nil || !strings.Contains(r.Domain, ".") || !hostName.MatchString(r.Domain) ||
			name != r.Domain && !strings.HasSuffix(name, "."+r.Domain) {
			return fmt.Errorf("%q is no domain that %s is in; write its parent, such as example.com for app.example.com",
				r.Domain, host)
		}
	}
	return nil
}

// plainPath is a path in which nothing can be read in two ways.
var plainPath = regexp.MustCompile(`^/([^\x00-\x20\x7f/\\%;?#]+(/[^\x00-\x20\x7f/\\%;?#]+)*/?)?$`)

func checkPath(path string) error {
	dots := slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool { return part == "." || part == ".." })
	if !plainPath.MatchString(path) || dots {
		return fmt.Errorf("%q is not a path; write one such as /admin, without patterns, %%, ; and empty parts: "+
			"what is below it is meant, too", path)
	}
	return nil
}

var methodName = regexp.MustCompile(`^[A-Z][A-Z-]*$`)

func checkMethod(method string) error {
	if !methodName.MatchString(method) {
		return fmt.Errorf("%q is not a method; write it in capitals, such as GET", method)
	}
	return nil
}

// RuledOrganizations are the slugs of the organizations that rules of forward-auth name.
func (c *Config) RuledOrganizations() (slugs []string) {
	for _, rule := range c.ForwardAuth {
		for _, word := range rule.Who {
			kind, name, _ := strings.Cut(word, ":")
			if slug, _, _ := strings.Cut(name, ":"); kind == "org" || kind == "group" {
				slugs = append(slugs, slug)
			}
		}
	}
	return slugs
}

// forwardRoles are those of organizations.
var forwardRoles = []string{"owner", "admin", "member", "guest"}

func checkWho(who Words) error {
	const advice = `; write public, signed-in, nobody, admins, user:ADDRESS, org:SLUG, org:SLUG:ROLE or group:NAME`
	if len(who) == 0 {
		return errors.New("it says nothing" + advice)
	}
	return each(who, func(one string) error {
		kind, name, named := strings.Cut(one, ":")
		if !named && slices.Contains([]string{"public", "signed-in", "nobody", "admins"}, kind) {
			return nil
		}
		if !named || name == "" || strings.ContainsAny(name, ", ") ||
			!slices.Contains([]string{"user", "org", "group"}, kind) {
			return fmt.Errorf("%q is not known%s", one, advice)
		}
		if _, role, ranked := strings.Cut(name, ":"); kind == "org" && ranked {
			return oneOf(role, forwardRoles...)
		}
		return nil
	})
}
