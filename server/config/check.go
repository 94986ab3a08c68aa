package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// problem is why the value of a setting is refused.
type problem struct {
	key string
	err error
}

// problems returns everything in c that must not be started with. No error
// quotes a secret.
func problems(c *Config) []problem {
	list := []problem{
		{"listen", checkListen(c.Listen)},
		{"public_url", checkPublicURL(c)},
		{"data_dir", checkDataDir(c.DataDir)},
		{"database.url", checkDatabaseURL(c.Database.URL.Reveal())},
		{"redis.url", checkRedisURL(c.Redis.URL.Reveal())},
		{"security.bcrypt_cost", checkBcryptCost(c)},
		{"rate_limit.unfinished", checkUnfinished(c.RateLimit.Unfinished)},
		{"log.level", oneOf(c.Log.Level, "debug", "info", "warn", "error")},
		{"log.format", oneOf(c.Log.Format, "auto", "text", "json")},
		{"tls.cert_file", checkTLS(c)},
		{"server.max_connections", checkConnections(c.Server.MaxConnections)},
		{"openid.registration", oneOf(c.OpenID.Registration, "off", "token", "open")},
		{"openid.registration_profile", oneOf(c.OpenID.RegistrationProfile, "oauth2.1", "legacy")},
	}
	if c.Security.SecretKey != "" {
		list = append(list, problem{"security.secret_key", checkSecret(c.Security.SecretKey.Reveal())})
	}
	list = append(list, durationProblems(c)...)
	list = append(list, mailProblems(c)...)
	list = append(list, keyProblems(c.Keys)...)
	list = append(list, backupProblems(c.Backup)...)
	list = append(list, metricsProblems(c)...)
	list = append(list, providerProblems(c)...)
	list = append(list, forwardProblems(c)...)
	return slices.DeleteFunc(list, func(p problem) bool { return p.err == nil })
}

func durationProblems(c *Config) []problem {
	const (
		day       = 24 * time.Hour
		maxCookie = 400 * day // browsers keep none longer
	)
	lifetime, leastRemembered := between(c.Session.Lifetime, time.Second, maxCookie), time.Second
	if lifetime == nil {
		leastRemembered = c.Session.Lifetime.Duration
	}
	return []problem{
		{"session.lifetime", lifetime},
		{"session.remember_lifetime", between(c.Session.RememberLifetime, leastRemembered, maxCookie)},
		{"session.idle", checkIdle(c.Session.Idle)},
		// RFC 6749, section 4.1.2: a code lives ten minutes at most.
		{"openid.code_lifetime", between(c.OpenID.CodeLifetime, time.Second, 10*time.Minute)},
		{"openid.refresh_grace", between(c.OpenID.RefreshGrace, 0, 30*time.Second)},
		{"openid.max_grant_lifetime", between(c.OpenID.MaxGrantLifetime, time.Second, 3650*day)},
		{"server.drain_delay", between(c.Server.DrainDelay, 0, 5*time.Minute)},
		{"server.shutdown_grace", between(c.Server.ShutdownGrace, 0, 10*time.Minute)},
	}
}

// checkIdle takes 0 for never; less than 5 seconds nobody could keep up with.
func checkIdle(d Duration) error {
	if d.Duration == 0 {
		return nil
	}
	if err := between(d, 5*time.Second, 9600*time.Hour); err != nil {
		return fmt.Errorf("%w, or 0s for never", err)
	}
	return nil
}

func between(d Duration, least, most time.Duration) error {
	if least <= d.Duration && d.Duration <= most {
		return nil
	}
	return fmt.Errorf("%s is out of range; write %s to %s", d, Duration{least}, Duration{most})
}

// checkTLS does not read the files: who changes settings may not be who runs authy.
func checkTLS(c *Config) error {
	cert, key := c.TLS.CertFile, c.TLS.KeyFile
	switch {
	case cert == "" && key == "":
		return nil
	case cert == "" || key == "":
		return errors.New("tls.cert_file and tls.key_file go together; set both, or none where a proxy sees to TLS")
	case !c.Secure():
		return fmt.Errorf("with a certificate authy answers https alone; set public_url to https://%s, with its port",
			c.Host())
	}
	return nil
}

func checkConnections(n int) error {
	const least, most = 100, 1_000_000
	if n < least || n > most {
		return fmt.Errorf("%d is out of range; write %d to %d", n, least, most)
	}
	return nil
}

func oneOf(value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%q is not known; write one of %s", value, strings.Join(allowed, ", "))
}

func checkPublicURL(c *Config) error {
	if _, err := normalURL(c.PublicURL); err != nil {
		return err
	}
	if c.Secure() || c.Localhost() || c.Security.InsecureHTTP {
		return nil
	}
	return fmt.Errorf("%s would send passwords in the clear; use https, "+
		"or set security.insecure_http = true where the network is trusted", c.PublicURL)
}

