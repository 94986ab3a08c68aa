package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"authy/server/config"
)

func TestWhatTheFileGetsWrongIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{
			"a misspelt section", "\n[securty]\nbcrypt_cost = 12",
			`authy.toml:3: unknown key "securty.bcrypt_cost"; did you mean "security.bcrypt_cost"?`,
		},
		{"a misspelt key", "public_ulr = ''", `authy.toml:1: unknown key "public_ulr"; did you mean "public_url"?`},
		{"a key outside its section", "bcrypt_cost = 9", `authy.toml:1: unknown key "bcrypt_cost"; did you mean "security.bcrypt_cost"?`},
		{"a key like no other", "zzzzzz = 1", `authy.toml:1: unknown key "zzzzzz"`},
		{"an empty unknown section", "[databases]\n[log]", `authy.toml:1: unknown key "databases"; did you mean "database"?`},
		{"an unknown inline section", "log.x = {}", `authy.toml:1: unknown key "log.x"`},
		{"an inline key", "\nlog = { lvel = 'info' }", `authy.toml:2: unknown key "log.lvel"; did you mean "log.level"?`},
		{"a path in quotes", `"log.level" = "info"`, `authy.toml:1: unknown key "\"log.level\""; did you mean "log.level"?`},
		{"a section that is a value", "security = 5", `authy.toml:1: security: expected a section; write its keys under [security]`},
		{"a section that is a list", "[[log]]\nlevel = 'info'", `authy.toml:1: log: expected a section; write its keys under [log]`},
		{"a value that is a section", "[listen]", `authy.toml:1: listen: expected a string`},
		{"a number for text", "listen = 5000", `authy.toml:1: listen: expected a string`},
		{"text for a number", "security.bcrypt_cost = '12'", `authy.toml:1: security.bcrypt_cost: expected a whole number`},
		{"a fraction for a number", "security.bcrypt_cost = 12.0", `authy.toml:1: security.bcrypt_cost: expected a whole number`},
		{"text for a claim", "rate_limit.enabled = 'yes'", `authy.toml:1: rate_limit.enabled: expected true or false`},
		{"a number for a duration", "session.lifetime = 60", `authy.toml:1: session.lifetime: expected a duration such as 90s, 10m or 24h`},
		{"text for a list", "trusted_proxies = '::1'", `authy.toml:1: trusted_proxies: expected a list of addresses and ranges`},
		{"numbers in a list", "trusted_proxies = [1]", `authy.toml:1: trusted_proxies: expected a list of addresses and ranges`},
		{
			"a name in a list", "trusted_proxies = ['proxy']",
			`authy.toml:1: trusted_proxies: "proxy" is neither an address nor a range such as 10.0.0.0/8`,
		},
		{
			"a range with host bits", "trusted_proxies = ['10.1.2.3/8']",
			`authy.toml:1: trusted_proxies: "10.1.2.3/8" has bits beyond its length; write 10.0.0.0/8`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := refuse(t, tt.text, nil); got != tt.want {
				t.Errorf("the message is\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestASyntaxErrorIsNamedWithLineAndColumn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"listen = \"x\"\nlog level":  "authy.toml:2:5: ",
		"listen = 'a'\nlisten = 'b'": "authy.toml:2:1: ",
	} {
		if got := refuse(t, text, nil); !strings.HasPrefix(got, want) {
			t.Errorf("the message for %q is %q, want %s…", text, got, want)
		}
	}
}

func TestATextWithoutQuotesIsToldHowToBeWritten(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"secret_key = hunter2", "  secret_key=127.0.0.1:80", "secret_key = 24h", "secret_key = Hunter"} {
		got := refuse(t, "[security]\n"+line+"\n", nil)
		if !strings.Contains(got, "authy.toml:2:") || !strings.Contains(got, `; a text is written secret_key = "…", in quotes`) ||
			strings.Contains(got, "unter") {
			t.Errorf("the message for %q is %q", line, got)
		}
	}
	if got := refuse(t, "[security]\nsecret_key = \"open\n", nil); strings.Contains(got, "in quotes") {
		t.Errorf("the message for quotes that do not end is %q", got)
	}
}

func TestABrokenFileRaisesNoFurtherDoubts(t *testing.T) {
	t.Parallel()
	got := refuse(t, "security.insecure_http = tru", nil, "AUTHY_PUBLIC_URL=http://id.example.com")
	if strings.Contains(got, "public_url") {
		t.Errorf("the message doubts a setting that the file may allow: %s", got)
	}
}

func TestAFileThatIsNamedMustExist(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none.toml")
	if _, _, err := config.Load(missing, nil, nil); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("Load(%s) = %v, want an error that names it", missing, err)
	}
	if _, _, err := config.Load("", nil, []string{"AUTHY_CONFIG=" + missing}); err == nil {
		t.Error("Load with AUTHY_CONFIG of a missing file succeeded")
	}
}

func TestAFileThatIsNoFileIsRefused(t *testing.T) {
	t.Parallel()
	if _, _, err := config.Load(t.TempDir(), nil, nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Load of a directory = %v", err)
	}
	large := writeFile(t, "authy.toml", strings.Repeat("#\n", 1<<20))
	if _, _, err := config.Load(large, nil, nil); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("Load of a large file = %v", err)
	}
}

func TestTheFileOfTheWorkingDirectoryIsReadUnlessAnotherIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("authy.toml", []byte("listen = ':1'"), 0o600); err != nil {
		t.Fatal(err)
	}
	byEnvironment := "AUTHY_CONFIG=" + writeFile(t, "b.toml", "listen = ':2'")
	byFlag := writeFile(t, "c.toml", "listen = ':3'")
	for _, tt := range []struct {
		file, want string
		environ    []string
	}{
		{"", ":1", nil},
		{"", ":2", []string{byEnvironment}},
		{byFlag, ":3", []string{byEnvironment}},
	} {
		c, _, err := config.Load(tt.file, nil, tt.environ)
		if err != nil || c.Listen != tt.want {
			t.Errorf("Load(%q, %q) = %v, %v, want listen %s", tt.file, tt.environ, c, err, tt.want)
		}
	}
}
