package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"authy/storage/disk"
)

// Localhost reports whether the public URL is of this machine only: localhost,
// a name below it, 127.0.0.0/8 or ::1.
func (c *Config) Localhost() bool {
	host := strings.ToLower(c.Host())
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Host returns the host of the public URL, without its port.
func (c *Config) Host() string {
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Secure reports whether the public URL is https.
func (c *Config) Secure() bool {
	return strings.HasPrefix(strings.ToLower(c.PublicURL), "https://")
}

// DatabaseURL returns the URL of the database in use, which is authy.db in the
// data directory where none is set.
func (c *Config) DatabaseURL() string {
	if c.Database.URL != "" {
		return c.Database.URL.Reveal()
	}
	path := filepath.Join(c.DataDir, "authy.db")
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return (&url.URL{Scheme: "sqlite", Path: disk.ToURL(path)}).String()
}

// SnapshotsIn is the name of the directory of snapshots, in the data directory.
const SnapshotsIn = "snapshots"

// SnapshotDir returns the directory of what is kept of the database before its schema
// changes, or "" where nothing is.
func (c *Config) SnapshotDir() string {
	if !c.Database.Snapshot {
		return ""
	}
	return filepath.Join(c.DataDir, SnapshotsIn)
}

var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?$`)

// normalURL returns text as browsers write an origin: lower case, without the
// default port and without a slash at the end. Its errors say what is wrong.
func normalURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return "", fmt.Errorf("%q is not a URL; write https://id.example.com", text)
	case u.User != nil:
		return "", errors.New("it holds a user name; write scheme and host only")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%q is neither http nor https", text)
	case strings.Trim(u.Path, "/") != "" || strings.ContainsAny(text, "?#"):
		return "", fmt.Errorf("%q has a path, query or fragment; write scheme and host only", text)
	}
	host := strings.ToLower(u.Hostname())
	addr, err := netip.ParseAddr(host)
	isAddr := err == nil && addr.Zone() == ""
	if !isAddr && !hostName.MatchString(host) {
		return "", fmt.Errorf("%q is not a host name; write letters beyond a–z in their xn-- form", host)
	}
	if isAddr && addr.Is6() {
		host = "[" + addr.String() + "]"
	}
	port, err := normalPort(u)
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + host + port, nil
}

// normalPort returns ":port", or nothing for the one the scheme implies.
func normalPort(u *url.URL) (string, error) {
	port := u.Port()
	if port == "" {
		return "", nil
	}
	n, err := parsePort(port)
	if err != nil || n == 0 {
		return "", fmt.Errorf("%q is not a port", port)
	}
	if u.Scheme == "http" && n == 80 || u.Scheme == "https" && n == 443 {
		return "", nil
	}
	return ":" + strconv.Itoa(n), nil
}

func parsePort(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	return int(n), err
}

func checkListen(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = parsePort(port)
	}
	if err != nil {
		return fmt.Errorf("%q is not host:port; write 127.0.0.1:5000", text)
	}
	return nil
}

// parseOrigins reads origins that are separated by commas.
func parseOrigins(text string) ([]string, error) {
	var list []string
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		origin, err := normalURL(entry)
		if err != nil {
			return nil, err
		}
		list = append(list, origin)
	}
	return list, nil
}

// checkDatabaseURL quotes nothing of its argument, which may hold a password.
func checkDatabaseURL(text string) error {
	scheme, rest, _ := strings.Cut(text, "://")
	switch scheme {
	case "":
		return nil
	case "sqlite":
		if path, _, _ := strings.Cut(rest, "?"); strings.Trim(path, "/") == "" {
			return errors.New("it names no file; write sqlite:///path/to/authy.db")
		}
		return nil
	case "postgres", "postgresql":
		return checkPasswordURL(text)
	}
	return errors.New("unknown kind of database; " +
		"write sqlite:///path/to/authy.db or postgres://user:password@host:5432/name")
}

// checkRedisURL quotes nothing of its argument, which may hold a password.
func checkRedisURL(text string) error {
	if text == "" {
		return nil
	}
	if !strings.HasPrefix(text, "redis://") && !strings.HasPrefix(text, "rediss://") {
		return errors.New("unknown kind of store; write redis://host:6379/0, or rediss:// for TLS")
	}
	if err := checkPasswordURL(text); err != nil {
		return err
	}
	u, err := url.Parse(text)
	if err != nil || u.Port() == "" {
		return err
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
		return errors.New("the port is no number from 1 to 65535")
	}
	return nil
}

func checkPasswordURL(text string) error {
	_, rest, _ := strings.Cut(text, "://")
	// An "@" after the host means that the password holds the "/", "?" or "#"
	// that seemed to end the host.
	end := strings.IndexAny(rest, "/?#")
	cut := end >= 0 && strings.Contains(rest[end:], "@")
	if _, err := url.Parse(text); err != nil || cut {
		return errors.New("it is not a valid URL; percent-encode special characters in the password")
	}
	return nil
}

const masked = "xxxxx"

// HasPassword says whether there is a password in a URL.
func HasPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	_, has := u.User.Password()
	return has || u.Query().Has("password") || u.Query().Has("sslpassword")
}

// MaskURL returns a URL with any password in it replaced, be it in its query. Of what is not
// understood it returns nothing: it may hold a password anywhere.
func MaskURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Opaque != "" || u.Scheme != "sqlite" && checkPasswordURL(text) != nil {
		return "[set]"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "[set]"
	}
	for name := range query {
		if strings.Contains(strings.ToLower(name), "pass") {
			query.Set(name, masked)
			u.RawQuery = query.Encode()
		}
	}
	return u.Redacted()
}
