package web

import (
	"bytes"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"authy/server/brand"
)

// What of the brand is below /static/; between the two parts stands a hash of the
// content.
const (
	brandStyle, brandStyleEnd = "/static/brand.", ".css"
	brandLogo, brandLogoEnd   = "/static/brand-logo.", ".png"
)

// brandView is what the server is called and how it looks, as every page shows it.
type brandView struct {
	Name  string       // "" is authy
	Style string       // the address of the style sheet with its colours, "" for authy's own
	Logo  template.URL // its address, "" for authy's own mark
}

// Called is the name of the server.
func (b brandView) Called() string {
	if b.Name == "" {
		return brand.Name
	}
	return b.Name
}

// brandView is the brand as it is now. A page is shown without it rather than not at all.
func (wb *Web) brandView(r *http.Request) brandView {
	b, err := wb.Brand.Now(r.Context())
	if err != nil {
		slog.WarnContext(r.Context(), "page shown without the brand", "request_id", actor(r).RequestID, "err", err)
		return brandView{}
	}
	v := brandView{Name: b.Name}
	if b.Style != "" {
		v.Style = brandStyle + b.StyleHash + brandStyleEnd
	}
	if b.Logo != nil {
		v.Logo = template.URL(brandLogo + b.LogoHash + brandLogoEnd) //nolint:gosec // made here
	}
	return v
}

// branded serves the style sheet and the logo of the brand, and has next serve the rest.
// What has another hash than it has now is answered with what there is now: a page that
// was made on another node, just before a change, asks for it.
func (wb *Web) branded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		style, isStyle := between(r.URL.Path, brandStyle, brandStyleEnd)
		logo, isLogo := between(r.URL.Path, brandLogo, brandLogoEnd)
		if !isStyle && !isLogo {
			next.ServeHTTP(w, r)
			return
		}
		b, err := wb.Brand.Now(r.Context())
		switch {
		case err != nil:
			wb.fail(w, r, err)
		case isStyle && b.Style != "":
			serveBrand(w, r, "text/css; charset=utf-8", []byte(b.Style), style == b.StyleHash)
		case isLogo && b.Logo != nil:
			serveBrand(w, r, "image/png", b.Logo, logo == b.LogoHash)
		default:
			http.NotFound(w, r)
		}
	})
}

// between is what stands between the begin and the end of a path.
func between(path, begin, end string) (string, bool) {
	rest, begins := strings.CutPrefix(path, begin)
	middle, ends := strings.CutSuffix(rest, end)
	return middle, begins && ends
}

// serveBrand serves content, which lasts if its address names it.
func serveBrand(w http.ResponseWriter, r *http.Request, kind string, content []byte, lasts bool) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", cacheAsk)
	if lasts {
		h.Set("Cache-Control", cacheForever)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
