package server

import (
	"context"

	"authy/server/audit"
	"authy/server/importer"
)

// Import brings what another server has here, and says what became of it.
func (s *Services) Import(
	ctx context.Context, by audit.Actor, records *importer.Records, o importer.Options,
) (*importer.Report, error) {
	return importer.New(s.DB, s.Accounts, s.Orgs, s.Clients).Import(ctx, by, records, o)
}
