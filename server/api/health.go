package api

import "github.com/danielgtaylor/huma/v2"

// describeHealth puts the two health checks, which are served by the server
// itself, into the OpenAPI document.
func (a *API) describeHealth() {
	for _, op := range []*huma.Operation{
		{
			OperationID: "health", Path: "/api/health", Summary: "Whether the process lives",
			Responses: map[string]*huma.Response{"200": {Description: "It does. Nothing else was looked at."}},
		},
		{
			OperationID: "ready", Path: "/api/ready", Summary: "Whether requests can be served",
			Responses: map[string]*huma.Response{
				"200": {Description: "They can. Where data says that the store is failing, attempts are counted without it."},
				"503": {Description: "They cannot: data says whether database or keys are failing."},
			},
		},
		{
			OperationID: "self", Path: "/api/health/self", Summary: "Whether the server reaches itself, asked by itself alone",
			Responses: map[string]*huma.Response{
				"200": {Description: "It does. Nobody else has a challenge that is answered."},
				"400": {Description: "There is no challenge."},
				"404": {Description: "The challenge was made by another server."},
			},
		},
	} {
		op.Method, op.Tags = "GET", []string{"health"}
		a.huma.OpenAPI().AddOperation(op)
	}
}
