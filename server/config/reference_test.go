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
