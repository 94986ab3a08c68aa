package mail_test

import (
	"strings"
	"testing"

	"authy/server/config"
	"authy/server/mail"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

func TestHowTheRelayIsSpokenTo(t *testing.T) {
	t.Parallel()
	signIn := func(password string) func(*config.Mail) {
		return func(c *config.Mail) { c.Username, c.Password = "authy", config.Secret(password) }
	}
	for _, c := range []struct {
		name   string
		mode   string
		relay  func(r *servertest.Relay)
		config func(c *config.Mail)
		want   string // in the error; "" for none
	}{
		{"STARTTLS", "", nil, nil, ""},
		{"STARTTLS that is not offered", "", func(r *servertest.Relay) { r.NoTLS = true }, nil, "STARTTLS"},
		{"TLS from the start", "implicit", nil, func(c *config.Mail) { c.TLS = config.ImplicitTLS }, ""},
		{"no TLS", "", func(r *servertest.Relay) { r.NoTLS = true }, func(c *config.Mail) { c.TLS = config.NoTLS }, ""},
		{"a certificate nobody knows", "", nil, func(c *config.Mail) { c.CAFile = "" }, "certificate"},
		{"a certificate of another host", "", nil, func(c *config.Mail) { c.Host = "127.0.0.1" }, "certificate"},
		{"signing in", "", func(r *servertest.Relay) { r.Username, r.Password = "authy", "secret" }, signIn("secret"), ""},
		{"signing in wrongly", "", func(r *servertest.Relay) { r.Username, r.Password = "authy", "secret" }, signIn("guess"), "535"},
		{"not signing in", "", func(r *servertest.Relay) { r.Username, r.Password = "authy", "secret" }, nil, "530"},
		{
			"a password without TLS", "",
			func(r *servertest.Relay) { r.NoTLS, r.Username, r.Password = true, "authy", "secret" },
			func(c *config.Mail) { signIn("secret")(c); c.TLS = config.NoTLS }, "auth",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, got := new(servertest.Relay), make(chan string, 1)
			r.Start(t, c.mode, func(_, to string, _ []byte) { got <- to })
			if c.relay != nil {
				c.relay(r)
			}
			m := config.Defaults().Mail
			m.From, m.Host, m.Port, m.CAFile = "noreply@authy.example", "localhost", r.Port, r.CAFile
			if c.config != nil {
				c.config(&m)
			}
			q, err := mail.New(storagetest.New(t), publicURL, m)
			if err != nil {
				t.Fatal(err)
			}
			reply, err := q.Test(t.Context(), "bob@example.com")
			switch {
			case c.want == "" && (err != nil || !strings.Contains(reply, "queued") || <-got != "bob@example.com"):
				t.Errorf("Test = %q, %v", reply, err)
			case c.want != "" && (err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want))):
				t.Errorf("Test = %v, want an error with %q", err, c.want)
			case c.want != "" && len(got) > 0:
				t.Error("and yet the relay has it")
			}
			if would := q.Check(t.Context()); (would == nil) != (c.want == "") || would != nil && strings.Contains(would.Error(), "secret") {
				t.Errorf("Check = %v, want an error: %t", would, c.want != "")
			}
			if len(got) > 0 {
				t.Error("to check the relay sends a mail")
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestAFileWithoutCertificatesIsRefused(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"relay_test.go", "missing.pem"} {
		m := config.Defaults().Mail
		m.From, m.Host, m.CAFile = "noreply@authy.example", "localhost", file
		if _, err := mail.New(nil, publicURL, m); err == nil || !strings.HasPrefix(err.Error(), "mail.ca_file") {
			t.Errorf("New with %s = %v", file, err)
		}
	}
}
