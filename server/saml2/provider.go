package saml2

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/fault"
	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

// ReadMetadata judges the metadata of an identity provider, and returns the entity
// id in it: the one that is named, or the only one for "".
func ReadMetadata(metadata, entityID string) (string, error) {
	p, err := ParseMetadata([]byte(metadata), entityID, IdentityProvider, steady.Now())
	if err != nil {
		return "", errors.New(problemOf(err))
	}
	return p.EntityID, nil
}

// problemOf is what a fault says of its fields, without their names.
func problemOf(err error) string {
	f, is := errors.AsType[*fault.Error](err)
	if !is {
		return err.Error()
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(f.Fields)) {
		words = append(words, f.Fields[name]...)
	}
	return strings.TrimSuffix(strings.Join(words, " "), ".")
}

// Test looks at the metadata of a provider: whether it can be read, how long its
// certificates last, and where people are sent.
func (s *SP) Test(_ context.Context, p *storage.Provider) []provider.Check {
	now := steady.Now()
	read, err := ParseMetadata([]byte(p.Options.Metadata), p.Issuer, IdentityProvider, now)
	if err != nil {
		return []provider.Check{{Name: "metadata", Text: "It cannot be used: " + problemOf(err) + "."}}
	}
	checks := []provider.Check{{Name: "metadata", OK: true, Text: "It describes " + read.EntityID + "."}}
	for _, cert := range read.Signing {
		c := provider.Check{Name: "certificate", OK: true, Text: "It ends on " + cert.NotAfter.UTC().Format(time.DateOnly) + "."}
		switch left := cert.NotAfter.Sub(now); {
		case !valid(cert, now):
			c.OK, c.Text = false, "It is not valid now: nothing that it signed is believed. Fetch the metadata anew."
		case left < endsSoon/3:
			c.Text = "It ends in " + strconv.Itoa(int(left.Hours()/24)) + " days. Fetch the metadata anew before that."
		}
		checks = append(checks, c)
	}
	sso, _ := endpoint(read.SSO, Redirect, Post)
	return append(checks,
		provider.Check{Name: "sign_in", OK: true, Text: "People are sent to " + sso.URL + "."},
		provider.Check{Name: "entity_id", OK: true, Text: "Register this server there by " + s.EntityID() + "."})
}

// errNoMetadataURL says that there is nowhere to fetch metadata from.
var errNoMetadataURL = fault.Field("metadata_url", "The provider has none: give the metadata as a file.")

// Fetch asks for the metadata of a provider anew, and returns it with what is
// different in it. New keys and addresses are [ErrMetadataChanged], with what is
// new, unless an administrator accepts them or a key that was known has signed them.
func (s *SP) Fetch(
	ctx context.Context, p *storage.Provider, accept bool,
) (metadata string, changes []string, err error) {
	if p.Kind != provider.SAML || p.Options.MetadataURL == "" {
		return "", nil, errNoMetadataURL
	}
	raw, err := FetchMetadata(ctx, s.Outbound, p.Options.MetadataURL)
	if err != nil {
		return "", nil, err
	}
	now := steady.Now()
	known, err := ParseMetadata([]byte(p.Options.Metadata), p.Issuer, IdentityProvider, now)
	if err != nil { // it has ended: nothing of it is believed
		known = &Peer{EntityID: p.Issuer}
	}
	_, changes, err = known.Refresh(raw, IdentityProvider, accept, now)
	return string(raw), changes, err
}
