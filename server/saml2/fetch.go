package saml2

import (
	"context"
	"errors"
	"net/url"

	"authy/server/fault"
	"authy/server/outbound"
)

// FetchMetadata asks for the metadata of a peer. What is wrong with the URL, or
// with whoever answers there, is a fault of the field "metadata_url".
func FetchMetadata(ctx context.Context, out *outbound.Client, address string) ([]byte, error) {
	if _, err := url.Parse(address); err != nil {
		return nil, fault.Field("metadata_url", "Must be a URL.")
	}
	answer, err := out.Get(ctx, address, maxMetadata)
	if errors.Is(err, outbound.ErrURL) {
		return nil, fault.Field("metadata_url", "Must be https, and lead to an address that this server may ask.")
	}
	if err != nil {
		return nil, fault.Field("metadata_url", "Does not answer with a document of at most 1 MB.")
	}
	return answer.Body, nil
}
