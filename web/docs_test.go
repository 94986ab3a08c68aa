package web

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const smallAPI = `{
	"openapi": "3.1.0", "info": {"title": "authy", "version": "1.2"},
	"paths": {
		"/b": {"get": {"summary": "See b", "tags": ["b"], "parameters": [
			{"name": "limit", "required": true, "schema": {"type": "integer", "description": "How many"}}],
			"responses": {"200": {"description": "OK"}}}},
		"/a": {
			"post": {"summary": "Make a", "tags": ["a"], "security": [{"session": []}, {"token": ["a:write"]}],
				"requestBody": {"content": {"application/json": {
					"schema": {"$ref": "#/components/schemas/In"}, "example": {"name": "b<c"}}}},
				"responses": {
					"201": {"description": "Made", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Envelope"}}}},
					"400": {"description": "Bad Request"}, "404": {"$ref": "#/components/responses/404"}}},
			"get": {"summary": "See a", "tags": ["a"], "responses": {}}
		}
	},
	"components": {"responses": {"404": {"description": "There is none"}}, "schemas": {
		"In": {"type": "object", "required": ["name"], "properties": {
			"name": {"type": "string", "description": "Its name"}, "note": {"type": ["string", "null"]}}},
		"Envelope": {"type": "object", "properties": {"data": {"$ref": "#/components/schemas/Out"}}},
		"Out": {"type": "object", "properties": {"things": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/In"}}}}
	}}
}`

func TestThePageSaysWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	got, err := readDocs([]byte(smallAPI))
	if err != nil {
		t.Fatal(err)
	}
	want := docsPage{Version: "1.2", Refusals: []docsField{{Name: "404", Text: "There is none"}}, Groups: []docsGroup{
		{Name: "a", Operations: []docsOperation{
			{Method: "GET", Path: "/a", Summary: "See a"},
			{
				Method: "POST", Path: "/a", Summary: "Make a", Signed: true, Scope: "a:write",
				Body: []docsField{
					{Name: "name", Type: "string", Text: "Its name", Required: true},
					{Name: "note", Type: "string or null"},
				},
				Answer:   []docsField{{Name: "things", Type: "list of in"}},
				Refusals: []docsField{{Name: "400", Text: "Bad Request"}, {Name: "404"}},
				Sent:     "{\n  \"name\": \"b<c\"\n}",
			},
		}},
		{Name: "b", Operations: []docsOperation{{
			Method: "GET", Path: "/b", Summary: "See b",
			Parameters: []docsField{{Name: "limit", Type: "integer", Text: "How many", Required: true}},
		}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	if _, err := readDocs([]byte("not JSON")); err == nil {
		t.Error("a document that is none is shown")
	}
}
