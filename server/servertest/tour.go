package servertest

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/registry"
	"authy/server/saml2"
	"authy/server/token"
)

// Stop is a page of a tour: its address without the server's, and the page that leads there.
type Stop struct {
	*Page
	Address, From string
}

const (
	// alike is how many pages of one shape a tour visits.
	alike = 3
	// longestTour is more pages than any tour has.
	longestTour = 1000
)

var (
	link = regexp.MustCompile(`<(?:a|link)[^>]* href="([^"]*)"`)
	// onlyOne is a part of a path that names one record of many.
	onlyOne = regexp.MustCompile(`[0-9]`)
)

// Tour visits the pages below root, and those that they lead to, as links lead there. Of
// pages that differ in the record that they are about alone it visits a few.
func (s *Server) Tour(t testing.TB, browser *http.Client, root string) []Stop {
	t.Helper()
	var stops []Stop
	seen, shapes := map[string]bool{root: true}, map[string]int{}
	next := []Stop{{Address: root}}
	for len(next) > 0 && len(stops) < longestTour {
		stop := next[0]
		next = next[1:]
		if shape := ShapeOf(stop.Address); shapes[shape] < alike {
			shapes[shape]++
		} else {
			continue
		}
		stop.Page = Get(t, browser, s.URL+stop.Address)
		stops = append(stops, stop)
		if stop.Address != root && !strings.HasPrefix(stop.Address, root+"/") && !strings.HasPrefix(stop.Address, root+"?") {
			continue
		}
		for _, to := range stop.links() {
			if !seen[to] {
				seen[to] = true
				next = append(next, Stop{Address: to, From: stop.Address})
			}
		}
	}
	return stops
}

// links are the addresses at this server that a page leads to.
func (p *Page) links() (out []string) {
	for _, found := range link.FindAllStringSubmatch(p.Body, -1) {
		to, _, _ := strings.Cut(html.UnescapeString(found[1]), "#")
		if strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
			out = append(out, to)
		}
	}
	return out
}

// ShapeOf is what addresses of pages have in common that differ in a record or a filter alone.
func ShapeOf(address string) string {
	path, query, _ := strings.Cut(address, "?")
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if onlyOne.MatchString(part) {
			parts[i] = "*"
		}
	}
	asked, err := url.ParseQuery(query)
	if err != nil {
		return address
	}
	names := make([]string, 0, len(asked))
	for name := range asked {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(parts, "/") + "?" + strings.Join(names, "&")
}

// Furnish gives an organization of the sample data one of each thing that pages are about, so
// that each page has something to show. It returns the path of the organization's pages.
func (s *Server) Furnish(t testing.TB, slug string) (path string) {
	t.Helper()
	ctx, by := t.Context(), audit.Shell()
	o, err := s.Orgs.BySlug(ctx, slug)
	if err != nil {
		t.Fatal(err)
	}
	for what, add := range map[string]func() error{
		"domain": func() error { _, err := s.Providers.AddDomain(ctx, by, o.ID, slug+".example"); return err },
		"invitation": func() error {
			_, _, err := s.Orgs.Invite(ctx, by, o.ID, "guest@"+slug+".example", org.Member)
			return err
		},
		"token": func() error {
			_, _, err := s.Tokens.Make(ctx, by, token.Owner{OrgID: o.ID}, token.NewToken{
				Name: "Robot", Scopes: []string{token.OrganizationsRead}, Days: 30,
			})
			return err
		},
		"client":  func() error { return s.addClient(t, "shop", o.ID) },
		"service": func() error { return s.addService(t, "wiki", o.ID) }, "service of the server": func() error { return s.addService(t, "forum", "") },
		"provider": func() error { return s.addProvider(t, "lab", o.ID) }, "provider of the server": func() error { return s.addProvider(t, "club", "") },
	} {
		if err := add(); err != nil {
			t.Fatalf("add a %s: %v", what, err)
		}
	}
	return "/organizations/" + o.ID
}

func (s *Server) addService(t testing.TB, name, orgID string) error {
	t.Helper()
	d := saml2.Description{Name: name, OrganizationID: orgID, Typed: saml2.Typed{
		EntityID: "https://" + name + ".example", ACS: "https://" + name + ".example/acs",
	}}
	if orgID != "" {
		d.Allowed = []string{registry.AllowOrganization}
	}
	d.Options.Unsolicited = true
	_, err := s.SAMLServices.Create(t.Context(), audit.Shell(), d)
	return err
}

func (s *Server) addClient(t testing.TB, name, orgID string) error {
	t.Helper()
	in := registry.Defaults()
	in.ClientID, in.Name, in.Secret, in.OrganizationID = name+"-001", name, "a secret of the two of them", orgID
	in.RedirectURIs, in.Allowed = []string{"https://" + name + ".example/cb"}, []string{registry.AllowOrganization}
	in.Options.BackChannelURI = "https://" + name + ".example/signed-out"
	_, err := s.Clients.Create(t.Context(), audit.Shell(), in)
	return err
}

func (s *Server) addProvider(t testing.TB, name, orgID string) error {
	t.Helper()
	_, err := s.Providers.Create(t.Context(), audit.Shell(), provider.Description{
		Kind: provider.OIDC, Slug: name, OrganizationID: orgID, Name: name, Issuer: "https://" + name + ".example",
		ClientID: "authy", Secret: "not known to anyone else",
	})
	return err
}
