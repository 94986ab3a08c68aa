package servertest_test

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"authy/server/servertest"
)

// furnished is a server with one of each thing, which root administers, and the path of the pages
// of an organization.
func furnished(t *testing.T, s *servertest.Server) (organization string) {
	t.Helper()
	makeAdmin(t, s, root)
	return s.Furnish(t, "acme-corp")
}

// areas are who goes about the pages, and where they begin.
func areas(organization string) map[string]string {
	return map[string]string{root: "/admin", alice: organization, carol: organization, bob: organization}
}

func TestNoLinkOfAPageLeadsNowhere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	seen := map[string]int{}
	for who, begin := range areas(furnished(t, s)) {
		v := newVisitor(t, s)
		s.SignIn(t, v.browser, who, seedPassword(who))
		for _, stop := range s.Tour(t, v.browser, begin) {
			if status := stop.Response.StatusCode; status != 200 && status != 303 {
				t.Errorf("%s of %s leads to %s, which answers %d", stop.From, who, stop.Address, status)
			}
			seen[who]++
		}
	}
	if seen[root] < 100 || seen[alice] < 50 || seen[bob] < 5 {
		t.Errorf("pages visited: %v", seen)
	}
}

// searchForms finds the names of what a page can be asked for: the fields of its searches, and the
// queries of its links to itself.
var searchForms = regexp.MustCompile(`(?s)<form[^>]*method="get".*?</form>`)

var fieldName = regexp.MustCompile(` name="([^"]+)"`)

// questions are the names of what can be asked of the pages of a tour, by the path of each.
func questions(stops []servertest.Stop) map[string][]string {
	out := map[string][]string{}
	for _, stop := range stops {
		path, query, _ := strings.Cut(stop.Address, "?")
		names, err := url.ParseQuery(query)
		if err != nil {
			continue
		}
		for name := range names {
			out[path] = append(out[path], name)
		}
		for _, form := range searchForms.FindAllString(stop.Body, -1) {
			for _, field := range fieldName.FindAllStringSubmatch(form, -1) {
				out[path] = append(out[path], html.UnescapeString(field[1]))
			}
		}
		out[path] = append(out[path], "after", "ui_locales")
	}
	for path, names := range out {
		slices.Sort(names)
		out[path] = slices.Compact(names)
	}
	return out
}

// oddParts are parts of an address that lead nowhere.
var oddParts = []string{"%00", "%ff", "%E2%80%AE%D7%90%D7%91", strings.Repeat("x", 5000), "a%27%3B--%25", "%2e%2e%2f"}

// variants are a path with each part that names a record made odd.
func variants(path string) (out []string) {
	parts := strings.Split(path, "/")
	shape := strings.Split(strings.TrimSuffix(servertest.ShapeOf(path), "?"), "/")
	for i := range parts {
		named := i > 0 && slices.Contains([]string{"providers", "services", "do", "new", "app"}, parts[i-1])
		if shape[i] != "*" && !named {
			continue
		}
		for _, odd := range oddParts {
			one := slices.Clone(parts)
			one[i] = odd
			out = append(out, strings.Join(one, "/"))
		}
	}
	return out
}

// HT-26: no page is broken by what its address says, and both databases answer alike.
func TestNoAddressBreaksAPage(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		tried := 0
		for who, begin := range areas(furnished(t, s)) {
			if who == carol || who == bob { // see nothing that the others do not
				continue
			}
			v := newVisitor(t, s)
			s.SignIn(t, v.browser, who, seedPassword(who))
			stops := s.Tour(t, v.browser, begin)
			shapes := map[string]bool{}
			for path, names := range questions(stops) {
				shape := servertest.ShapeOf(path)
				if shapes[shape] || strings.HasPrefix(path, "/static/") {
					continue
				}
				shapes[shape] = true
				addresses := variants(path)
				for _, name := range names {
					for _, odd := range servertest.Some(oddParts, 1) {
						addresses = append(addresses, path+"?"+name+"="+odd)
					}
				}
				for _, address := range addresses {
					tried++
					if page := v.get(address); page.Response.StatusCode >= 500 {
						t.Errorf("%s answers %s with %d", who, fmt.Sprintf("%.120s", address), page.Response.StatusCode)
					}
				}
			}
		}
		if tried < servertest.Often(1000, 200) {
			t.Errorf("only %d addresses", tried)
		}
	})
}
