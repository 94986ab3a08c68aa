package openid

import (
	"context"
	"net/url"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"authy/storage"
)

// maxResources is how many resources a request may name.
const maxResources = 16

// errTarget is RFC 8707, section 2, error code invalid_target.
func errTarget() error {
	return &oidc.Error{
		ErrorType:   "invalid_target",
		Description: "the client may not have a token for this resource",
	}
}

// checkResources reads the resources that a request asks tokens for
// (RFC 8707, section 2.1).
func (p *Provider) checkResources(_ context.Context, client *storage.Client, r *Request, form url.Values) *Refusal {
	asked := form["resource"]
	if !p.mayTarget(client, asked) {
		return refuse("invalid_target", "resource", "The application may not have a token for this resource.")
	}
	r.Resources = unique(asked)
	return nil
}

// mayTarget says whether a client may have tokens for resources: those that it
// is registered for, and this server, whose userinfo is one.
func (p *Provider) mayTarget(c *storage.Client, resources []string) bool {
	return len(resources) <= maxResources && !slices.ContainsFunc(resources, func(resource string) bool {
		return !isResource(resource) || resource != p.Issuer && !has(c.Options.Resources, resource)
	})
}

// isResource says whether text is an absolute URI without a fragment
// (RFC 8707, section 2).
func isResource(text string) bool {
	if !isText(text) {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "") && u.User == nil &&
		u.Fragment == "" && text[len(text)-1] != '#'
}

// unique returns words in their order, without those that came before.
func unique(words []string) (out []string) {
	for _, word := range words {
		if !has(out, word) {
			out = append(out, word)
		}
	}
	return out
}

// narrow returns the resources that tokens of a grant are for: those asked for
// now, which must be among those of the grant if it names some (RFC 8707,
// section 2.2), or else all of the grant.
func (p *Provider) narrow(c *storage.Client, g *storage.Grant, asked []string) ([]string, error) {
	granted := g.Details.Resources
	if len(asked) == 0 {
		return granted, nil
	}
	beyond := func(resource string) bool { return len(granted) > 0 && !has(granted, resource) }
	if !p.mayTarget(c, asked) || slices.ContainsFunc(asked, beyond) {
		return nil, errTarget()
	}
	return unique(asked), nil
}

// audience is whom a token for resources is for: them, or else this server, at
// whose userinfo it can be used.
func (p *Provider) audience(resources []string) audience {
	if len(resources) == 0 {
		return audience{p.Issuer}
	}
	return resources
}
