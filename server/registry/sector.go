package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// sectorPatience is how long a registration waits for a document.
const sectorPatience = 5 * time.Second

// checkSector asks for the document that a registration names as its sector,
// which must list every redirect URI (OpenID Connect Core 1.0, section 8.1): its
// clients share what their users are called.
func (s *Service) checkSector(ctx context.Context, in Registration) error {
	address := in.Options.SectorIdentifierURI
	if address == "" || s.vouched {
		return nil
	}
	refused := func(problem string) error { return fault.Field("sector_identifier_uri", problem) }
	if s.Outbound == nil {
		return refused("It cannot be asked for.")
	}
	ctx, cancel := context.WithTimeout(ctx, sectorPatience)
	defer cancel()
	answer, err := s.Outbound.Get(ctx, address, MaxDocument)
	if err != nil {
		// Why is for the log alone: it could tell what is in the network here.
		logUnreachable(ctx, address, err)
		return refused("It could not be read.")
	}
	var listed []string
	if err := json.Unmarshal(answer.Body, &listed); err != nil {
		return refused("It is not a JSON array of redirect URIs.")
	}
	for _, uri := range in.RedirectURIs {
		if !slices.Contains(listed, uri) {
			return refused("It does not list " + shown(uri) + ".")
		}
	}
	return nil
}

// CheckSector asks for the document that a registration names as its sector, if the
// client that it describes has not named the same one until now.
func (s *Service) CheckSector(ctx context.Context, in Registration) error {
	in = in.normal()
	c, err := s.db.Client(ctx, in.ClientID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("look client %s up: %w", in.ClientID, err)
	}
	if err == nil && Describe(c).isSector(in) {
		return nil
	}
	return s.checkSector(ctx, in)
}

// errMeanwhile is a change that rests on what is no longer so.
var errMeanwhile = fault.New(fault.Conflict, "changed_meanwhile", "The client was changed meanwhile. Try again.")

// checkSectorOf is checkSector for what a client becomes by change, which it
// returns: in a transaction nothing may be asked for.
func (s *Service) checkSectorOf(
	ctx context.Context, by audit.Actor, orgID, clientID string, change func(*Registration),
) (Registration, error) {
	c, err := s.managed(ctx, s.db.Reader, by, orgID, clientID)
	if err != nil {
		return Registration{}, err
	}
	before := Describe(c)
	if err := mayLetExchange(ctx, s.db.Reader, by, before.Options, changed(before, change).Options); err != nil {
		return Registration{}, err
	}
	return s.checkChange(ctx, c, change)
}

// checkChange checks what c becomes by change, which it returns, and its sector
// if that is another than before.
func (s *Service) checkChange(ctx context.Context, c *Client, change func(*Registration)) (Registration, error) {
	before := Describe(c)
	in := changed(before, change)
	err := fault.Fields(in.problems(before.AuthMethod))
	if err == nil {
		err = s.checkImplicit(before, in)
	}
	if err == nil && !before.isSector(in) {
		err = s.checkSector(ctx, in)
	}
	return in, err
}

// isSector says whether what is known of the sector of in is also true of other.
func (in Registration) isSector(other Registration) bool {
	uri := other.Options.SectorIdentifierURI
	return uri == "" || uri == in.Options.SectorIdentifierURI && slices.Equal(in.RedirectURIs, other.RedirectURIs)
}

func logUnreachable(ctx context.Context, address string, err error) {
	slog.WarnContext(ctx, "a document that a client names was not read", "url", shown(address), "err", err)
}
