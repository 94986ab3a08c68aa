package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/config"
)

const goodKey = "0f5a2c7e91b34d68a0c2e4f617283940"

func TestASecretInAFileThatEverybodyCanReadIsWarnedOf(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes are not what counts there")
	}
	mounted := filepath.Join(t.TempDir(), "..2026_11_27")
	if err := os.Mkdir(mounted, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir    string
		mode   os.FileMode
		warned bool
	}{
		"for all":        {t.TempDir(), 0o644, true},
		"to be written":  {t.TempDir(), 0o602, true},
		"for the owner":  {t.TempDir(), 0o600, false},
		"for a group":    {t.TempDir(), 0o640, false},
		"in a container": {mounted, 0o644, false},
	} {
		path := filepath.Join(c.dir, "key")
		if err := os.WriteFile(path, []byte("a secret key that is long enough for all of this"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, r := load(t, "", nil, "AUTHY_SECURITY_SECRET_KEY_FILE="+path)
		want := "environment AUTHY_SECURITY_SECRET_KEY_FILE: every user of the machine can read " + path
		if got := strings.Join(r.Warnings(), " "); strings.HasPrefix(got, want) != c.warned || !c.warned && got != "" {
			t.Errorf("%s: warned %q, want %v", name, got, c.warned)
		}
	}
	path := filepath.Join(t.TempDir(), "listen")
	if err := os.WriteFile(path, []byte("127.0.0.1:1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, r := load(t, "", nil, "AUTHY_LISTEN_FILE="+path); len(r.Warnings()) > 0 {
		t.Errorf("of what is no secret: %q", r.Warnings())
	}
}

func TestAValueCanComeFromAFile(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"", "\n", "\r\n"} {
		path := writeFile(t, "key", goodKey+end)
		c, r := load(t, "", nil, "AUTHY_SECURITY_SECRET_KEY_FILE="+path)
		if got := c.Security.SecretKey.Reveal(); got != goodKey {
			t.Errorf("the key with the end %q = %q, want %q", end, got, goodKey)
		}
		check(t, r, config.Setting{
			Key: "security.secret_key", Value: "[set]",
			Origin: "environment AUTHY_SECURITY_SECRET_KEY_FILE",
		})
	}
}

func TestAFileThatHoldsNoValueIsRefused(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		writeFile(t, "empty", "\n"): "empty is empty",
		t.TempDir():                 "not a regular file",
		"/does/not/exist":           "/does/not/exist",
	} {
		got := refuse(t, "", nil, "AUTHY_REDIS_URL_FILE="+path)
		if !strings.HasPrefix(got, "environment AUTHY_REDIS_URL_FILE: redis.url: ") || !strings.Contains(got, want) {
			t.Errorf("the message for %s is %q, want %q", path, got, want)
		}
	}
}

func TestAValueAndItsFileAreNotBothSet(t *testing.T) {
	t.Parallel()
	got := refuse(t, "", nil, "AUTHY_LISTEN=:1", "AUTHY_LISTEN_FILE=/x")
	want := "environment: both AUTHY_LISTEN and AUTHY_LISTEN_FILE are set; unset one of them"
	if got != want {
		t.Errorf("the message is %q, want %q", got, want)
	}
}

func TestAnEmptyVariableCountsAsNotSet(t *testing.T) {
	t.Parallel()
	c, r := load(t, "listen = ':1'", nil,
		"AUTHY_LISTEN=", "AUTHY_LISTEN_FILE=", "AUTHY_SECURITY_BCRYPT_COST=", "SECRET_KEY=")
	if c.Listen != ":1" || len(r.Warnings()) != 0 {
		t.Errorf("listen = %q with the warnings %q, want :1 and none", c.Listen, r.Warnings())
	}
}

