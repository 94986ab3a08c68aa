package provider

import (
	"errors"
	"testing"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

func TestFetchedMetadataIsKeptForWhoAdministersTheServer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.create(audit.Shell(), Description{
			Kind: SAML, Slug: "away", Name: "Away", Issuer: "https://idp.example", Options: Options{Metadata: "<old/>"},
		})
		err := w.s.KeepMetadata(t.Context(), audit.Shell(), "away", "<new/>")
		wantField(t, "without a URL", err, "metadata_url")
		p, err := w.s.Find(t.Context(), "away")
		if err != nil {
			t.Fatal(err)
		}
		p.Options.MetadataURL, p.IsManaged = "https://idp.example/metadata", true
		if err := w.db.Update(t.Context(), func(tx *storage.Tx) error { return tx.SaveProvider(t.Context(), p) }); err != nil {
			t.Fatal(err)
		}
		f, is := fault.As(w.s.KeepMetadata(t.Context(), audit.Actor{}, "away", "<new/>"))
		if !is || f.Kind != fault.Forbidden {
			t.Errorf("by somebody: %v", f)
		}
		if err := w.s.KeepMetadata(t.Context(), audit.Shell(), "away", "<new/>"); err != nil {
			t.Errorf("of one that the configuration sets: %v", err)
		}
		if p, err = w.s.Find(t.Context(), "away"); err != nil || p.Options.Metadata != "<new/>" {
			t.Errorf("%+v, %v", p, err)
		}
		if got := w.details("provider.update"); got != `{"metadata":"fetched","slug":"away"}` {
			t.Errorf("the event says %s", got)
		}
		if err := w.s.KeepMetadata(t.Context(), audit.Shell(), "nowhere", "<new/>"); !errors.Is(err, ErrNoProvider) {
			t.Errorf("of none: %v", err)
		}
	})
}
