package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"authy/server/config"
)

func TestASecretIsNotSeenHoweverItIsPrinted(t *testing.T) {
	t.Parallel()
	c := config.Defaults()
	c.Security.SecretKey = "hunter2"
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logger.InfoContext(t.Context(), "x", "secret", c.Security.SecretKey, "all", *c)
	texts := []string{string(encoded), log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, c.Security.SecretKey), fmt.Sprintf(verb, *c))
	}
	for _, text := range texts {
		if strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("the secret is seen in %s", text)
		}
		if !strings.Contains(text, "[redacted]") {
			t.Errorf("nothing stands for the secret in %s", text)
		}
	}
	if got := c.Security.SecretKey.String(); got != "[redacted]" {
		t.Errorf("String() = %q, want [redacted]", got)
	}
}

func TestADurationIsWrittenAsShortAsItCanBeRead(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", 10 * time.Minute: "10m", time.Hour: "1h",
		90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s",
		-24 * time.Hour: "-24h",
	} {
		text, err := config.Duration{Duration: d}.MarshalText()
		if err != nil || string(text) != want {
			t.Errorf("MarshalText() of %d = %q, %v, want %q", d, text, err, want)
		}
		var back config.Duration
		if err := back.UnmarshalText(text); err != nil || back.Duration != d {
			t.Errorf("UnmarshalText(%q) = %v, %v, want %v", text, back, err, d)
		}
	}
}
