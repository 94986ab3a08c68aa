package provider

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// away adds a SAML provider that the configuration sets, whose metadata is at a URL.
func (w *world) away() {
	w.t.Helper()
	w.create(audit.Shell(), Description{
		Kind: SAML, Slug: "away", Name: "Away", Issuer: "https://idp.example", Options: Options{Metadata: "<old/>"},
	})
	p := w.find("away")
	p.Options.MetadataURL, p.IsManaged = "https://idp.example/metadata", true
	if err := w.db.Update(w.t.Context(), func(tx *storage.Tx) error { return tx.SaveProvider(w.t.Context(), p) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) find(slug string) *storage.Provider {
	w.t.Helper()
	p, err := w.s.Find(w.t.Context(), slug)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// fetches has metadata fetched that is this.
func (w *world) fetches(metadata string, changes []string, err error) {
	w.s.FetchSAML = func(_ context.Context, _ *storage.Provider, accept bool) (string, []string, error) {
		if accept {
			return metadata, changes, nil
		}
		return metadata, changes, err
	}
}

var errChanged = fault.New(fault.Conflict, "metadata_changed", "The metadata has new keys or addresses.")

func TestFetchedMetadataIsKeptForWhoAdministersTheServer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.create(audit.Shell(), Description{
			Kind: SAML, Slug: "file", Name: "File", Issuer: "https://idp.example", Options: Options{Metadata: "<old/>"},
		})
		w.away()
		w.fetches("<new/>", []string{"new: signing key 12"}, errChanged)
		_, err := w.s.Refresh(t.Context(), audit.Shell(), "file", true)
		wantField(t, "without a URL", err, "metadata_url")
		_, err = w.s.Refresh(t.Context(), audit.Actor{}, "away", true)
		if f, is := fault.As(err); !is || f.Kind != fault.Forbidden {
			t.Errorf("by somebody: %v", err)
		}
		if _, err := w.s.Refresh(t.Context(), audit.Shell(), "nowhere", true); !errors.Is(err, ErrNoProvider) {
			t.Errorf("of none: %v", err)
		}
		changes, err := w.s.Refresh(t.Context(), audit.Shell(), "away", false)
		if !errors.Is(err, errChanged) || len(changes) != 1 || w.find("away").Options.Metadata != "<old/>" {
			t.Errorf("a new key: %q, %v, %+v", changes, err, w.find("away"))
		}
		if _, err = w.s.Refresh(t.Context(), audit.Shell(), "away", true); err != nil || w.find("away").Options.Metadata != "<new/>" {
			t.Errorf("a new key that is accepted: %v, %+v", err, w.find("away"))
		}
		if got := w.details("provider.update"); got != `{"changes":"new: signing key 12","metadata":"fetched","slug":"away"}` {
			t.Errorf("the event says %s", got)
		}
	})
}

func TestMetadataIsFetchedOnceADayByItself(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.away()
		var mu sync.Mutex
		asked := 0
		w.s.FetchSAML = func(context.Context, *storage.Provider, bool) (string, []string, error) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return "<new/>", nil, nil
		}
		var nodes sync.WaitGroup
		for range 3 {
			nodes.Go(func() { w.s.RefreshDue(t.Context()) })
		}
		nodes.Wait()
		w.s.RefreshDue(t.Context())
		p := w.find("away")
		if asked != 1 || p.Options.Metadata != "<new/>" || p.RefreshProblem != "" || time.Until(p.RefreshAt.Time) < 23*time.Hour {
			t.Errorf("asked %d times: %+v", asked, p)
		}
	})
}

func TestWhatIsNotKeptOfMetadataIsRecordedOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.away()
		due := func() {
			t.Helper()
			err := w.db.Update(t.Context(), func(tx *storage.Tx) error {
				return tx.SaveRefresh(t.Context(), w.find("away").ID, time.Now(), time.Now().Add(-time.Second), w.find("away").RefreshProblem)
			})
			if err != nil {
				t.Fatal(err)
			}
			w.s.RefreshDue(t.Context())
		}
		refused := func() (n int) {
			events, err := w.db.EventsMatching(t.Context(), storage.EventFilter{Action: "provider.refresh"}, storage.EventKey{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.Outcome == audit.Failure && e.Reason == "metadata_changed" && strings.Contains(e.Details, "signing key 12") {
					n++
				}
			}
			return n
		}
		w.fetches("", nil, fault.Field("metadata_url", "Does not answer."))
		due()
		p := w.find("away")
		if next := time.Until(p.RefreshAt.Time); p.RefreshProblem != "Does not answer." || next > time.Hour || refused() > 0 {
			t.Errorf("who does not answer: %+v, asked again in %v", p, next)
		}
		w.fetches("<new/>", []string{"new: signing key 12"}, errChanged)
		due()
		due()
		if p = w.find("away"); refused() != 1 || p.Options.Metadata != "<old/>" || p.RefreshProblem != errChanged.Message {
			t.Errorf("another key is recorded %d times: %+v", refused(), p)
		}
	})
}
