package web

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/words"
	"authy/web/browsertest"
)

// hostiles are texts that people give themselves, their apps and organizations, so
// that pages break: each stands for everything that is typed, on every page.
var hostiles = map[string]string{
	"script":                        hostile,
	"half a tag":                    `</h1><img src=x onerror="alert(1)"`,
	"an entity":                     `&lt;script&gt;&#x3c;`,
	"a right-to-left override":      "Ada \u202egpj.exe",
	"an override out of an isolate": "Ada\u2069\u2069 \u202egpj.exe",
	"an isolate that never ends":    "Ada \u2067and\u2066 so on",
	"right-to-left marks":           "\u200f\u200fAda\u200f 12",
	"letters from right to left":    "עדה (לאבלייס) 12",
	"Arabic letters and digits":     "عادل ١٢ - ٣",
	"255 characters and no space":   strings.Repeat("W", 255),
	"255 letters of many bytes":     strings.Repeat("ß", 255),
	"emoji":                         strings.Repeat("👩‍👩‍👧‍👦🏳️‍🌈", 9),
	"marks upon marks":              "Z" + strings.Repeat("\u0351\u0348", 40),
}

// hostileView is a page of which every text is hostile.
func hostileView(name string, data any, text string) view {
	v := filled(data, text, true)
	if v.Console = consoleOf(name); v.Console != nil {
		v.Console.Area, v.Console.Notice, v.Console.Secret = text, text, text
	}
	v.Brand.Name = text
	return v
}

func TestHostileTextsAreShownAsTextAndMoveNothing(t *testing.T) {
	t.Parallel()
	for name, data := range pageData() {
		if name == "docs" {
			continue // which says nothing of anybody
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, text := range hostiles {
				body := get(t, name, hostileView(name, data, text)).Body.String()
				escaped := template.HTMLEscapeString(text)
				if strings.Contains(body, text) && escaped != text {
					t.Errorf("%s is not escaped", kind)
				}
				if !strings.Contains(body, escaped) && !strings.Contains(body, words.Straight(escaped)) {
					t.Errorf("the page shows nothing of %s", kind)
				}
				for _, line := range linesOf(t, body) {
					if mixes(line, text) {
						t.Errorf("%s moves what stands beside it: %+q", kind, line)
					}
				}
			}
		})
	}
}

// object stands for what moves as a whole in a line, and moves nothing.
const object = "\ufffc"

// mixes says whether a text that runs the other way stands in a line with something
// else, and moves it.
func mixes(line, text string) bool {
	line, text = strings.TrimSpace(line), strings.TrimSpace(text)
	return line != text && words.Isolate(text) != text && strings.Contains(line, text)
}

// isolating are the elements that the stylesheet, or the browser, isolates from the
// line that they are in. All others are lines of their own.
var isolating = []string{
	"a", "b", "bdi", "code", "small", "span", "strong", "time", "button", "input", "select", "textarea", "img", "svg",
}

// linesOf are the lines of a page, which letters from right to left move: what is
// isolated from the rest of its line is an object there.
func linesOf(t *testing.T, body string) []string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var done []string
	open := []string{""}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return done
		}
		if err != nil {
			t.Fatalf("parse page: %v\n%s", err, body)
		}
		last := len(open) - 1
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "pre" { // commands and code, which are copied as they are
				if err := d.Skip(); err != nil {
					t.Fatalf("parse page: %v", err)
				}
				continue
			}
			if slices.Contains(isolating, token.Name.Local) {
				open[last] += object
			}
			open = append(open, "")
		case xml.EndElement:
			done, open = append(done, open[last]), open[:last]
		case xml.CharData:
			open[last] += withoutIsolates(string(token))
		}
	}
}

// withoutIsolates has an object in the place of what words.Isolate isolates.
func withoutIsolates(text string) string {
	return isolates.ReplaceAllString(text, object)
}

var isolates = regexp.MustCompile("\u2068[^\u202a-\u202e\u2066-\u2069]*\u2069")

// A page must not become wider than a small phone by what somebody typed without a
// space. The pages are laid out one after another in one window.
func TestLongTextsMakeNoPageWider(t *testing.T) {
	t.Parallel()
	b := browsertest.New(t)
	data := pageData()
	static := newStatic()
	mux := http.NewServeMux()
	mux.Handle("/static/", static)
	mux.HandleFunc("/window/{console}", func(w http.ResponseWriter, r *http.Request) {
		styles := []string{"authy.css"}
		if r.PathValue("console") == "yes" {
			styles = append(styles, "console.css")
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><html lang="en"><head><title>Pages</title><link rel="icon" href="data:,">`)
		for _, style := range styles {
			fmt.Fprintf(w, `<link rel="stylesheet" href="%s">`, static.url(style))
		}
		fmt.Fprint(w, `</head><body></body></html>`)
	})
	mux.HandleFunc("/page/{name}/{kind}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		mustPages(t).render(w, r, http.StatusOK, name, hostileView(name, data[name], hostiles[r.PathValue("kind")]))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	paths := map[string][]string{}
	delete(data, "docs") // which says nothing of anybody
	for name := range data {
		window := "no"
		if consoleOf(name) != nil {
			window = "yes"
		}
		paths[window] = append(paths[window], "/page/"+name+"/255 characters and no space")
	}
	b.Show(browsertest.Narrow, "light")
	for window, paths := range paths {
		b.Do(chromedp.Navigate(s.URL + "/window/" + window))
		list, err := json.Marshal(paths)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range b.Texts("(" + tooWide + ")(" + string(list) + ")") {
			t.Error(problem)
		}
	}
}

// tooWide shows page after page, with all that can be unfolded, and says which do
// not fit. What scrolls by itself may hold more.
const tooWide = `async (paths) => {
  const bad = [];
  for (const path of paths) {
    const answer = await fetch(path);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const e of page.querySelectorAll("script, iframe")) e.remove();
    document.body.replaceWith(page.body);
    for (const d of document.querySelectorAll("details")) d.open = true;
    const { clientWidth, scrollWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) continue;
    const out = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > clientWidth
      && !e.closest(".unseen, pre, .table:not(.folds), .nav, .tabs"));
    bad.push(path + " is " + scrollWidth + " wide: " + out.slice(-3).map((e) => e.outerHTML.slice(0, 120)).join(" | "));
  }
  return bad;
}`
