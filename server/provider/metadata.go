package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

const (
	// refreshEvery is how often the metadata of a provider is fetched by itself, and
	// refreshAgain how soon after it could not be had.
	refreshEvery = 24 * time.Hour
	refreshAgain = time.Hour
	// maxChanges is how much of what is different is recorded, in bytes.
	maxChanges = 1000
)

// errNoURL says that there is nowhere to fetch metadata from.
var errNoURL = fault.Field("metadata_url", "The provider has none.")

// Refresh fetches the metadata of a SAML provider anew and keeps it, also of one that the
// configuration sets: that says where it comes from. It returns what is different. New
// keys and addresses are a fault of the code "metadata_changed", with what is new, unless
// they are accepted or a key that was known has signed them. It is for who administers
// the server.
func (s *Service) Refresh(ctx context.Context, by audit.Actor, slug string, accept bool) (changes []string, err error) {
	may, err := by.Administers(ctx, s.db.Reader)
	if err != nil {
		return nil, err
	}
	p, err := find(ctx, s.db.Reader, slug)
	switch {
	case !may:
		return nil, ErrForbidden
	case err != nil:
		return nil, err
	case p.Kind != SAML || p.Options.MetadataURL == "":
		return nil, errNoURL
	}
	return s.refresh(ctx, by, p, accept)
}

// refresh fetches metadata, keeps it if it may, and notes what became of it.
func (s *Service) refresh(ctx context.Context, by audit.Actor, p *storage.Provider, accept bool) ([]string, error) {
	metadata, changes, cause := s.FetchSAML(ctx, p, accept)
	now := steady.Now()
	next, problem := now.Add(refreshEvery), ""
	if cause != nil {
		problem = audit.Cut(said(cause), maxChanges)
		if !isChange(cause) {
			next = now.Add(refreshAgain)
		}
	}
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := tx.SaveRefresh(ctx, p.ID, now, next, problem); err != nil {
			return fmt.Errorf("note the metadata of %s: %w", p.Slug, err)
		}
		if cause == nil {
			return keep(ctx, tx, by, now, p, metadata, changes)
		}
		if problem == p.RefreshProblem || !isChange(cause) {
			return nil // recorded before, or nothing that anybody did
		}
		event := event("provider.refresh", p, map[string]string{"changes": listed(changes)})
		event.Failed, event.Reason = true, "metadata_changed"
		return audit.Record(ctx, tx, by, now, event)
	})
	return changes, errors.Join(cause, err)
}

// keep keeps metadata of a provider in tx, unless its URL has changed meanwhile.
func keep(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, was *storage.Provider, metadata string, changes []string,
) error {
	p, err := tx.Provider(ctx, was.ID)
	if err != nil {
		return fmt.Errorf("look provider %s up: %w", was.Slug, err)
	}
	if p.Options.MetadataURL != was.Options.MetadataURL || p.Options.Metadata == metadata {
		return nil
	}
	p.Options.Metadata, p.UpdatedAt = metadata, storage.At(now)
	facts := map[string]string{"metadata": "fetched"}
	if len(changes) > 0 {
		facts["changes"] = listed(changes)
	}
	return saveAs(ctx, tx, by, now, p, facts)
}

func listed(changes []string) string { return audit.Cut(strings.Join(changes, "; "), maxChanges) }

// isChange says whether metadata is not kept because of what is new in it.
func isChange(err error) bool {
	f, is := fault.As(err)
	return is && f.Code == "metadata_changed"
}

// said is what is told of a fault, with what it says of its fields.
func said(err error) string {
	f, is := fault.As(err)
	if !is {
		return err.Error()
	}
	words := []string{}
	for _, problems := range f.Fields {
		words = append(words, problems...)
	}
	if len(words) == 0 {
		return f.Message
	}
	return strings.Join(words, " ")
}

// RefreshDue fetches the metadata that is due, each once a day on whichever node. What was
// good stays where nothing better can be had.
func (s *Service) RefreshDue(ctx context.Context) {
	all, err := s.db.AllProviders(ctx)
	if err != nil {
		slog.WarnContext(ctx, "metadata not refreshed, trying again in an hour", "err", err)
		return
	}
	now := steady.Now()
	for i := range all {
		p := &all[i]
		if p.Kind != SAML || !p.IsActive || p.Options.MetadataURL == "" || p.RefreshAt.After(now) || ctx.Err() != nil {
			continue
		}
		err := s.db.Update(ctx, func(tx *storage.Tx) error { return tx.TakeRefresh(ctx, p.ID, now, now.Add(refreshAgain)) })
		if errors.Is(err, storage.ErrNotFound) {
			continue // another node does it
		}
		if err == nil {
			_, err = s.refresh(ctx, audit.Server(), p, false)
		}
		if err != nil {
			slog.WarnContext(ctx, "metadata of an identity provider left as it is", "provider", p.Slug, "err", err)
		}
	}
}
