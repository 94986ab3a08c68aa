// Package place tells roughly where in the world an address is, by a file that the
// operator keeps (MaxMind's format, such as GeoLite2-City). It asks nobody: the file is
// read into memory, and read again when it has changed. It refuses to know whose an
// address is, and nothing may be decided by what it says.
package place

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

const (
	// LookEvery is how often [Map.Reload] is to be called.
	LookEvery = time.Minute
	// maxFile is more than any such file has.
	maxFile = 1 << 30
)

// Map knows where addresses are. A nil Map knows nothing.
type Map struct {
	file    string
	current atomic.Pointer[edition]
}

// edition is the file as it was at a time.
type edition struct {
	reader  *maxminddb.Reader
	size    int64
	changed time.Time
}

// New returns the map of a file, which is not read yet, or nil if it is called "".
func New(file string) *Map {
	if file == "" {
		return nil
	}
	return &Map{file: file}
}

// Reload reads the file if it is another than the one that was read. One that is missing
// or wrong is logged, and leaves the last one in use: nobody is kept out for want of it.
func (m *Map) Reload(ctx context.Context) {
	if m == nil {
		return
	}
	next, err := m.read()
	if err != nil {
		slog.WarnContext(ctx, "places of addresses not read, trying again in a minute", "file", m.file, "err", err)
		return
	}
	if next == nil {
		return
	}
	m.current.Store(next)
	slog.InfoContext(ctx, "places of addresses read", "file", m.file,
		"type", next.reader.Metadata.DatabaseType, "built", next.reader.Metadata.BuildTime().Format(time.DateOnly))
}

// read returns what the file is now, nil if it has not changed.
func (m *Map) read() (*edition, error) {
	f, err := os.Open(m.file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it is only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	next := &edition{size: info.Size(), changed: info.ModTime()}
	if now := m.current.Load(); now != nil && now.size == next.size && now.changed.Equal(next.changed) {
		return nil, nil //nolint:nilnil // there is nothing new
	}
	if !info.Mode().IsRegular() || next.size > maxFile {
		return nil, fmt.Errorf("%s is not a file of at most 1 GiB", m.file)
	}
	// Not mapped into memory: a file that is cut off while it is copied would end the process.
	data := make([]byte, next.size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("read %s: %w", m.file, err)
	}
	next.reader, err = maxminddb.OpenBytes(data)
	if err != nil {
		return nil, fmt.Errorf("%s is not a MaxMind database: %w", m.file, err)
	}
	if kind := next.reader.Metadata.DatabaseType; !strings.Contains(kind, "City") && !strings.Contains(kind, "Country") {
		return nil, fmt.Errorf("%s holds %q; use a database of cities or countries", m.file, kind)
	}
	return next, nil
}

// record is what is read of a place.
type record struct {
	City    names `maxminddb:"city"`
	Country names `maxminddb:"country"`
}

// names are the names of a place by their languages.
type names struct {
	Names map[string]string `maxminddb:"names"`
}

// in returns the name in a language, else in English.
func (n names) in(language string) string {
	if name := n.Names[language]; name != "" {
		return name
	}
	return n.Names["en"]
}

// Of returns where an address is, "" if that is not known: city and country, or the
// country alone, in a language such as "de" if the file has it.
func (m *Map) Of(address, language string) string {
	if m == nil {
		return ""
	}
	now := m.current.Load()
	ip, err := netip.ParseAddr(address)
	if now == nil || err != nil {
		return ""
	}
	var found record
	if err := now.reader.Lookup(ip.Unmap().WithZone("")).Decode(&found); err != nil {
		return "" // an IPv6 address, in a file that has none, or a damaged record
	}
	city, country := found.City.in(language), found.Country.in(language)
	if city == "" || country == "" || city == country {
		return city + strings.TrimPrefix(country, city)
	}
	return city + ", " + country
}
