package config_test

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"authy/server/config"
)

// writeFile writes a file below a directory of the test and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads what must load, from a file that holds text.
func load(t *testing.T, text string, flags config.Flags, environ ...string) (*config.Config, *config.Report) {
	t.Helper()
	c, r, err := config.Load(writeFile(t, "authy.toml", text), flags, environ)
	if err != nil {
		t.Fatalf("Load() = %v", err)
	}
	return c, r
}

// refuse loads what must be refused and returns the message, in which the
// directory of the file is left out.
func refuse(t *testing.T, text string, flags config.Flags, environ ...string) string {
	t.Helper()
	file := writeFile(t, "authy.toml", text)
	c, _, err := config.Load(file, flags, environ)
	if err == nil {
		t.Fatalf("Load() of %q, %v, %q succeeded", text, flags, environ)
	}
	if c != nil {
		t.Errorf("Load() = %v beside an error, want nil", c)
	}
	return strings.ReplaceAll(err.Error(), filepath.Dir(file)+string(filepath.Separator), "")
}

// setting returns what r says about key.
func setting(t *testing.T, r *config.Report, key string) config.Setting {
	t.Helper()
	for _, s := range r.Settings() {
		if s.Key == key {
			s.Origin = s.Origin[strings.LastIndex(s.Origin, "/")+1:]
			return s
		}
	}
	t.Fatalf("the report has no %s", key)
	return config.Setting{}
}

func TestNothingSetMeansTheDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	c, r, err := config.Load("", nil, nil)
	if err != nil {
		t.Fatalf("Load() = %v", err)
	}
	if diff := cmp.Diff(config.Defaults(), c, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("Load() differs from Defaults (-want +got):\n%s", diff)
	}
	for _, s := range r.Settings() {
		if s.Origin != "default" {
			t.Errorf("the origin of %s = %q, want default", s.Key, s.Origin)
		}
	}
	if got := r.Warnings(); len(got) != 0 {
		t.Errorf("Warnings() = %q, want none", got)
	}
}

func TestEachLayerWinsOverTheOneBelow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		key, env                       string
		byDefault, file, variable, cli string
		inFile                         string // as TOML; the quoted text where empty
	}{
		{
			key: "listen", env: "AUTHY_LISTEN", byDefault: "127.0.0.1:5000",
			file: "127.0.0.1:1", variable: "127.0.0.1:2", cli: "127.0.0.1:3",
		},
		{
			key: "trusted_proxies", env: "AUTHY_TRUSTED_PROXIES", byDefault: "",
			file: "10.0.0.0/8, ::1/128", variable: "192.0.2.1/32", cli: "192.0.2.0/24",
			inFile: `["10.0.0.0/8", "::1"]`,
		},
		{
			key: "database.url", env: "AUTHY_DATABASE_URL", byDefault: "",
			file: "sqlite:///1.db", variable: "sqlite:///2.db", cli: "sqlite:///3.db",
		},
		{
			key: "security.bcrypt_cost", env: "AUTHY_SECURITY_BCRYPT_COST", byDefault: "12",
			file: "13", variable: "14", cli: "15", inFile: "13",
		},
		{
			key: "rate_limit.enabled", env: "AUTHY_RATE_LIMIT_ENABLED", byDefault: "true",
			file: "false", variable: "true", cli: "false", inFile: "false",
		},
		{
			key: "session.lifetime", env: "AUTHY_SESSION_LIFETIME", byDefault: "24h",
			file: "1h30m", variable: "10s", cli: "1m",
		},
	}
	for _, tt := range tests {
		t.Run(tt.key, func(t *testing.T) {
			t.Parallel()
			value := tt.inFile
			if value == "" {
				value = `"` + tt.file + `"`
			}
			text := "\n" + tt.key + " = " + value + "\n"
			environ := tt.env + "=" + tt.variable
			flags := config.Flags{tt.key: tt.cli}
			flag := strings.NewReplacer(".", "-", "_", "-").Replace(tt.key)

			_, r := load(t, "", nil)
			check(t, r, config.Setting{Key: tt.key, Value: tt.byDefault, Origin: "default"})
			_, r = load(t, text, nil)
			check(t, r, config.Setting{Key: tt.key, Value: tt.file, Origin: "authy.toml:2"})
			_, r = load(t, text, nil, environ)
			check(t, r, config.Setting{Key: tt.key, Value: tt.variable, Origin: "environment " + tt.env})
			_, r = load(t, text, flags, environ)
			check(t, r, config.Setting{Key: tt.key, Value: tt.cli, Origin: "flag --" + flag})
		})
	}
}

func check(t *testing.T, r *config.Report, want config.Setting) {
	t.Helper()
	if diff := cmp.Diff(want, setting(t, r, want.Key)); diff != "" {
		t.Errorf("the report differs (-want +got):\n%s", diff)
	}
}

