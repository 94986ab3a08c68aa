package servertest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Contract is a transport that holds every answer of the JSON API against the
// OpenAPI document of the server that gives it.
type Contract struct {
	next http.RoundTripper
	*reading
}

// reading is what was read of the document, and what was found.
type reading struct {
	mu         sync.Mutex
	operations []*operation // of the document, which is the same for all servers
	failure    *jsonschema.Schema
	problems   map[string]bool
}

// operation is one thing the document says the API can do.
type operation struct {
	method, template string
	path             *regexp.Regexp
	answers          map[string]*answer // by status
	seen             bool               // with a status below 400
}

type answer struct {
	schema *jsonschema.Schema // nil for what is no JSON
	types  []string           // of media
}

// NewContract returns a transport over next.
func NewContract(next http.RoundTripper) *Contract {
	return &Contract{next, &reading{problems: map[string]bool{}}}
}

// over is the same contract over another transport.
func (c *Contract) over(next http.RoundTripper) *Contract { return &Contract{next, c.reading} }

// isDescribed says whether a path is one that the document should know.
func isDescribed(path string) bool {
	return strings.HasPrefix(path, "/api/") && path != "/api/docs" && !strings.HasPrefix(path, "/api/openapi")
}

// RoundTrip implements [http.RoundTripper].
func (c *Contract) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil || !isDescribed(r.URL.Path) {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	if err := res.Body.Close(); err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
		return res, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.operations == nil {
		if err := c.read(r); err != nil {
			return nil, err
		}
	}
	if problem := c.check(r, res, body); problem != "" {
		c.problems[fmt.Sprintf("%s %s: %d %s", r.Method, r.URL.Path, res.StatusCode, problem)] = true
	}
	return res, nil
}

// broken is the rest of a body that was cut off.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// Problems are the answers that are not as the document says, and the
// operations that never answered without an error.
func (c *Contract) Problems() (wrong, untried []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, op := range c.operations {
		if !op.seen {
			untried = append(untried, op.method+" "+op.template)
		}
	}
	return slices.Sorted(maps.Keys(c.problems)), untried
}

// check says what is wrong with an answer, "" for nothing.
func (c *Contract) check(r *http.Request, res *http.Response, body []byte) string {
	op := c.operation(r.Method, r.URL.EscapedPath())
	if op == nil {
		if r.Method == http.MethodHead || res.StatusCode == http.StatusNoContent && r.Method == http.MethodOptions {
			return ""
		}
		return against(c.failure, body)
	}
	want, ok := op.answers[strconv.Itoa(res.StatusCode)]
	if !ok {
		return "is not a status that the document names: " + string(body)
	}
	if res.StatusCode < http.StatusBadRequest {
		op.seen = true
	}
	if r.Method == http.MethodHead {
		return ""
	}
	kind := res.Header.Get("Content-Type")
	if len(want.types) == 0 {
		return ""
	}
	if !slices.Contains(want.types, kind) {
		return "is " + kind + ", not one of " + strings.Join(want.types, " ")
	}
	if want.schema == nil {
		return ""
	}
	return against(want.schema, body)
}

func against(schema *jsonschema.Schema, body []byte) string {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		return err.Error() + " in " + string(body)
	}
	return ""
}

// operation finds what answers a request; a path without parameters is preferred.
func (c *Contract) operation(method, path string) *operation {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, op := range c.operations {
		if op.method == method && op.path.MatchString(path) {
			return op
		}
	}
	return nil
}

// read fetches the document from the server that a request goes to.
func (c *Contract) read(r *http.Request) error {
	at := url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: "/api/openapi.json"}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, at.String(), nil)
	if err != nil {
		return err
	}
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	c.operations, c.failure, err = readOperations(text)
	return err
}

// document is what is read of an OpenAPI document.
type document struct {
	Paths map[string]map[string]struct {
		RequestBody documentBody            `json:"requestBody"`
		Responses   map[string]documentBody `json:"responses"`
	} `json:"paths"`
	Components struct {
		Responses map[string]documentBody `json:"responses"`
	} `json:"components"`
}

type documentBody struct {
	Ref     string `json:"$ref"`
	Content map[string]struct {
		Schema  json.RawMessage `json:"schema"`
		Example any             `json:"example"`
	} `json:"content"`
}

var parameter = regexp.MustCompile(`\\\{[^}]*\\\}`)

func readOperations(text []byte) ([]*operation, *jsonschema.Schema, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, nil, err
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, nil, err
	}
	schemas := jsonschema.NewCompiler()
	schemas.AssertFormat()
	if err := schemas.AddResource("openapi.json", whole); err != nil {
		return nil, nil, err
	}
	var all []*operation
	for template, methods := range d.Paths {
		pattern := "^" + parameter.ReplaceAllString(regexp.QuoteMeta(template), "[^/]+") + "$"
		for method, described := range methods {
			op := &operation{
				method: strings.ToUpper(method), template: template, path: regexp.MustCompile(pattern),
				answers: map[string]*answer{},
			}
			for status, body := range described.Responses {
				at := []string{"paths", template, method, "responses", status}
				if name, ok := strings.CutPrefix(body.Ref, "#/components/responses/"); ok {
					at, body = []string{"components", "responses", name}, d.Components.Responses[name]
				}
				if op.answers[status], err = readAnswer(schemas, at, body); err != nil {
					return nil, nil, fmt.Errorf("%s %s: %w", method, template, err)
				}
			}
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b *operation) int {
		return cmp.Or(cmp.Compare(strings.Count(a.template, "{"), strings.Count(b.template, "{")), cmp.Compare(a.template, b.template))
	})
	failure, err := schemas.Compile("openapi.json#/components/schemas/Failure")
	return all, failure, err
}

func readAnswer(schemas *jsonschema.Compiler, at []string, body documentBody) (*answer, error) {
	a := &answer{types: slices.Sorted(maps.Keys(body.Content))}
	if _, ok := body.Content["application/json"]; !ok {
		return a, nil
	}
	var err error
	a.schema, err = schemas.Compile("openapi.json#" + pointer(append(at, "content", "application/json", "schema")...))
	return a, err
}

// pointer is a JSON pointer in a fragment (RFC 6901, section 6).
func pointer(steps ...string) string {
	var b strings.Builder
	for _, step := range steps {
		b.WriteString("/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(step)))
	}
	return b.String()
}
