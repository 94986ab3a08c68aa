package servertest_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

// documentedOperation is an operation of the OpenAPI document with all that can be sent.
type documentedOperation struct {
	method, path string
	parameters   []parameter
	example      json.RawMessage // nil for no body
}

type parameter struct{ Name, In string }

// documentedOperations are all that the document of a server has, those that
// only read first.
func documentedOperations(t *testing.T, s *servertest.Server) (all []documentedOperation) {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			Parameters  []parameter `json:"parameters"`
			RequestBody documented  `json:"requestBody"`
		} `json:"paths"`
	}
	text := servertest.Get(t, http.DefaultClient, s.URL+"/api/openapi.json").Body
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	for path, methods := range document.Paths {
		for method, op := range methods {
			all = append(all, documentedOperation{
				strings.ToUpper(method), path, op.Parameters, op.RequestBody.Content["application/json"].Example,
			})
		}
	}
	if len(all) < 90 {
		t.Fatalf("%d operations", len(all))
	}
	slices.SortFunc(all, func(a, b documentedOperation) int {
		if (a.method == "GET") != (b.method == "GET") {
			return cmp.Compare(strings.Index("GET", b.method), strings.Index("GET", a.method))
		}
		return strings.Compare(a.path+a.method, b.path+b.method)
	})
	return all
}

// twin is one of two servers that are told the same.
type twin struct {
	caller
	client *http.Client
	ids    *strings.Replacer
}

// absent is the id of nothing, on both.
var absent = storage.NewID()

func newTwin(t *testing.T, engine string) twin {
	t.Helper()
	s := servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine)})
	makeAdmin(t, s, root)
	own, err := s.Orgs.BySlug(t.Context(), "tech-startup")
	if err != nil {
		t.Fatal(err)
	}
	return twin{in(t, s, root), &http.Client{Transport: &http.Transport{}}, strings.NewReplacer(
		"/organizations/{id}", "/organizations/"+own.ID, "/admin/users/{id}", "/admin/users/"+userID(t, s, frank),
		"{user}", userID(t, s, frank), "{client}", "tech-dashboard-001",
	)}
}

