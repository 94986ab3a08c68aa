package machine

import (
	"bytes"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"authy/server/machine/machinetest"
	"authy/storage/storagetest"
)

func TestACertificateIsReadAgainWhenItsFilesFit(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	good := func() machinetest.Pair { return machinetest.Good(t, "id.example.com") }
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	first, second := good(), good()
	machinetest.Write(t, certFile, first.Cert, 0*time.Second)
	machinetest.Write(t, keyFile, first.Key, 0*time.Second)
	c, err := NewCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	step := 0
	shows := func(what string, want machinetest.Pair) {
		t.Helper()
		step++
		block, _ := pem.Decode(want.Cert)
		if got := c.get(t.Context(), now.Add(time.Duration(step)*2*time.Second)); string(got.Certificate[0]) != string(block.Bytes) {
			t.Errorf("%s: another certificate is shown", what)
		}
	}
	shows("at first", first)
	machinetest.Write(t, certFile, second.Cert[:len(second.Cert)/2], 1*time.Second)
	shows("half written", first)
	machinetest.Write(t, certFile, second.Cert, 2*time.Second)
	shows("without its key", first)
	machinetest.Write(t, keyFile, second.Key, 3*time.Second)
	shows("whole", second)
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	shows("its key is gone", second)
	machinetest.Write(t, certFile, first.Cert, 4*time.Second)
	machinetest.Write(t, keyFile, first.Key, 4*time.Second)
	if err := os.Chmod(keyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	shows("its key is open to all", second)
	if err := os.Chmod(keyFile, 0o640); err != nil {
		t.Fatal(err)
	}
	shows("mended", first)
}

func TestAWrongCertificateIsSaid(t *testing.T) {
	t.Parallel()
	now, day := time.Now(), 24*time.Hour
	good := func() machinetest.Pair { return machinetest.Good(t, "id.example.com") }
	for name, c := range map[string]struct {
		machinetest.Pair
		mode os.FileMode
		want string
	}{
		"sound":        {good(), 0o600, ""},
		"ended":        {machinetest.NewPair(t, "id.example.com", now.Add(-2*day), now.Add(-day)), 0o600, "ended at"},
		"ends soon":    {machinetest.NewPair(t, "id.example.com", now.Add(-80*day), now.Add(10*day)), 0o600, "ends at"},
		"short-lived":  {machinetest.NewPair(t, "id.example.com", now.Add(-2*day), now.Add(4*day)), 0o600, ""},
		"to begin":     {machinetest.NewPair(t, "id.example.com", now.Add(day), now.Add(90*day)), 0o600, "begins at"},
		"another host": {machinetest.NewPair(t, "example.org", now.Add(-day), now.Add(90*day)), 0o600, "is not for the host of public_url"},
		"open key":     {good(), 0o604, "can be read by every user; run chmod"},
		"no key":       {machinetest.Pair{Cert: good().Cert, Key: []byte("x")}, 0o600, "cannot be used"},
		"another key":  {machinetest.Pair{Cert: good().Cert, Key: good().Key}, 0o600, "does not match"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			g := Ground{
				DB: storagetest.New(t), Host: "id.example.com",
				CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"),
			}
			machinetest.Write(t, g.CertFile, c.Cert, 0*time.Second)
			machinetest.Write(t, g.KeyFile, c.Key, 0*time.Second)
			if err := os.Chmod(g.KeyFile, c.mode); err != nil {
				t.Fatal(err)
			}
			found, err := Look(t.Context(), g, now)
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			for _, f := range found {
				said += f.Text
			}
			if (c.want == "") != (said == "") || !strings.Contains(said, c.want) {
				t.Errorf("it is said %q, want %q", said, c.want)
			}
		})
	}
}

// A certificate that has ended is shown, as it fits its key, and warned of.
func TestAnEndedCertificateThatReplacesAGoodOneIsAWarning(t *testing.T) { //nolint:paralleltest // it sets the log
	dir, now := t.TempDir(), time.Now()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write := func(p machinetest.Pair, age time.Duration) {
		machinetest.Write(t, certFile, p.Cert, age)
		machinetest.Write(t, keyFile, p.Key, age)
	}
	write(machinetest.Good(t, "id.example.com"), 0)
	c, err := NewCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	write(machinetest.NewPair(t, "id.example.com", now.Add(-48*time.Hour), now.Add(-time.Hour)), time.Second)
	c.get(t.Context(), now.Add(2*time.Second))
	if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "which has ended") {
		t.Errorf("the log has %q, want a warning", text)
	}
}
