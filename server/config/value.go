package config

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

const redacted = "[redacted]"

// Secret is text that must not be seen in a log, a page or an error. However it
// is printed or encoded it reads "[redacted]".
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// LogValue returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format writes "[redacted]" for every verb; String alone is not asked by all.
func (Secret) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, redacted) // fmt reports no errors
}

// Duration is a length of time that is written as "24h" or "1h30m".
type Duration struct{ time.Duration }

// String returns the shortest form that UnmarshalText reads.
func (d Duration) String() string {
	text := d.Duration.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText returns what String returns.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration as [time.ParseDuration] does.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	d.Duration, err = time.ParseDuration(string(text))
	if err != nil && span.Match(text) { // it is longer than there are numbers for
		d.Duration, err = math.MaxInt64, nil
	}
	return err
}

// span is how a duration is written.
var span = regexp.MustCompile(`^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$`)

// parsePrefixes reads addresses and CIDR ranges that are separated by commas.
func parsePrefixes(text string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		p, err := parsePrefix(entry)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is neither an address nor a range such as 10.0.0.0/8", text)
	}
	if p != p.Masked() {
		return p, fmt.Errorf("%q has bits beyond its length; write %s", text, p.Masked())
	}
	return p, nil
}

func joinPrefixes(list []netip.Prefix) string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return strings.Join(texts, ", ")
}
