package config_test

import (
	"strings"
	"testing"

	"authy/server/config"
)

func TestValuesThatMustNotBeStartedWithAreRefused(t *testing.T) {
	t.Parallel()
	remote := config.Flags{"public_url": "https://id.example.com"}
	tests := []struct{ key, text, want string }{
		{"listen", "5000", `"5000" is not host:port; write 127.0.0.1:5000`},
		{"listen", "localhost:70000", "is not host:port"},
		{"listen", "localhost:http", "is not host:port"},
		{"listen", "", "is not host:port"},
		{"public_url", "", "is not a URL; write https://id.example.com"},
		{"public_url", "id.example.com", "is not a URL"},
		{"public_url", "ftp://id.example.com", "neither http nor https"},
		{"public_url", "https://id.example.com/auth", "has a path, query or fragment"},
		{"public_url", "https://id.example.com?", "has a path, query or fragment"},
		{"public_url", "https://id.example.com#", "has a path, query or fragment"},
		{"public_url", "https://user:hunter2@id.example.com", "it holds a user name"},
		{"public_url", "https://id.example.com:0", `"0" is not a port`},
		{"public_url", "https://id.example.com:99999", `"99999" is not a port`},
		{"public_url", "https://büro.example.com", "xn-- form"},
		{"public_url", "http://id.example.com", "use https, or set security.insecure_http = true"},
		{"public_url", "http://localhost.example.com", "use https"},
		{"data_dir", " ", "it is empty"},
		{"trusted_proxies", "fe80::1%eth0", "neither an address nor a range"},
		{"cors.origins", "*", "is not a URL"},
		{"cors.origins", "https://app.example.com/path", "https://app.example.com"},
		{"cors.origins", "https://good.example, ftp://app.example.com", "neither http nor https"},
		{"database.url", "mysql://u:hunter2@h/db", "unknown kind of database"},
		{"database.url", "u:hunter2@h/db", "unknown kind of database"},
		{"database.url", "sqlite://", "it names no file"},
		{"database.url", "sqlite:///?mode=memory", "it names no file"},
		{"database.url", "postgres://u:hunter2%@h/db", "percent-encode special characters"},
		{"database.url", "postgres://u:12/hunter2@h/db", "percent-encode special characters"},
		{"database.url", "postgres://u:12#hunter2@h/db", "percent-encode special characters"},
		{"redis.url", "memcached://:hunter2@h", "unknown kind of store"},
		{"redis.url", "redis://:hunter2@h:99999", "the port is no number from 1 to 65535"},
		{"redis.url", "redis://:12?hunter2@h", "percent-encode special characters"},
		{"security.secret_key", "dev-secret-key-change-in-production", "an example that everyone knows"},
		{"security.secret_key", "dev-encryption-key-change-in-production", "an example that everyone knows"},
		{"security.secret_key", "change-me", "an example that everyone knows"},
		{"security.secret_key", "ChangeMe_ChangeMe_ChangeMe_ChangeMe", "an example that everyone knows"},
		{"security.secret_key", "your-secret-key-here", "an example that everyone knows"},
		{"security.secret_key", "secret", "shorter than 32 characters"},
		{"security.secret_key", goodKey[1:], "shorter than 32 characters"},
		{"security.secret_key", strings.Repeat("0", 64), "one character over and over"},
		{"security.bcrypt_cost", "3", "3 is out of range; write 10 to 16"},
		{"security.bcrypt_cost", "17", "17 is out of range"},
		{"security.bcrypt_cost", "9", "9 is too weak"},
		{"security.insecure_http", "maybe", `"maybe" is not true or false`},
		{"log.level", "INFO", `"INFO" is not known; write one of debug, info, warn, error`},
		{"log.format", "xml", `"xml" is not known; write one of auto, text, json`},
		{"session.lifetime", "0s", "0s is out of range; write 1s to 9600h"},
		{"session.lifetime", "9601h", "9601h is out of range"},
		{"session.remember_lifetime", "23h", "23h is out of range; write 24h to 9600h"},
		{"session.idle", "4s", "4s is out of range; write 5s to 9600h, or 0s for never"},
		{"session.idle", "-1s", "out of range"},
		{"openid.code_lifetime", "10m1s", "10m1s is out of range; write 1s to 10m"},
		{"openid.code_lifetime", "-1m", "out of range"},
		{"openid.refresh_grace", "31s", "31s is out of range; write 0s to 30s"},
		{"openid.max_grant_lifetime", "0s", "out of range"},
		{"keys.rotate_every", "59m", "out of range; write 24h to 87600h, or 0s for never"},
		{"keys.rotate_every", "23h59m", "out of range; write 24h to 87600h, or 0s for never"},
		{"keys.publish_for", "9m59s", "out of range; write 10m to 720h"},
		{"keys.publish_for", "721h", "out of range"},
		{"server.drain_delay", "6m", "out of range"},
		{"server.shutdown_grace", "-1s", "out of range"},
		{"mail.tls", "opportunistic", `"opportunistic" is not known; write one of starttls, implicit, none`},
		{"mail.timeout", "5m1s", "5m1s is out of range; write 1s to 5m"},
		{"mail.port", "0", "0 is not a port; write 587 or 465"},
		{"mail.port", "65536", "65536 is not a port"},
		{"mail.username", "authy", "belong together"},
		{"registration.uniform", "true", "it answers by mail; set mail.host and mail.from, too"},
	}
	for _, tt := range tests {
		t.Run(tt.key+" "+tt.text, func(t *testing.T) {
			t.Parallel()
			flags := config.Flags{"public_url": remote["public_url"]}
			flags[tt.key] = tt.text
			got := refuse(t, "", flags)
			prefix := "flag --" + config.FlagName(tt.key) + ": " + tt.key + ": "
			if !strings.HasPrefix(got, prefix) || !strings.Contains(got, tt.want) {
				t.Errorf("the message is %q, want %s…%s", got, prefix, tt.want)
			}
			if strings.Contains(got, "\n") {
				t.Errorf("one problem is reported as several: %s", got)
			}
			if strings.Contains(got, "hunter2") || tt.key == "security.secret_key" && strings.Contains(got, tt.text+" ") {
				t.Errorf("the message quotes a secret: %s", got)
			}
		})
	}
}

func TestTheRelayAndTheSenderAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, host, want string }{
		{"", "mail.example.com", "mail.from: \"\" is not an address"},
		{"authy", "mail.example.com", "mail.from: \"authy\" is not an address"},
		{"authy <noreply@example.com>\r\nBcc: eve@example.com", "mail.example.com", "mail.from"},
		{"noreply@example.com", "", "mail.host: it is empty"},
		{"noreply@example.com", "mail.example.com:587", "mail.host: \"mail.example.com:587\" is not a host name"},
		{"noreply@example.com", "smtp://mail.example.com", "is not a host name"},
	} {
		got := refuse(t, "", config.Flags{"mail.from": c.from, "mail.host": c.host})
		if !strings.Contains(got, c.want) {
			t.Errorf("from %q by %q: %q, want %s", c.from, c.host, got, c.want)
		}
	}
	for _, host := range []string{"mail.example.com", "::1", "192.0.2.1"} {
		c, r := load(t, "", config.Flags{
			"mail.from": "authy <noreply@example.com>", "mail.host": host, "mail.tls": "none",
			"mail.username": "authy", "mail.password": "hunter2 of the relay",
		})
		if !c.Mail.Enabled() || len(r.Warnings()) != 1 || !strings.HasPrefix(r.Warnings()[0], "mail.tls is none") {
			t.Errorf("mail by %s without TLS: enabled %v, warnings %q", host, c.Mail.Enabled(), r.Warnings())
		}
		if got := setting(t, r, "mail.password").Value; got != "[set]" {
			t.Errorf("the password is shown as %q", got)
		}
	}
}

func TestWeakerChoicesAreAllowedOnLocalhost(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"http://localhost:5000", "http://id.localhost", "http://127.0.0.2:80", "http://[::1]:5000", "https://LOCALHOST",
	} {
		c, r := load(t, "", config.Flags{
			"public_url": url, "security.bcrypt_cost": "4", "rate_limit.enabled": "false",
		})
		if !c.Localhost() || len(r.Warnings()) != 0 {
			t.Errorf("%s: Localhost() = %v, Warnings() = %q, want true and none", url, c.Localhost(), r.Warnings())
		}
	}
	c, _ := load(t, "", config.Flags{"public_url": "https://notlocalhost"})
	if c.Localhost() {
		t.Error("Localhost() of https://notlocalhost = true")
	}
}

func TestInsecureChoicesAreWarnedOf(t *testing.T) {
	t.Parallel()
	c, r := load(t, "", config.Flags{
		"public_url": "http://id.example.com", "security.insecure_http": "true",
		"rate_limit.enabled": "false", "trusted_proxies": "10.0.0.0/8,0.0.0.0/0,::/0",
		"outbound.allow": "10.0.0.0/8,169.254.169.254/32", "openid.implicit": "true",
		"database.snapshot": "false",
	})
	if c.Secure() {
		t.Error("Secure() of http = true")
	}
	got := r.Warnings()
	want := []string{"public_url", "rate_limit.enabled", "database.snapshot is false", "trusted_proxies holds 0.0.0.0/0", "trusted_proxies holds ::/0", "outbound.allow holds 169.254.169.254/32", "openid.implicit is true"}
	if len(got) != len(want) {
		t.Fatalf("Warnings() = %q, want %d", got, len(want))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("warning %d = %q, want %s…", i, got[i], want[i])
		}
	}
}

func TestThePublicURLIsWrittenAsBrowsersWriteIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://id.example.com/":       "https://id.example.com",
		"HTTPS://ID.Example.com":        "https://id.example.com",
		"https://id.example.com:443":    "https://id.example.com",
		"https://id.example.com:":       "https://id.example.com",
		"https://id.example.com:8443//": "https://id.example.com:8443",
		"http://localhost:80":           "http://localhost",
		"https://[2001:DB8:0::1]:443":   "https://[2001:db8::1]",
	} {
		c, r := load(t, "", config.Flags{"public_url": text})
		if c.PublicURL != want || setting(t, r, "public_url").Value != want {
			t.Errorf("public_url %q becomes %q, want %q", text, c.PublicURL, want)
		}
		if got := strings.HasPrefix(want, "https"); c.Secure() != got {
			t.Errorf("Secure() of %q = %v, want %v", text, c.Secure(), got)
		}
	}
}

func TestTheDatabaseIsAFileInTheDataDirectoryUnlessOneIsNamed(t *testing.T) {
	t.Parallel()
	c := config.Defaults()
	c.DataDir = "/var/lib/a b?"
	if got, want := c.DatabaseURL(), "sqlite:///var/lib/a%20b%3F/authy.db"; got != want {
		t.Errorf("DatabaseURL() = %q, want %q", got, want)
	}
	c.DataDir = "x"
	if got := c.DatabaseURL(); !strings.HasPrefix(got, "sqlite:///") || !strings.HasSuffix(got, "/x/authy.db") {
		t.Errorf("DatabaseURL() = %q, want an absolute path", got)
	}
	c.Database.URL = "postgres://u:p@h/db"
	if got := c.DatabaseURL(); got != "postgres://u:p@h/db" {
		t.Errorf("DatabaseURL() = %q, want the one set", got)
	}
}
