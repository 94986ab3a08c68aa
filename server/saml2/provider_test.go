package saml2

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"authy/server/outbound"
	"authy/server/provider"
)

func TestAProviderIsLookedAt(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	good := s.sp.Test(t.Context(), s.p)
	for _, c := range good {
		if !c.OK {
			t.Errorf("%+v", c)
		}
	}
	if len(good) != 4 {
		t.Errorf("%d things were looked at: %+v", len(good), good)
	}
	s.p.Options.Metadata = stubMetadata()
	if bad := s.sp.Test(t.Context(), s.p); len(bad) != 1 || bad[0].OK || !strings.Contains(bad[0].Text, "certificate for signing") {
		t.Errorf("without a key: %+v", bad)
	}
}

func TestTheEntityOfMetadataIsTold(t *testing.T) {
	t.Parallel()
	good := stubMetadata(certificateOf(testKeys()[0]))
	for _, name := range []string{"", stubEntity} {
		if id, err := ReadMetadata(good, name); err != nil || id != stubEntity {
			t.Errorf("ReadMetadata(%q) = %q, %v", name, id, err)
		}
	}
	if id, err := ReadMetadata(good, "https://other.example"); err == nil || strings.Contains(err.Error(), "metadata:") {
		t.Errorf("another entity: %q, %v", id, err)
	}
}

func TestMetadataIsFetchedAnew(t *testing.T) {
	t.Parallel()
	s, keys := newStub(t), testKeys()
	doc := s.p.Options.Metadata
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(doc)) //nolint:errcheck // a test
	}))
	t.Cleanup(server.Close)
	s.sp.Outbound = outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	if _, _, err := s.sp.Fetch(t.Context(), s.p, false); !errors.Is(err, errNoMetadataURL) {
		t.Errorf("from nowhere: %v", err)
	}
	s.p.Options.MetadataURL = server.URL
	if raw, changes, err := s.sp.Fetch(t.Context(), s.p, false); err != nil || raw != doc || len(changes) > 0 {
		t.Errorf("the same: %q, %v", changes, err)
	}
	doc = stubMetadata(certificateOf(keys[1]))
	if _, changes, err := s.sp.Fetch(t.Context(), s.p, false); !errors.Is(err, ErrMetadataChanged) || len(changes) != 1 {
		t.Errorf("SA-19 another key: %q, %v", changes, err)
	}
	if raw, changes, err := s.sp.Fetch(t.Context(), s.p, true); err != nil || raw != doc || len(changes) != 2 {
		t.Errorf("accepted: %q, %v", changes, err)
	}
	s.p.Options.Metadata = strings.Replace(s.p.Options.Metadata, " entityID=", ` validUntil="2020-01-01T00:00:00Z" entityID=`, 1)
	if _, _, err := s.sp.Fetch(t.Context(), s.p, false); !errors.Is(err, ErrMetadataChanged) {
		t.Errorf("SA-19 where nothing is known any more: %v", err)
	}
	doc = strings.ReplaceAll(doc, stubEntity, "https://other.example")
	if _, _, err := s.sp.Fetch(t.Context(), s.p, true); !isBadMetadata(err) {
		t.Errorf("of somebody else: %v", err)
	}
}

// TestAnotherProviderWithTheSameNameIsAnother has two providers that call themselves the same:
// each is believed by its own keys alone.
func TestAnotherProviderWithTheSameNameIsAnother(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	other := *s.p
	other.ID, other.Slug = "other", "other"
	other.Options.Metadata = stubMetadata(certificateOf(testKeys()[1]))
	s.p.Options.Unsolicited, other.Options.Unsolicited = true, true
	s.save()
	s.insert(&other)
	s.trip = provider.Trip{ReturnURL: ownURL + ACSPath, AskedAt: time.Time{}}
	d := s.draft()
	s.sign(d.assertion, testKeys()[1])
	d.response.AddChild(d.assertion)
	p, _, err := s.sp.FinishUnsolicited(t.Context(), formOf(document(t, d.response)))
	if err != nil || p.Slug != "other" {
		t.Errorf("SA-20: it is said to come from %+v, %v", p, err)
	}
}
