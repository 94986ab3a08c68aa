package web

import (
	"net/url"
	"strings"

	"authy/server/login"
)

// clientOf describes a client to the person who is asked about it.
func clientOf(q *login.Question) *clientView {
	c := &clientView{
		Name: q.Client.Name, URI: q.Client.ClientURI, Policy: q.Client.PolicyURI, Terms: q.Client.TOSURI,
	}
	if u, err := url.Parse(q.Client.ClientURI); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		c.Host = u.Host
	}
	if logoSource(q.Client.LogoURI) != "" {
		c.Logo = q.Client.LogoURI
	}
	return c
}

// logoSources are what the content policy of a page that shows logos allows beside what is ours.
func logoSources(f foreign) string {
	all := logoSource(f.logo)
	for _, uri := range f.logos {
		all += logoSource(uri)
	}
	return all
}

// logoSource is what the content policy of a page that shows a logo allows
// beside what is ours, with a space before it: that image alone, or what is
// below it if its path ends in a slash. It is "" for an address that a policy
// cannot name.
func logoSource(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	source := u.Scheme + "://" + u.Host + u.EscapedPath() // which has no query
	if strings.Contains(source, "*") || strings.ContainsFunc(source, endsSource) {
		return ""
	}
	return " " + source
}
