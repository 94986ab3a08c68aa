package place

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// namesOf are the names of a place in languages.
func namesOf(pairs ...string) mmdbtype.Map {
	all := mmdbtype.Map{}
	for i := 0; i < len(pairs); i += 2 {
		all[mmdbtype.String(pairs[i])] = mmdbtype.String(pairs[i+1])
	}
	return mmdbtype.Map{"names": all}
}

// write makes a file in which 192.0.2.0/24 is in a city, and others only in a country.
func write(t *testing.T, file, kind, city string) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	switzerland := namesOf("en", "Switzerland", "de", "Schweiz")
	for network, record := range map[string]mmdbtype.Map{
		"192.0.2.0/24":    {"city": namesOf("en", city), "country": switzerland},
		"198.51.100.0/24": {"country": switzerland},
		"203.0.113.0/24":  {"city": namesOf("en", "Singapore"), "country": namesOf("en", "Singapore")},
		"2001:db8::/32":   {"city": namesOf("en", city), "country": switzerland},
	} {
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(n, record); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	replace(t, file, b.Bytes())
}

// replace writes a file that is newer than the last one.
func replace(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	newer := time.Now().Add(time.Duration(len(data)) * time.Second)
	if err := os.Chtimes(file, newer, newer); err != nil {
		t.Fatal(err)
	}
}

// opened returns the map of a file that was read.
func opened(t *testing.T, file string) *Map {
	t.Helper()
	m := New(file)
	m.Reload(t.Context())
	return m
}

func TestAnAddressIsSomewhere(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "City.mmdb")
	write(t, file, "GeoLite2-City", "Zurich")
	m := opened(t, file)
	for _, c := range []struct{ address, language, want string }{
		{"192.0.2.7", "en", "Zurich, Switzerland"},
		{"192.0.2.7", "de", "Zurich, Schweiz"},
		{"192.0.2.7", "fi", "Zurich, Switzerland"},
		{"::ffff:192.0.2.7", "en", "Zurich, Switzerland"},
		{"198.51.100.1", "de", "Schweiz"},
		{"203.0.113.1", "en", "Singapore"},
		{"2001:db8::1", "en", "Zurich, Switzerland"},
		{"fe80::1%eth0", "en", ""},
		{"10.0.0.1", "en", ""},
		{"", "en", ""},
		{"not an address", "en", ""},
	} {
		if got := m.Of(c.address, c.language); got != c.want {
			t.Errorf("Of(%s, %s) = %q, want %q", c.address, c.language, got, c.want)
		}
	}
}

func TestAFileThatHasChangedIsReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "City.mmdb")
	m := opened(t, file)
	look := func(why, want string) {
		t.Helper()
		m.Reload(t.Context())
		if got := m.Of("192.0.2.7", "en"); got != want {
			t.Errorf("%s: %q, want %q", why, got, want)
		}
	}
	look("there is no file yet", "")
	write(t, file, "DBIP-City-Lite", "Zurich")
	look("it has come", "Zurich, Switzerland")
	before := m.current.Load()
	look("it is the same", "Zurich, Switzerland")
	if m.current.Load() != before {
		t.Error("the same file was read twice")
	}
	write(t, file, "DBIP-City-Lite", "Winterthur")
	look("it is another", "Winterthur, Switzerland")
	replace(t, file, []byte("half a file"))
	look("it is damaged", "Winterthur, Switzerland")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	look("it is gone", "Winterthur, Switzerland")
}

func TestAWrongFileIsSaidAtTheStart(t *testing.T) {
	dir := t.TempDir()
	isp := filepath.Join(dir, "isp.mmdb")
	write(t, isp, "GeoLite2-ASN", "Zurich")
	text := filepath.Join(dir, "text.mmdb")
	replace(t, text, []byte("hello"))
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	for file, want := range map[string]string{
		filepath.Join(dir, "none.mmdb"): "no such file",
		isp:                             "use a database of cities or countries",
		text:                            "is not a MaxMind database",
		dir:                             "is not a file",
	} {
		log.Reset()
		m := opened(t, file)
		if got := m.Of("192.0.2.7", "en"); got != "" || !strings.Contains(log.String(), want) {
			t.Errorf("%s: %q, the log says %q, want %q", file, got, log.String(), want)
		}
	}
}

func TestWithoutAFileNothingIsKnown(t *testing.T) {
	t.Parallel()
	m := New("")
	m.Reload(t.Context())
	if got := m.Of("192.0.2.7", "en"); m != nil || got != "" {
		t.Errorf("%v says %q", m, got)
	}
}
