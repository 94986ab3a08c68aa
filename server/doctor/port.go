package doctor

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"authy/server/outbound"
	"authy/server/self"
)

// ports looks at whether another program has the port of listen or of metrics.listen. Only what
// answers as authy never would is said to be another: nobody else knows who has a port.
func (s *Service) ports(ctx context.Context) (found []Finding, err error) {
	c := s.Config.Config
	scheme := "http"
	if c.TLS.CertFile != "" {
		scheme = "https"
	}
	if isAnother(ctx, scheme, c.Listen, self.AnswerPath) {
		found = append(found, bad("listen", "Another program has the port of %s (listen), and the server does not start beside it: "+
			"stop that, or choose another port.", c.Listen))
	}
	if c.Metrics.Listen != "" && isAnother(ctx, "http", c.Metrics.Listen, "/metrics") {
		found = append(found, bad("metrics", "Another program has the port of %s (metrics.listen), and the server does not start beside "+
			"it: stop that, or choose another port.", c.Metrics.Listen))
	}
	return found, nil
}

// isAnother says whether somebody answers at an address, and with nothing that authy would say:
// its metrics, or why it says nothing.
func isAnother(ctx context.Context, scheme, address, path string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" {
		return false
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	origin := scheme + "://" + net.JoinHostPort(host, port)
	answer, err := outbound.Own(origin).Ask(ctx, outbound.Question{URL: origin + path, Limit: maxPage, Brief: true})
	if err != nil || answer.Status >= http.StatusInternalServerError { // as of a busy authy
		return false
	}
	is := func(word string) bool { return strings.Contains(string(answer.Body), word) }
	return !is(`"request_id":`) && !is("authy_build_info")
}
