package api

import (
	"github.com/danielgtaylor/huma/v2"

	"authy/server/registry"
)

// ClientOptions are the further settings of a client, by the names of RFC 7591
// and its kin; one that is not set is left out. The framework sees only embedded
// types that are exported.
type ClientOptions struct {
	registry.Metadata
	registry.Granted
}

// keySet describes [registry.KeySet].
type keySet struct{}

// Schema implements [huma.SchemaProvider].
func (*keySet) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Nullable: true, AdditionalProperties: true,
		Description: "A JWK Set of public keys (RFC 7517, section 5); null unsets it",
	}
}

// writeOptions writes what was sent to the description of a client.
func (o *ClientOptions) writeOptions(c *registry.Registration) {
	o.Metadata.WriteTo(c)
	o.Granted.WriteTo(c)
}

// optionsOf returns the further settings of a client.
func optionsOf(c *registry.Client) ClientOptions {
	return ClientOptions{registry.MetadataOf(c), registry.GrantedTo(c)}
}
