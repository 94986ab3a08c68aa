package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"authy/embed"
)

const (
	staticPrefix = "/static/"
	// cacheForever suits an address that names its content: other content has another address.
	cacheForever = "public, max-age=31536000, immutable"
	cacheAsk     = "no-cache"
)

// static serves the embedded style sheet, script and icons. Each file has two addresses: one that
// contains its hash and may be kept for ever, and its plain name, which a browser asks about
// again. What is made smaller by gzip is sent so to who takes it. Pages never are: the length of
// what was compressed tells of the secrets in it (the attack BREACH).
type static struct {
	byPath map[string]asset  // what is at an address; nothing else is served
	hashed map[string]string // the lasting address by the plain name
}

// asset is one file at one address.
type asset struct {
	name  string
	body  []byte
	etag  string
	cache string
	// zipped is body by gzip, nil where that is hardly less.
	zipped []byte
}

// newStatic returns what is served. The files are part of the program, so that it cannot fail on
// a program that was built.
var newStatic = sync.OnceValue(readStatic)

// readStatic reads, hashes and compresses every static file.
func readStatic() *static {
	s := &static{byPath: map[string]asset{}, hashed: map[string]string{}}
	entries, err := fs.ReadDir(embed.Static, "static")
	if err != nil {
		panic(fmt.Sprintf("impossible: list the embedded static files: %v", err))
	}
	for _, entry := range entries {
		body, err := fs.ReadFile(embed.Static, path.Join("static", entry.Name()))
		if err != nil {
			panic(fmt.Sprintf("impossible: read the embedded static file %s: %v", entry.Name(), err))
		}
		s.add(entry.Name(), body)
	}
	// Browsers ask for this one unasked, at the root.
	if icon, ok := s.byPath[staticPrefix+"favicon.ico"]; ok {
		s.byPath["/favicon.ico"] = icon
	}
	return s
}

// add gives a file its two addresses.
func (s *static) add(name string, body []byte) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:4])
	ext := path.Ext(name)
	lasting := staticPrefix + strings.TrimSuffix(name, ext) + "." + hash + ext

	file := asset{name: name, body: body, etag: hex.EncodeToString(sum[:16]), zipped: zip(body)}
	file.cache = cacheAsk
	s.byPath[staticPrefix+name] = file
	file.cache = cacheForever
	s.byPath[lasting] = file
	s.hashed[name] = lasting
}

// url is the lasting address of a file, for a page that refers to it. A name that is not embedded
// gets its plain address, where there is nothing.
func (s *static) url(name string) string {
	if lasting, ok := s.hashed[name]; ok {
		return lasting
	}
	return staticPrefix + name
}

// ServeHTTP answers exactly the known addresses. There is no directory to list and no path to
// walk out of.
func (s *static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := s.byPath[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", contentType(file.name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", file.cache)
	body := file.body
	if file.zipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if takesGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body, file.etag = file.zipped, file.etag+"-gzip"
		}
	}
	h.Set("ETag", `"`+file.etag+`"`)
	http.ServeContent(w, r, file.name, time.Time{}, bytes.NewReader(body))
}

// zip is body by gzip, nil where that saves less than a tenth.
func zip(body []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(fmt.Sprintf("impossible: the level of gzip: %v", err))
	}
	// A buffer takes everything.
	_, _ = w.Write(body)
	_ = w.Close()
	if out.Len() > len(body)*9/10 {
		return nil
	}
	return out.Bytes()
}

// takesGzip reports whether a header Accept-Encoding allows gzip
// (RFC 9110, section 12.5.3).
func takesGzip(accepts string) bool {
	other := false
	for coding := range strings.SplitSeq(accepts, ",") {
		name, weight, _ := strings.Cut(coding, ";")
		_, q, _ := strings.Cut(weight, "=")
		value, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		takes := err != nil || value > 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			return takes
		case "*":
			other = takes
		}
	}
	return other
}

// contentType names the type by the extension. The table is ours because the one of the system
// differs from machine to machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".ico":
		return "image/x-icon"
	default:
		return "application/octet-stream"
	}
}
