package forward

import (
	"slices"
	"strings"

	"authy/server/config"
	"authy/server/openid"
	"authy/server/org"
	"authy/storage"
)

// Rule says who gets through to some hosts, paths and methods.
type Rule struct {
	Number int // in the file, from 1
	Hosts  []string
	Domain string // that the cookie is good for, "" for each host by itself
	// Paths are each meant with what is below; none are all. So are methods.
	Paths   []string
	Methods []string
	Who     []string
	Factor  openid.Assurance

	folded []string // the paths without case
}

// site is a host that has rules.
type site struct {
	host, domain string
	rules        []*Rule
	byPath       bool // some of them are about paths
}

var factors = map[string]openid.Assurance{
	"": openid.ByPassword, "password": openid.ByPassword, "mfa": openid.ByTwoFactors, "passkey": openid.ByPasskey,
}

// FactorName is what the configuration calls a factor.
func FactorName(factor openid.Assurance) string {
	for name, one := range factors {
		if one == factor && name != "" {
			return name
		}
	}
	return ""
}

func ruleOf(n int, c *config.ForwardRule) *Rule {
	r := &Rule{
		Number: n, Hosts: c.Hosts, Domain: c.Domain, Methods: c.Methods, Who: c.Who, Factor: factors[c.Factor],
	}
	for _, path := range c.Paths {
		if path = strings.TrimSuffix(path, "/"); path != "" {
			r.Paths, r.folded = append(r.Paths, path), append(r.folded, fold(path))
			continue
		}
		r.Paths, r.folded = nil, nil // the root, and all below it
		break
	}
	return r
}

// add takes a rule in, as the last of its hosts.
func (s *Service) add(r *Rule, c *config.ForwardRule) {
	s.rules = append(s.rules, r)
	for _, host := range c.Hosts {
		on := s.sites[host]
		if on == nil {
			on = &site{host: host, domain: c.Domain}
			s.sites[host] = on
		}
		on.rules = append(on.rules, r)
		on.byPath = on.byPath || len(r.Paths) > 0
	}
}

// decides returns the rule that decides about a place, nil if none does, and whether that is
// certain: a path in which the application may read what no rule can is not.
func (t *site) decides(p *Place) (rule *Rule, certain bool) {
	first := func(is func(*Rule) bool) *Rule {
		i := slices.IndexFunc(t.rules, func(r *Rule) bool { return r.takes(p.Method) && is(r) })
		if i < 0 {
			return nil
		}
		return t.rules[i]
	}
	rule = first(func(r *Rule) bool { return under(r.Paths, p.path) })
	if !t.byPath {
		return rule, true
	}
	return rule, p.plain && rule == first(func(r *Rule) bool { return under(r.folded, p.folded) })
}

func (r *Rule) takes(method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method)
}

// under says whether a path is one of some, or below it.
func under(paths []string, path string) bool {
	return len(paths) == 0 || slices.ContainsFunc(paths, func(one string) bool {
		rest, is := strings.CutPrefix(path, one)
		return is && (rest == "" || rest[0] == '/')
	})
}

// Public says whether everyone gets through, signed in or not.
func (r *Rule) Public() bool { return slices.Contains(r.Who, "public") }

// Closed says whether nobody does.
func (r *Rule) Closed() bool { return slices.Contains(r.Who, "nobody") }

// admits says whether a user with groups gets through, and by which word of the rule.
func (r *Rule) admits(user *storage.User, groups []string) (word string, ok bool) {
	i := slices.IndexFunc(r.Who, func(one string) bool {
		kind, name, _ := strings.Cut(one, ":")
		switch kind {
		case "signed-in":
			return true
		case "admins":
			return user.IsAdmin
		case "user":
			return strings.EqualFold(name, user.Email)
		case "group":
			return slices.Contains(groups, name)
		case "org":
			return inOrg(groups, name)
		}
		return false
	})
	if i < 0 {
		return "", false
	}
	return r.Who[i], true
}

// inOrg says whether groups have an organization, with at least the role behind its colon.
func inOrg(groups []string, name string) bool {
	slug, least, ranked := strings.Cut(name, ":")
	if !ranked {
		return slices.Contains(groups, slug)
	}
	for _, role := range org.Roles() {
		if slices.Contains(groups, slug+":"+string(role)) {
			return true
		}
		if string(role) == least {
			return false
		}
	}
	return false
}