func checkDataDir(dir string) error {
	if strings.TrimSpace(dir) == "" {
		return errors.New("it is empty; name a directory such as ./authy-data")
	}
	return nil
}

// weakCost is below what OWASP asks of bcrypt; fast enough for tests.
const weakCost = 10

func checkBcryptCost(c *Config) error {
	switch cost := c.Security.BcryptCost; {
	case cost < 4 || cost > 16:
		return fmt.Errorf("%d is out of range; write %d to 16", cost, weakCost)
	case cost < weakCost && !c.Localhost():
		return fmt.Errorf("%d is too weak for passwords other than on localhost; write %d to 16", cost, weakCost)
	}
	return nil
}

// checkUnfinished wants room for those who sign in at once, and an end of it.
func checkUnfinished(n int) error {
	const least, most = 100, 10_000_000
	if n < least || n > most {
		return fmt.Errorf("%d is out of range; write %d to %d", n, least, most)
	}
	return nil
}

const minSecret = 32

// examples are parts of secrets that stand in documentation and samples,
// without case and punctuation.
var examples = []string{
	"changeme", "changethis", "changeinproduction", "replaceme", "yoursecretkey", "examplesecret",
}

// checkSecret refuses keys that others know or can guess.
func checkSecret(text string) error {
	const advice = "; write the output of openssl rand -hex 32, or leave it empty to have one made"
	plain := strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(strings.ToLower(text))
	for _, example := range examples {
		if strings.Contains(plain, example) {
			return errors.New("it is an example that everyone knows" + advice)
		}
	}
	if len(text) < minSecret {
		return fmt.Errorf("it is shorter than %d characters%s", minSecret, advice)
	}
	if strings.Count(text, text[:1]) == len(text) {
		return errors.New("it is one character over and over" + advice)
	}
	return nil
}

// linkLocal holds the addresses at which clouds tell a machine its secrets.
var linkLocal = netip.MustParsePrefix("169.254.0.0/16")

// risk is why a value that works had better be another.
type risk struct{ key, text string }

// risks returns a sentence for each choice in c that weakens the server.
func risks(c *Config) []risk {
	var list []risk
	if !c.Secure() && !c.Localhost() {
		list = append(list, risk{"public_url", "public_url is not https: passwords and cookies cross the network in the clear."})
	}
	if !c.RateLimit.Enabled && !c.Localhost() {
		list = append(list, risk{"rate_limit.enabled", "rate_limit.enabled is false: passwords can be guessed without limit."})
	}
	if !c.Database.Snapshot {
		list = append(list, risk{"database.snapshot", "database.snapshot is false: an upgrade that goes wrong cannot be taken back."})
	}
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			list = append(list, risk{"trusted_proxies", "trusted_proxies holds " + p.String() +
				": anyone can pretend to come from any address."})
		}
	}
	for _, p := range c.Outbound.Allow {
		if p.Bits() == 0 || p.Overlaps(linkLocal) {
			list = append(list, risk{"outbound.allow", "outbound.allow holds " + p.String() +
				": a client can have authy ask the metadata service of the machine's provider."})
		}
	}
	if c.OpenID.Implicit {
		list = append(list, risk{"openid.implicit", "openid.implicit is true: clients of the profile legacy can have tokens " +
			"sent through the browser's address."})
	}
	if c.Backup.Unencrypted {
		list = append(list, risk{"backup.unencrypted", "backup.unencrypted is true: whoever gets hold of a backup can read " +
			"who has an account, and try passwords."})
	}
	if c.Metrics.Listen != "" && c.Metrics.TokenFile == "" && !isLoopback(c.Metrics.Listen) {
		list = append(list, risk{"metrics.listen", "metrics.listen is not of this machine alone and metrics.token_file is empty: " +
			"whoever reaches " + c.Metrics.Listen + " sees how many sign in and fail."})
	}
	list = append(list, registrationRisks(c.OpenID)...)
	list = append(list, forwardRisks(c.ForwardAuth)...)
	return append(list, mailRisks(c.Mail)...)
}

// registrationRisks returns a sentence for each choice about clients that register
// themselves that weakens the server.
func registrationRisks(c OpenID) (list []risk) {
	if c.Registration == "open" {
		list = append(list, risk{"openid.registration", "openid.registration is open: anyone can register an application that " +
			"asks people to sign in."})
	}
	if c.Registration != "off" && c.RegistrationProfile == "legacy" {
		list = append(list, risk{"openid.registration_profile", "openid.registration_profile is legacy: clients that register " +
			"themselves need no PKCE."})
	}
	return list
}
