package storagetest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/storage"
)

// lentKeys are RSA keys, which take a while to find, for every database of a test
// process.
var lentKeys = sync.OnceValues(func() (keys []storage.Key, err error) {
	for _, alg := range []string{"RS256", "PS256"} {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return nil, err
		}
		public := jose.JSONWebKey{Key: private.Public()}
		sum, err := public.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, err
		}
		id := base64.RawURLEncoding.EncodeToString(sum)
		keys = append(keys, storage.Key{ID: id, Algorithm: alg, State: storage.SigningKey, Private: der})
	}
	return keys, nil
})

// LendKeys gives a database that has no keys yet the RSA keys of this process, so that
// it need not find its own.
func LendKeys(t testing.TB, db *storage.DB) {
	t.Helper()
	lent, err := lentKeys()
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *storage.Tx) error { return insertKeys(t.Context(), tx, lent) })
	if err != nil {
		t.Fatal(err)
	}
}

func insertKeys(ctx context.Context, tx *storage.Tx, lent []storage.Key) error {
	known, err := tx.Keys(ctx)
	if err != nil || len(known) > 0 {
		return err
	}
	now := storage.At(time.Now())
	for _, k := range lent {
		k.SignsAt, k.CreatedAt, k.UpdatedAt = now, now, now
		if err := tx.InsertKey(ctx, &k); err != nil {
			return err
		}
	}
	return nil
}
