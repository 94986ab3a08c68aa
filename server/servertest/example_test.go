package servertest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"authy/server/servertest"
)

// documented is what an OpenAPI document says of bodies.
type documented struct {
	Ref     string `json:"$ref"`
	Content map[string]struct {
		Example json.RawMessage `json:"example"`
	} `json:"content"`
}

// Every operation has its errors, and an example of what is sent and answered;
// each example is one that its schema allows.
func TestEveryOperationHasExamples(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	text := servertest.Get(t, servertest.Browser(t), s.URL+"/api/openapi.json").Body
	var document struct {
		Paths map[string]map[string]struct {
			RequestBody *documented           `json:"requestBody"`
			Responses   map[string]documented `json:"responses"`
		} `json:"paths"`
		Components struct {
			Responses map[string]documented `json:"responses"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	whole, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	schemas := jsonschema.NewCompiler()
	schemas.AssertFormat()
	if err := schemas.AddResource("openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	check := func(at string, d documented) {
		for kind, media := range d.Content {
			if kind != "application/json" {
				continue
			}
			schema, err := schemas.Compile("openapi.json#" + at + "/content/application~1json/schema")
			if err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(media.Example)))
			if err == nil {
				err = schema.Validate(value)
			}
			if err != nil {
				t.Errorf("%s: example %s: %v", at, media.Example, err)
			}
		}
	}
	for path, methods := range document.Paths {
		if !strings.HasPrefix(path, "/api/v1/") {
			continue
		}
		for method, op := range methods {
			at := "/paths/" + strings.NewReplacer("/", "~1", "{", "%7B", "}", "%7D").Replace(path) + "/" + method
			if op.RequestBody != nil {
				check(at+"/requestBody", *op.RequestBody)
			}
			for status, answer := range op.Responses {
				if answer.Ref != "" {
					if len(document.Components.Responses[status].Content) == 0 {
						t.Errorf("%s: %s leads nowhere", at, answer.Ref)
					}
					continue
				}
				check(fmt.Sprintf("%s/responses/%s", at, status), answer)
			}
			if _, ok := op.Responses["500"]; !ok || len(op.Responses) < 5 {
				t.Errorf("%s: only %d answers are described", at, len(op.Responses))
			}
		}
	}
	for status, answer := range document.Components.Responses {
		check("/components/responses/"+status, answer)
	}
}