func TestAnUnknownVariableIsRefusedWithTheNearestName(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		"AUTHY_METRICS_TOKEN=x": `environment: unknown variable AUTHY_METRICS_TOKEN; did you mean "AUTHY_METRICS_TOKEN_FILE"?`,
		"AUTHY_TLS_CERT=x":      `environment: unknown variable AUTHY_TLS_CERT; did you mean "AUTHY_TLS_CERT_FILE"?`,
		"AUTHY_LISTN=x":         `environment: unknown variable AUTHY_LISTN; did you mean "AUTHY_LISTEN"?`,
		"AUTHY_BCRYPT_COST=9":   `environment: unknown variable AUTHY_BCRYPT_COST; did you mean "AUTHY_SECURITY_BCRYPT_COST"?`,
		"AUTHY_SECURITY_SECRET_KEYFILE=/x": "environment: unknown variable AUTHY_SECURITY_SECRET_KEYFILE" +
			`; did you mean "AUTHY_SECURITY_SECRET_KEY_FILE"?`,
		"AUTHY_PORT=8080": `environment: unknown variable AUTHY_PORT`,
	} {
		got := refuse(t, "", nil, entry)
		if entry == "AUTHY_PORT=8080" {
			got, _, _ = strings.Cut(got, ";")
		}
		if got != want {
			t.Errorf("the message for %s is\n%s\nwant\n%s", entry, got, want)
		}
	}
}

func TestVariablesThatAreNotForTheServerAreLeftAlone(t *testing.T) {
	t.Parallel()
	load(t, "", nil,
		"AUTHY_TEST_POSTGRES=x", "HOME=/", "AUTHYX=1", "PORT=1",
		// What Kubernetes sets for services named authy and authy-redis.
		"AUTHY_SERVICE_HOST=10.0.0.1", "AUTHY_SERVICE_PORT=80", "AUTHY_SERVICE_PORT_HTTP=80",
		"AUTHY_PORT=tcp://10.0.0.1:80", "AUTHY_PORT_80_TCP=tcp://10.0.0.1:80",
		"AUTHY_PORT_80_TCP_PROTO=tcp", "AUTHY_PORT_80_TCP_ADDR=10.0.0.1",
		"AUTHY_REDIS_SERVICE_HOST=10.0.0.2", "AUTHY_REDIS_PORT=tcp://10.0.0.2:6379")
}

func TestNamesOfThePredecessorStandBetweenFileAndEnvironment(t *testing.T) {
	t.Parallel()
	text := "database.url = 'sqlite:///1.db'\nredis.url = 'redis://one'\nsecurity.secret_key = '" + goodKey + "'"
	old := []string{
		"DATABASE_URL=postgresql://u:p@db/authy", "REDIS_URL=redis://two:6379/0", "SECRET_KEY=x" + goodKey,
	}
	c, r := load(t, text, nil, old...)
	got := []string{c.Database.URL.Reveal(), c.Redis.URL.Reveal(), c.Security.SecretKey.Reveal()}
	want := []string{"postgresql://u:p@db/authy", "redis://two:6379/0", "x" + goodKey}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the old names differ (-want +got):\n%s", diff)
	}
	check(t, r, config.Setting{Key: "security.secret_key", Value: "[set]", Origin: "environment SECRET_KEY"})
	wantWarnings := []string{
		"DATABASE_URL is an old name; use AUTHY_DATABASE_URL instead.",
		"REDIS_URL is an old name; use AUTHY_REDIS_URL instead.",
		"SECRET_KEY is an old name; use AUTHY_SECURITY_SECRET_KEY instead.",
	}
	if diff := cmp.Diff(wantWarnings, r.Warnings()); diff != "" {
		t.Errorf("Warnings() differ (-want +got):\n%s", diff)
	}

	c, _ = load(t, text, nil, append(old, "AUTHY_REDIS_URL=redis://three")...)
	if got := c.Redis.URL.Reveal(); got != "redis://three" {
		t.Errorf("redis.url = %q, want that of the new name", got)
	}
}

func TestAPathThatThePredecessorReadOtherwiseIsWarnedOf(t *testing.T) {
	t.Parallel()
	_, r := load(t, "", nil, "DATABASE_URL=sqlite:///x.db")
	want := "DATABASE_URL names the absolute path /x.db; for a relative one write sqlite://x.db."
	if got := r.Warnings(); len(got) != 2 || got[1] != want {
		t.Errorf("Warnings() = %q, want %q second", got, want)
	}
	_, r = load(t, "", nil, "DATABASE_URL=sqlite:////var/x.db")
	if got := r.Warnings(); len(got) != 1 {
		t.Errorf("Warnings() = %q, want only that of the name", got)
	}
}
