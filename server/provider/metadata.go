package provider

import (
	"context"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// KeepMetadata keeps metadata of a SAML provider that was fetched from its URL and
// has been judged, also of one that the configuration sets: that says where it
// comes from. It is for who administers the server.
func (s *Service) KeepMetadata(ctx context.Context, by audit.Actor, slug, metadata string) error {
	now := time.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		may, err := by.Administers(ctx, tx.Reader)
		if err != nil {
			return err
		}
		p, err := find(ctx, tx.Reader, slug)
		switch {
		case err != nil:
			return err
		case !may:
			return fault.New(fault.Forbidden, "forbidden", "You may not do this.")
		case p.Kind != SAML || p.Options.MetadataURL == "":
			return fault.Field("metadata_url", "The provider has none.")
		case p.Options.Metadata == metadata:
			return nil
		}
		p.Options.Metadata, p.UpdatedAt = metadata, storage.At(now)
		if err := tx.SaveProvider(ctx, p); err != nil {
			return fmt.Errorf("keep the metadata of %s: %w", slug, err)
		}
		return audit.Record(ctx, tx, by, now, event("provider.update", p, map[string]string{"metadata": "fetched"}))
	})
}
