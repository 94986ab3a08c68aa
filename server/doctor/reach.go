package doctor

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"authy/server/audit"
	"authy/server/forward"
	"authy/server/machine"
	"authy/server/openid"
	"authy/server/outbound"
)

// reach looks at the way from the public URL to the server, and at what the server that
// answers there can do.
func (s *Service) reach(ctx context.Context) (found []Finding, err error) {
	address, err := s.Self.CheckAddress(ctx, audit.Shell()) // who asks may, and was counted
	if err != nil {
		return nil, err
	}
	for _, f := range address.Findings {
		if !f.OK {
			found = append(found, f)
		}
	}
	most := s.Config.Config.Server.MaxConnections
	if files := address.Files; files > 0 && files < most+machine.OtherFiles {
		found = append(found, bad("open_files", "The server may have %s files open, which is too few for the %s connections of "+
			"server.max_connections: raise the limit (LimitNOFILE= of the unit, ulimit -n), or lower that.",
			strconv.Itoa(files), strconv.Itoa(most)))
	}
	return found, nil
}

// cookies looks at whether browsers keep the cookies that rules of forward-auth set.
func (s *Service) cookies(context.Context) (found []Finding, err error) {
	var seen []string
	for _, r := range s.Config.Config.ForwardAuth {
		if r.Domain == "" || slices.Contains(seen, r.Domain) {
			continue
		}
		seen = append(seen, r.Domain)
		if suffix, _ := publicsuffix.PublicSuffix(r.Domain); suffix == r.Domain {
			found = append(found, bad("cookies", "A rule of forward-auth has the domain %s, under which anyone can have a name: browsers "+
				"keep no cookie for it, and signing in goes round in circles. Name the domain below it that is yours, or leave it out.",
				r.Domain))
		}
	}
	return found, nil
}

// hosts are checks of whether the proxy of each host that has rules leads here.
func (s *Service) hosts() (all []check) {
	scheme, _, _ := strings.Cut(s.Config.Config.PublicURL, "://")
	var seen []string
	for _, r := range s.Config.Config.ForwardAuth {
		for _, host := range r.Hosts {
			if slices.Contains(seen, host) {
				continue
			}
			seen = append(seen, host)
			all = append(all, check{"forward_auth", func(ctx context.Context) ([]Finding, error) {
				return s.host(ctx, scheme+"://"+host)
			}})
		}
	}
	return all
}

// host looks at whether the paths of authy on a host lead here.
func (s *Service) host(ctx context.Context, origin string) ([]Finding, error) {
	answer, err := outbound.Own(origin).Ask(ctx, outbound.Question{URL: origin + forward.SignOutPath, Limit: maxPage})
	if err != nil {
		return one("forward_auth", "The host %s, which rules of forward-auth name, cannot be asked: %s. Does its DNS record lead to the "+
			"proxy, and does the proxy end TLS for it?", origin, why(err)), nil
	}
	if answer.Header.Get("Location") == s.Config.Config.PublicURL+openid.EndSessionPath {
		return nil, nil
	}
	return one("forward_auth", "At %s it was not authy that answered (%s): have the proxy of that host ask authy about each request, "+
		"and send /forward-auth/finish and /forward-auth/sign-out there, as docs/forward-auth.md has it.",
		origin+forward.SignOutPath, strconv.Itoa(answer.Status)), nil
}

// maxPage is how much of the page of somebody else is read, in bytes.
const maxPage = 1 << 20

// why is what an error says, without what was asked.
func why(err error) string {
	text := err.Error()
	if _, rest, ok := strings.Cut(text, `": `); ok {
		text = rest
	}
	return strings.TrimSuffix(text, ".")
}

// isAddress says whether a host is an address, and no name.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
