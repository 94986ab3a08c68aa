package config_test

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"authy/server/config"
)

const reference = "../../authy.example.toml"

func TestTheExampleFileHoldsEveryKeyWithItsDefault(t *testing.T) {
	t.Parallel()
	c, r, err := config.Load(reference, nil, nil)
	if err != nil {
		t.Fatalf("Load(%s) = %v", reference, err)
	}
	if diff := cmp.Diff(config.Defaults(), c, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("the example differs from the defaults (-default +example):\n%s", diff)
	}
	for _, s := range r.Settings() {
		if !strings.HasPrefix(s.Origin, reference+":") {
			t.Errorf("the example does not mention %s", s.Key)
		}
	}
}

func TestTheExampleFileExplainsEveryKeyInTheOrderOfTheReport(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	_, r, err := config.Load(reference, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, s := range r.Settings() {
		n, err := strconv.Atoi(strings.TrimPrefix(s.Origin, reference+":"))
		if err != nil {
			t.Fatalf("%s has the origin %q", s.Key, s.Origin)
		}
		if n <= last {
			t.Errorf("%s in line %d is out of order", s.Key, n)
		}
		if comment := lines[n-2]; !strings.HasPrefix(comment, "# ") || !strings.HasSuffix(comment, ".") {
			t.Errorf("no sentence stands above %s but %q", s.Key, comment)
		}
		last = n
	}
}

func TestEverySettingIsExplainedInTheWordsOfTheExampleFile(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	_, r, err := config.Load(reference, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Settings() {
		n, err := strconv.Atoi(strings.TrimPrefix(s.Origin, reference+":"))
		if err != nil {
			t.Fatalf("%s has the origin %q", s.Key, s.Origin)
		}
		var words []string
		for i := n - 2; i >= 0 && strings.HasPrefix(lines[i], "# "); i-- {
			words = append([]string{strings.TrimPrefix(lines[i], "# ")}, words...)
		}
		if diff := cmp.Diff(strings.Join(words, " "), config.Meaning(s.Key)); diff != "" {
			t.Errorf("meaning.go does not say of %s what the example says (-example +meaning.go):\n%s", s.Key, diff)
		}
	}
}

func TestASettingSaysHowToChangeItAndWhatIsWeakAboutIt(t *testing.T) {
	t.Parallel()
	c, _, err := config.Load("", config.Flags{"mail.tls": "none", "mail.host": "relay.example", "mail.from": "a@relay.example"},
		[]string{"AUTHY_PROVIDER_MY_IDP_CLIENT_SECRET=very secret", "AUTHY_PROVIDER_MY_IDP_KIND=oidc"})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]config.Setting{}
	for _, s := range config.ReportOf(c).Settings() {
		found[s.Key] = s
	}
	if s := found["mail.tls"]; s.Variable() != "AUTHY_MAIL_TLS" || !strings.HasPrefix(s.Risk, "mail.tls is none") || s.Hidden() {
		t.Errorf("mail.tls is told of as %+v", s)
	}
	if s := found["provider.my-idp.client_secret"]; s.Variable() != "AUTHY_PROVIDER_MY_IDP_CLIENT_SECRET" || !s.Hidden() ||
		s.Value != "[set]" || s.Origin != "" {
		t.Errorf("the secret of a provider is told of as %+v", s)
	}
	if s := found["database.url"]; s.Hidden() || s.Risk != "" || s.Value != "" {
		t.Errorf("database.url is told of as %+v", s)
	}
}
