package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// docsPage is the data of page "docs": the JSON API, from its OpenAPI document.
type docsPage struct {
	Version  string
	Groups   []docsGroup
	Refusals []docsField // what a status means, for all operations
}

// docsGroup is the operations of one noun.
type docsGroup struct {
	Name       string
	Operations []docsOperation
}

// docsOperation is one thing the API can do.
type docsOperation struct {
	Method, Path, Summary    string
	Signed                   bool   // needs a session
	Scope                    string // that a token needs to do instead, "" if none does
	Parameters, Body, Answer []docsField
	Refusals                 []docsField // status, and what it means if that is said here alone
	Sent, Answered           string      // examples, as JSON
}

// docsField is a field, a parameter or a status.
type docsField struct {
	Name, Type, Text string
	Required         bool
}

// docsTable is fields under a caption.
type docsTable struct {
	Caption string
	Fields  []docsField
}

// The parts of an OpenAPI 3.1 document that the page shows.
type (
	openAPI struct {
		Info       struct{ Version string }
		Paths      map[string]map[string]openAPIOperation
		Components struct {
			Schemas   map[string]openAPISchema
			Responses map[string]openAPIAnswer
		}
	}
	openAPIOperation struct {
		Summary    string
		Tags       []string
		Security   []map[string][]string
		Parameters []struct {
			Name, Description string
			Required          bool
			Schema            openAPISchema
		}
		RequestBody struct{ Content openAPIContent }
		Responses   map[string]openAPIAnswer
	}
	openAPIAnswer struct {
		Ref         string `json:"$ref"`
		Description string
		Content     openAPIContent
	}
	openAPIContent map[string]struct {
		Schema  openAPISchema
		Example any
	}
	openAPISchema struct {
		Ref         string `json:"$ref"`
		Type        any
		Description string
		Required    []string
		Properties  map[string]openAPISchema
		Items       *openAPISchema
	}
)

// showDocs shows what the JSON API can do.
func (wb *Web) showDocs(w http.ResponseWriter, r *http.Request) error {
	page, err := wb.docs()
	if err != nil {
		return err
	}
	wb.pages.render(w, r, http.StatusOK, "docs", wb.view(r, "API", page))
	return nil
}

// readDocs turns the OpenAPI document into a page.
func readDocs(text []byte) (docsPage, error) {
	var doc openAPI
	if err := json.Unmarshal(text, &doc); err != nil {
		return docsPage{}, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	groups := map[string]*docsGroup{}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for method, op := range doc.Paths[path] {
			name := strings.Join(op.Tags, " ")
			if groups[name] == nil {
				groups[name] = &docsGroup{Name: name}
			}
			groups[name].Operations = append(groups[name].Operations, doc.operation(method, path, op))
		}
	}
	page := docsPage{Version: doc.Info.Version}
	for _, status := range slices.Sorted(maps.Keys(doc.Components.Responses)) {
		page.Refusals = append(page.Refusals, docsField{Name: status, Text: doc.Components.Responses[status].Description})
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		g := groups[name]
		slices.SortFunc(g.Operations, func(a, b docsOperation) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
		})
		page.Groups = append(page.Groups, *g)
	}
	return page, nil
}

func (d *openAPI) operation(method, path string, op openAPIOperation) docsOperation {
	out := docsOperation{
		Method: strings.ToUpper(method), Path: path, Summary: op.Summary,
		Signed: len(op.Security) > 0, Body: d.fields(op.RequestBody.Content), Sent: example(op.RequestBody.Content),
	}
	for _, way := range op.Security {
		out.Scope += strings.Join(way["token"], " ")
	}
	for _, p := range op.Parameters {
		out.Parameters = append(out.Parameters, docsField{
			Name: p.Name, Type: d.kind(p.Schema), Text: cmp.Or(p.Description, p.Schema.Description), Required: p.Required,
		})
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		answer := op.Responses[status]
		if strings.HasPrefix(status, "2") {
			out.Answer, out.Answered = d.data(answer.Content), example(answer.Content)
			continue
		}
		out.Refusals = append(out.Refusals, docsField{Name: status, Text: strings.TrimSuffix(answer.Description, ".")})
	}
	return out
}

// example returns the example of a body, "" if it has none.
func example(content openAPIContent) string {
	shown := content["application/json"].Example
	if shown == nil {
		return ""
	}
	var text strings.Builder
	out := json.NewEncoder(&text)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false) // the template does
	if err := out.Encode(shown); err != nil {
		return ""
	}
	return strings.TrimSpace(text.String())
}

// fields returns the fields of an object.
func (d *openAPI) fields(content openAPIContent) []docsField {
	var out []docsField
	s := d.resolve(content["application/json"].Schema)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		out = append(out, docsField{
			Name: name, Type: d.kind(p), Text: p.Description, Required: slices.Contains(s.Required, name),
		})
	}
	return out
}

// data returns the fields of what an envelope holds.
func (d *openAPI) data(content openAPIContent) []docsField {
	envelope := d.resolve(content["application/json"].Schema)
	inner, ok := envelope.Properties["data"]
	if !ok {
		return nil
	}
	return d.fields(openAPIContent{"application/json": {Schema: inner}})
}

// resolve follows a reference.
func (d *openAPI) resolve(s openAPISchema) openAPISchema {
	if known, ok := d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]; ok {
		return known
	}
	return s
}

// kind says what a value looks like: "string", "list of session", ….
func (d *openAPI) kind(s openAPISchema) string {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return strings.ToLower(name)
	}
	if s.Items != nil {
		return "list of " + d.kind(*s.Items)
	}
	switch kind := s.Type.(type) {
	case string:
		return kind
	case []any:
		words := make([]string, len(kind))
		for i, word := range kind {
			words[i] = fmt.Sprint(word)
		}
		return strings.Join(words, " or ")
	}
	return "any"
}
