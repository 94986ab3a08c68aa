package cmd

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	healthPath    = "/api/ready"
	healthTimeout = 5 * time.Second
	maxHealth     = 64 << 10 // bytes read of an answer
)

func (a *app) healthCommand() *cobra.Command {
	var base string
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask a running server whether it is ready",
		Long: `Ask a running server whether it is ready, for the health check of a container.
The exit code is 0 if it is, else 1 with the part that fails.`,
		Example: `  authy health
  authy health --url https://id.example.com --timeout 2s`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if timeout <= 0 {
				return misused(c, "--timeout must be more than nothing")
			}
			return a.health(c.Context(), base, timeout)
		},
	}
	c.Flags().StringVar(&base, "url", "", "`URL` of the server (default: where the configuration has it listen)")
	c.Flags().DurationVar(&timeout, "timeout", healthTimeout, "how long to wait for the answer")
	return c
}

func (a *app) health(ctx context.Context, base string, timeout time.Duration) error {
	// No proxy stands before a server on this machine, and none is asked about it.
	by := &http.Transport{DisableKeepAlives: true}
	if base == "" {
		c, _, err := a.configure(ctx, slog.LevelError)
		if err != nil {
			return err
		}
		if base, err = reachable(c.Listen); err != nil {
			return err
		}
		if c.TLS.CertFile != "" {
			base = "https" + strings.TrimPrefix(base, "http")
			// The certificate is for another name than this address; nothing secret is said.
			by.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // see above
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := askReady(ctx, by, strings.TrimRight(base, "/")+healthPath); err != nil {
		return err
	}
	return a.printLine("ready")
}

// reachable returns the URL of a server that listens on address. One that
// listens everywhere is asked on this machine.
func reachable(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("read listen: %w", err)
	}
	if port == "0" {
		return "", errors.New("listen names no port; say where the server is with --url")
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && ip == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case err == nil && ip == netip.IPv6Unspecified():
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// askReady returns nil if the server at url is ready, else why not.
func askReady(ctx context.Context, by http.RoundTripper, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	resp, err := (&http.Client{Transport: by}).Do(req)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	defer resp.Body.Close()
	var answer struct {
		Message string            `json:"message"`
		Parts   map[string]string `json:"data"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, maxHealth)).Decode(&answer)
	switch {
	case err != nil || len(answer.Parts) == 0:
		return fmt.Errorf("not authy: %s answers %s, and not with its state", url, resp.Status)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("not ready: %s", failing(answer.Parts))
	}
	return nil
}

// failing names the parts that are not ok.
func failing(parts map[string]string) string {
	var bad []string
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if parts[name] != "ok" {
			bad = append(bad, name+" is "+parts[name])
		}
	}
	return strings.Join(bad, ", ")
}
