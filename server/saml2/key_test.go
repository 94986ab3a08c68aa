package saml2

import (
	"crypto/x509"
	"errors"
	"sync"
	"testing"
	"time"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

func certificates(keys []*Key) (certs []*x509.Certificate) {
	for _, key := range keys {
		certs = append(certs, key.Certificate)
	}
	return certs
}

func TestTheFirstKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		nodes := []*Keys{NewKeys(db, ownURL), NewKeys(db, ownURL)}
		ids := make([]string, 4)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				key, err := nodes[i%2].signing(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = key.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id == "" || id != ids[0] {
				t.Errorf("the nodes sign with %q", ids)
				break
			}
		}
		key, err := nodes[0].signing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cert := key.Certificate
		if cert.Subject.CommonName != ownURL || cert.NotAfter.Before(time.Now().AddDate(keyYears, 0, -1)) || key.EndsSoon(time.Now()) {
			t.Errorf("the certificate is of %s until %v", cert.Subject, cert.NotAfter)
		}
		if !key.EndsSoon(cert.NotAfter.Add(-endsSoon + time.Hour)) {
			t.Error("nobody is told that it ends soon")
		}
	})
}

func TestKeysAreRotatedInTwoSteps(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		k, ctx, by := NewKeys(db, ownURL), t.Context(), audit.Shell()
		first, err := k.signing(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Rotate(ctx, audit.Actor{}, false); !errors.Is(err, ErrForbidden) {
			t.Errorf("by somebody: %v", err)
		}
		next, err := k.Rotate(ctx, by, false)
		if err != nil || next.State != storage.PublishedKey {
			t.Fatalf("%+v, %v", next, err)
		}
		if _, err := k.Rotate(ctx, by, false); !errors.Is(err, ErrComing) {
			t.Errorf("a second one: %v", err)
		}
		if signs, err := k.signing(ctx); err != nil || signs.ID != first.ID {
			t.Errorf("published, and %v signs, %v", signs.ID, err)
		}
		if key, err := k.Rotate(ctx, by, true); err != nil || key.ID != next.ID || key.State != storage.SigningKey {
			t.Errorf("now: %+v, %v", key, err)
		}
		all, err := k.List(ctx, by)
		if err != nil || len(all) != 2 || all[0].ID != next.ID || all[1].State != storage.RetiredKey {
			t.Errorf("after it: %+v, %v", all, err)
		}
		if err := k.Retire(ctx, by, next.ID); !errors.Is(err, ErrSigning) {
			t.Errorf("the key that signs: %v", err)
		}
		if err := k.Retire(ctx, by, first.ID); err != nil {
			t.Error(err)
		}
		if err := k.Retire(ctx, by, first.ID); !errors.Is(err, ErrNoKey) {
			t.Errorf("one that is gone: %v", err)
		}
		if key, err := k.Rotate(ctx, by, true); err != nil || key.State != storage.SigningKey {
			t.Errorf("at once, with none published: %+v, %v", key, err)
		}
	})
}

func TestTheMetadataHasEveryKeyAndIsSigned(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	if _, err := s.sp.keys.Rotate(t.Context(), audit.Shell(), false); err != nil {
		t.Fatal(err)
	}
	raw, err := s.sp.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseMetadata(raw, ownURL+SPMetadataPath, ServiceProvider, time.Now())
	if err != nil || len(p.Signing) != 2 || len(p.Encryption) != 1 || len(p.SLO) != 2 || !p.SignsRequests || !p.WantsAssertions ||
		len(p.ACS) != 1 || p.ACS[0].URL != ownURL+ACSPath || !p.ACS[0].IsDefault {
		t.Fatalf("%+v, %v", p, err)
	}
	if !p.vouches(raw, time.Now()) {
		t.Error("it is not signed by its own key")
	}
}

func TestARequestAsksForWhatIsNeeded(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	request := s.ask(true)
	m := s.answered(request)
	policy := only(m.root, nsProtocol, "NameIDPolicy")
	if !is(m.root, nsProtocol, "AuthnRequest") || attr(m.root, "ForceAuthn") != "true" || attr(m.root, "ID") != request.Trip.RequestID ||
		attr(m.root, "AssertionConsumerServiceURL") != ownURL+ACSPath || attr(policy, "Format") != Persistent || m.state != "state" {
		t.Errorf("the request is %s", document(t, m.root))
	}
	if got := request.URL[:len("https://idp.example/sso?a=b&SAMLRequest=")]; got != "https://idp.example/sso?a=b&SAMLRequest=" {
		t.Errorf("it goes to %s", got)
	}
}