// answers is the status and what else is the same on both servers.
func (tw twin) answers(method, path string, body []byte) (status int, text string) {
	tw.t.Helper()
	req, err := http.NewRequestWithContext(tw.t.Context(), method, tw.s.URL+inBraces.ReplaceAllString(tw.ids.Replace(path), absent), bytes.NewReader(body))
	if err != nil {
		tw.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tw.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	page := servertest.Do(tw.t, tw.client, req)
	return page.Response.StatusCode, page.Body
}

// oddBytes cannot be part of a JSON text, or cannot be kept; they stand in it
// as they are.
var oddBytes = []string{`a\u0000b`, `\ud800`, "\xff", "\xc0\xaf", "\x00"}

// oddTexts can be text, sqlTexts mean something in SQL.
var (
	oddTexts = []string{
		"\u202egnp.exe", "\u200b", "e" + strings.Repeat("\u0301", 20_000), "", "{\"level\":\"ERROR\"}\r\n\x1b[2J%n", "9223372036854775808",
	}
	sqlTexts = []string{"' OR '1'='1", `"; DROP TABLE users;--\`, "%", "_", "$1?::text"}
)

// leaves are the paths to the strings of an example.
func leaves(v any, at string) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{at}
	case []any:
		if len(v) > 0 {
			return leaves(v[0], at+".0")
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if !strings.HasSuffix(name, "_confirm") { // says the same as another
				out = append(out, leaves(v[name], at+"."+name)...)
			}
		}
	}
	return out
}

// hole stands where a text is put into a body.
const hole = "@@hole@@"

// holed is an example with a hole at a path, and otherwise what is true.
func holed(v any, at, hereFrom string) any {
	switch v := v.(type) {
	case []any:
		out := slices.Clone(v)
		if len(out) > 0 {
			out[0] = holed(out[0], at, hereFrom+".0")
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name := range v {
			out[name] = holed(v[name], at, hereFrom+"."+name)
			if of := strings.TrimSuffix(name, "_confirm"); of != name && at == hereFrom+"."+of {
				out[name] = hole
			}
		}
		return out
	case string:
		_, name, _ := strings.Cut(hereFrom, ".")
		switch {
		case at == hereFrom:
			return hole
		case name == "password" || name == "current_password":
			return seedPassword(root)
		}
	}
	return v
}

// told are the requests that put a text into one place of an operation, by
// what is told: a raw text stands in the body without being encoded.
func (d documentedOperation) told(t *testing.T, text string, raw bool) map[string]func(tw twin) (int, string) {
	t.Helper()
	out := map[string]func(tw twin) (int, string){}
	encoded := text
	if !raw {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		encoded = string(quoted[1 : len(quoted)-1])
	}
	escaped := url.QueryEscape(text)
	if raw && strings.HasPrefix(text, `\u`) {
		escaped = "a%00b"
	}
	short := len(escaped) < 8000
	for _, p := range d.parameters {
		switch {
		case p.In == "query" && short:
			out[p.Name] = func(tw twin) (int, string) {
				return tw.answers(d.method, d.path+"?"+p.Name+"="+escaped, nil)
			}
		case p.In == "path" && short && text != "":
			out[p.Name] = func(tw twin) (int, string) {
				path := strings.Replace(d.path, "{"+p.Name+"}", strings.ReplaceAll(escaped, "+", "%20"), 1)
				return tw.answers(d.method, path, d.example)
			}
		}
	}
	if d.example == nil {
		return out
	}
	var example any
	if err := json.Unmarshal(d.example, &example); err != nil {
		t.Fatal(err)
	}
	for _, at := range leaves(example, "") {
		body, err := json.Marshal(holed(example, at, ""))
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.ReplaceAll(body, []byte(hole), []byte(encoded))
		out[at] = func(tw twin) (int, string) { return tw.answers(d.method, d.path, body) }
	}
	return out
}

// unlike is what differs between answers that say the same.
// A secret is random, and so may have any three letters in it.
var unlike = regexp.MustCompile(`"(request_id|id|hash|qr_code|challenge|[a-z_]+_(id|at))":("[^"]*"|null)|"[\w-]{32,}"`)

// inside is what no answer may show, words, as three letters are in some random text.
var inside = regexp.MustCompile(`SQLSTATE|sqlite|\b(sql|pgx|panic|huma|strconv)\b|\.go:|json:|syntax error|invalid byte`)

// compare tells an operation a text in each place, on both servers.
func (d documentedOperation) compare(t *testing.T, twins [2]twin, text string, raw bool) (tried int) {
	t.Helper()
	told, plain := d.told(t, text, raw), d.told(t, "zzq", false)
	for _, place := range slices.Sorted(maps.Keys(told)) {
		name := fmt.Sprintf("%s %s with %.40q as %s", d.method, d.path, text, place)
		var statuses [2]int
		var answers [2]string
		for i, tw := range twins {
			statuses[i], answers[i] = told[place](tw)
			answers[i] = unlike.ReplaceAllString(answers[i], "")
			if statuses[i] >= 500 || raw && statuses[i] < 400 && place[0] == '.' {
				t.Errorf("%s: %d %.300s", name, statuses[i], answers[i])
			}
			if secret := inside.FindString(answers[i]); secret != "" {
				t.Errorf("%s: shows %q in %.500s", name, secret, answers[i])
			}
			// What means something to a database finds what other text finds.
			if slices.Contains(sqlTexts, text) && d.method == "GET" && statuses[i] == 200 {
				if _, want := plain[place](tw); unlike.ReplaceAllString(want, "") != answers[i] && !strings.HasSuffix(d.path, "export") {
					t.Errorf("%s: %.300s, other text %.300s", name, answers[i], want)
				}
			}
		}
		tried++
		// Of what has happened each server has its own record.
		history := regexp.MustCompile("/(audit|activity|export)").MatchString(d.path)
		if statuses[0] != statuses[1] || d.method == "GET" && !history && answers[0] != answers[1] {
			t.Errorf("%s: SQLite %d %.300s, PostgreSQL %d %.300s", name, statuses[0], answers[0], statuses[1], answers[1])
		}
	}
	return tried
}

// HT-06, HT-26, HT-27: no text in any place of any operation breaks anything,
// or means anything to a database, and both databases answer alike.
func TestNoTextBreaksAnyOperation(t *testing.T) {
	t.Parallel()
	twins := [2]twin{newTwin(t, "sqlite"), newTwin(t, "postgres")}
	tried := 0
	for _, d := range documentedOperations(t, twins[0].s) {
		for _, text := range servertest.Some(oddBytes, 1) {
			tried += d.compare(t, twins, text, true)
		}
		for _, text := range append(servertest.Some(oddTexts, 1), servertest.Some(sqlTexts, 0)...) {
			tried += d.compare(t, twins, text, false)
		}
	}
	if tried < 400 || tried < 3000 && !servertest.Race {
		t.Errorf("only %d requests", tried)
	}
	for _, tw := range twins {
		logIn(t, tw.s, bob, bobPass).me(true)
	}
}
