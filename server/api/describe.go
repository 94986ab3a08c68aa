package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// refusals is what a status means, whatever the operation.
var refusals = map[int]struct{ text, kind, message string }{
	400: {"Something in the request is wrong: details says what, by field", "VALIDATION_ERROR", "Validation failed"},
	401: {"Nobody is signed in, or what was sent to sign in is wrong", "INVALID_TOKEN", "Invalid or expired session"},
	403: {"Whoever is signed in may not do this", "AUTHORIZATION_ERROR", "You may not do this."},
	404: {"There is none, or it is not for whoever asks", "NOT_FOUND", "Resource not found"},
	409: {"It stands against what there is already", "CONFLICT", "Email address already registered"},
	413: {"The body is larger than a mebibyte", "PAYLOAD_TOO_LARGE", "The body is larger than 1 MiB."},
	415: {"The body is not JSON", "UNSUPPORTED_MEDIA_TYPE", "Send the body as application/json."},
	429: {"Too many attempts: Retry-After says how many seconds to wait", "RATE_LIMIT_EXCEEDED", "Too many attempts. Please wait and try again."},
	500: {"Something is wrong here: an administrator finds request_id in the log", "INTERNAL_ERROR", "Something went wrong on our side."},
	503: {"Nothing was done: the database or the store cannot be reached now", "UNAVAILABLE", "The server cannot answer now. Please try again."},
	504: {"It may have been done: the database was lost before it was finished", "IN_DOUBT", "Look whether it is there before you try again."},
}

const exampleRequestID = "6f2c1f0e-5a8e-4a55-9f0e-3d1d0a6b7c11"

// describe completes the OpenAPI document, once every operation is known: each
// answer has an example, and refusals are described in one place.
func (a *API) describe() {
	document := a.huma.OpenAPI()
	document.Components.Responses = map[string]*huma.Response{}
	for status := range refusals {
		document.Components.Responses[strconv.Itoa(status)] = a.refusal(status)
	}
	a.describeUniform()
	for _, path := range document.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Post, path.Put, path.Patch, path.Delete} {
			if op != nil {
				a.describeOperation(op)
			}
		}
	}
}

// describeUniform adds what register answers where that tells nothing.
func (a *API) describeUniform() {
	op := a.huma.OpenAPI().Paths["/api/v1/auth/register"].Post
	op.Responses["202"] = &huma.Response{
		Description: "Where registration is uniform: whether there is an account or not, the rest is in a mail",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: op.Responses["201"].Content["application/json"].Schema},
		},
	}
}

// refusal describes an answer with an error.
func (a *API) refusal(status int) *huma.Response {
	r := refusals[status]
	details := map[string]any{}
	if status == http.StatusBadRequest {
		details["email"] = []any{"Not a valid email address."}
	}
	return &huma.Response{
		Description: r.text,
		Content: map[string]*huma.MediaType{"application/json": {
			Schema: &huma.Schema{Ref: "#/components/schemas/Failure"},
			Example: map[string]any{
				"version": "1.0", "success": false, "code": status, "message": r.message,
				"request_id": exampleRequestID, "error": map[string]any{"type": r.kind, "details": details},
			},
		}},
	}
}

func (a *API) describeOperation(op *huma.Operation) {
	schemas := a.huma.OpenAPI().Components.Schemas
	if body := op.RequestBody; body != nil {
		for _, media := range body.Content {
			media.Example = exampleOf(schemas, media.Schema, "")
		}
	}
	// 422 is what the framework would answer to bad input: this API answers 400.
	delete(op.Responses, strconv.Itoa(http.StatusUnprocessableEntity))
	for status, answer := range op.Responses {
		code, _ := strconv.Atoi(status) // "default" is none of ours
		if code >= http.StatusBadRequest && refusals[code].text != "" && op.Tags[0] != "health" {
			op.Responses[status] = &huma.Response{Ref: "#/components/responses/" + status}
			continue
		}
		media := answer.Content["application/json"]
		if media == nil || media.Schema == nil {
			continue
		}
		example := exampleOf(schemas, media.Schema, "")
		if envelope, ok := example.(map[string]any); ok && envelope["request_id"] != nil {
			envelope["success"], envelope["code"], envelope["message"] = true, code, op.Metadata["message"]
			if code == http.StatusAccepted && op.DefaultStatus != code {
				envelope["message"] = byMailMessage
				delete(envelope, "data")
			}
		}
		media.Example = example
	}
}

// exampleOf returns a value that a schema allows, with the examples that its
// fields have. What is optional is part of it if it has an example or is an
// object; name is the field's.
func exampleOf(schemas huma.Registry, s *huma.Schema, name string) any {
	if s.Ref != "" {
		s = schemas.SchemaFromRef(s.Ref)
	}
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	}
	switch s.Type {
	case huma.TypeObject:
		return exampleObject(schemas, s)
	case huma.TypeArray:
		return []any{exampleOf(schemas, s.Items, strings.TrimSuffix(name, "s"))}
	case huma.TypeInteger, huma.TypeNumber:
		return 1
	case huma.TypeBoolean:
		return true
	}
	return exampleText(s.Format, name)
}

func exampleObject(schemas huma.Registry, s *huma.Schema) any {
	object := map[string]any{}
	if inner, ok := s.AdditionalProperties.(*huma.Schema); ok {
		object["name"] = exampleOf(schemas, inner, "")
	}
	for name, p := range s.Properties {
		if slices.Contains(s.Required, name) || len(p.Examples) > 0 || isPart(schemas, name, p) {
			object[name] = exampleOf(schemas, p, name)
		}
	}
	if len(object) == 0 { // all is optional: show what there is
		for name, p := range s.Properties {
			object[name] = exampleOf(schemas, p, name)
		}
	}
	return object
}

// isPart says whether an optional field is an object that is worth showing.
// meta is there only where a list goes on.
func isPart(schemas huma.Registry, name string, p *huma.Schema) bool {
	return p.Ref != "" && name != "meta" && len(schemas.SchemaFromRef(p.Ref).Properties) > 0
}

// exampleTexts are texts for fields that say nothing else of themselves.
var exampleTexts = map[string]string{
	"email": "bob@acme-corp.com", "request_id": exampleRequestID, "full_name": "Bob Builder", "given_name": "Bob",
	"family_name": "Builder", "nickname": "Bob", "name": "Acme Corporation", "organization_name": "Acme Corporation",
	"slug": "acme-corp", "ip_address": "203.0.113.7", "last_login_ip": "203.0.113.7", "zoneinfo": "Europe/Zurich",
	"user_agent": "curl/8.5.0", "token": "pv7yVdK0d1xGm1nC0vZb5c0m5uQm4sJ7xkqYw2n3r4s",
	"target_kind": "user", "client_name": "Acme Internal Portal", "scope": "openid", "grant_type": "authorization_code",
	"response_type": "code", "allow": "everyone", "backup_code": "3F2A9C417B6E05D8",
}

// exampleText is a text of a format, or one that a field of a name may have.
func exampleText(format, name string) string {
	switch text := exampleTexts[name]; {
	case format == "date-time":
		return "2026-11-25T09:30:00Z"
	case format == "date":
		return "2026-11-25"
	case format == "uuid", strings.HasSuffix(name, "_id") && name != "client_id" && text == "":
		return "0193a1c2-7f00-7c3e-9d5a-5b0c6a2f4e10"
	case format == "uri", strings.HasSuffix(name, "_url"), strings.HasSuffix(name, "_uri"):
		return "https://app.example.com/"
	case strings.Contains(name, "password"):
		return "orchid lantern harbour"
	case text != "":
		return text
	}
	return "text"
}
