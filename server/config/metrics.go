package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// Metrics says where the server tells Prometheus how it fares; nowhere if both are "".
type Metrics struct {
	// Listen is a host:port of its own; empty is /metrics on the main address, where a
	// token is set.
	Listen string `toml:"listen"`
	// TokenFile holds the bearer token that has to be shown.
	TokenFile string `toml:"token_file"`
}

// On says whether there are any metrics.
func (m Metrics) On() bool { return m.Listen != "" || m.TokenFile != "" }

// leastToken is how many characters the token has at least.
const leastToken = 16

// Token reads the token that has to be shown; "" if none is asked for.
func (m Metrics) Token() (string, error) {
	if m.TokenFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(m.TokenFile)
	if err != nil {
		return "", fmt.Errorf("metrics.token_file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < leastToken || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("metrics.token_file: %s must hold one word of at least %d characters; "+
			"make one with: openssl rand -hex 32", m.TokenFile, leastToken)
	}
	return token, nil
}

// metricsProblems are those of the section metrics.
func metricsProblems(c *Config) []problem {
	m := c.Metrics
	if m.Listen == "" {
		return nil
	}
	err := checkListen(m.Listen)
	if err == nil && m.Listen == c.Listen {
		err = errors.New("it is the address of listen; leave it empty for /metrics there, with a token_file")
	}
	return []problem{{"metrics.listen", err}}
}

// isLoopback says whether an address can be reached from this machine alone.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