func TestEveryKeyCanBeSetByEnvironmentAndFlag(t *testing.T) {
	t.Parallel()
	_, r := load(t, "", nil)
	special := map[string]string{
		"database.url": "sqlite:///x.db", "redis.url": "redis://localhost", "trusted_proxies": "10.0.0.1/32", "outbound.allow": "10.1.0.0/16", "geoip.file": "City.mmdb", "state.file": "state.toml",
		"cors.origins":        "https://app.example.com",
		"security.secret_key": strings.Repeat("ab", 16),
		"mail.from":           "noreply@example.com", "mail.host": "mail.example.com",
		"mail.username": "authy", "mail.password": "authy's", "mail.ca_file": "relay.pem",
		"backup.dir": "backups", "backup.recipient": "age1abc", "backup.passphrase": "sixteen characters",
		"public_url": "https://localhost:5000", "tls.cert_file": "tls.crt", "tls.key_file": "tls.key",
		"metrics.listen": "127.0.0.1:9464", "metrics.token_file": "metrics.token",
	}
	flags, environ := config.Flags{}, []string{}
	for _, s := range r.Settings() {
		flags[s.Key] = s.Value
	}
	maps.Copy(flags, special)
	for key, text := range flags {
		name := "AUTHY_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		environ = append(environ, name+"="+text)
	}
	_, fromFlags := load(t, "", flags)
	_, fromEnvironment := load(t, "", nil, environ...)
	for _, s := range r.Settings() {
		if got := setting(t, fromFlags, s.Key).Origin; !strings.HasPrefix(got, "flag --") {
			t.Errorf("%s by flag has the origin %q", s.Key, got)
		}
		if got := setting(t, fromEnvironment, s.Key).Origin; !strings.HasPrefix(got, "environment AUTHY_") {
			t.Errorf("%s by environment has the origin %q", s.Key, got)
		}
	}
}

func TestAFlagCanEmptyWhatTheFileSets(t *testing.T) {
	t.Parallel()
	c, _ := load(t, `redis.url = "redis://localhost"`, config.Flags{"redis.url": ""})
	if c.Redis.URL != "" {
		t.Errorf("redis.url = %q, want none", c.Redis.URL.Reveal())
	}
}

func TestAllProblemsAreReportedTogether(t *testing.T) {
	t.Parallel()
	got := refuse(t, "lisen = 1\n[security]\nbcrypt_cost = \"x\"\n[log]\nlevel = \"loud\"",
		config.Flags{"server.shutdown_grace": "soon", "data-dir": "x"},
		"AUTHY_SESSION_LIFETIME=-1h", "AUTHY_NOTHING_LIKE_IT=1")
	want := strings.Join([]string{
		`authy.toml:1: unknown key "lisen"; did you mean "listen"?`,
		`authy.toml:3: security.bcrypt_cost: expected a whole number`,
		`environment: unknown variable AUTHY_NOTHING_LIKE_IT`,
		`flag --data-dir: unknown key "data-dir"; did you mean "data_dir"?`,
		`flag --server-shutdown-grace: server.shutdown_grace: "soon" is not a duration such as 90s, 10m or 24h`,
		`authy.toml:5: log.level: "loud" is not known; write one of debug, info, warn, error`,
		`environment AUTHY_SESSION_LIFETIME: session.lifetime: -1h is out of range; write 1s to 9600h`,
	}, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the problems differ (-want +got):\n%s", diff)
	}
}

func TestSettingsMaskSecrets(t *testing.T) {
	t.Parallel()
	const secret = "b7c1f09a52e84d63b7c1f09a52e84d63"
	tests := []struct{ key, text, want string }{
		{"security.secret_key", secret, "[set]"},
		{"security.secret_key", "", ""},
		{"database.url", "postgres://u:hunter2@h1:5432,h2:5432/db", "postgres://u:xxxxx@h1:5432,h2:5432/db"},
		{"database.url", "postgres:///db?host=/run&password=hunter2", "postgres:///db?host=%2Frun&password=xxxxx"},
		{"database.url", "postgres:///db?password=hunter2;x=y", "[set]"},
		{"database.url", "sqlite:///var/authy.db", "sqlite:///var/authy.db"},
		{"redis.url", "rediss://:hunter2@cache:6379/0", "rediss://:xxxxx@cache:6379/0"},
	}
	for _, tt := range tests {
		c, r := load(t, "", config.Flags{tt.key: tt.text})
		if got := setting(t, r, tt.key).Value; got != tt.want {
			t.Errorf("%s %q is shown as %q, want %q", tt.key, tt.text, got, tt.want)
		}
		revealed := c.Database.URL.Reveal() + c.Redis.URL.Reveal() + c.Security.SecretKey.Reveal()
		if revealed != tt.text {
			t.Errorf("%s reveals %q, want %q", tt.key, revealed, tt.text)
		}
	}
}

func TestAPasswordOnTheCommandLineIsWarnedOf(t *testing.T) {
	t.Parallel()
	for url, warned := range map[string]bool{
		"postgres://authy:hunter2@db/authy":            true,
		"postgres://authy@db/authy?password=hunter2":   true,
		"postgres://authy@db/authy?passfile=/run/pass": false,
		"postgres://authy@db/authy":                    false,
		"sqlite:///var/lib/authy/authy.db":             false,
	} {
		_, r := load(t, "", config.Flags{"database.url": url})
		got := strings.Join(r.Warnings(), " ")
		if (got != "") != warned || strings.Contains(got, "hunter2") || warned && !strings.Contains(got, "set AUTHY_DATABASE_URL_FILE") {
			t.Errorf("%s: warned %q, want %v", url, got, warned)
		}
		if _, r := load(t, "database.url = '"+url+"'", nil); len(r.Warnings()) > 0 {
			t.Errorf("%s in a file: %q", url, r.Warnings())
		}
	}
}
