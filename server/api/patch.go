package api

import (
	"bytes"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
)

// patch is a text in the body of a PATCH: left out, which changes nothing;
// null, which clears it; or what it becomes.
type patch struct {
	sent bool
	text string
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *patch) UnmarshalJSON(data []byte) error {
	p.sent = true
	if bytes.Equal(data, []byte("null")) {
		p.text = ""
		return nil
	}
	return json.Unmarshal(data, &p.text)
}

// Schema implements [huma.SchemaProvider].
func (*patch) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true}
}
