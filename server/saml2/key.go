package saml2

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"authy/server/audit"
	"authy/server/steady"
	"authy/storage"
)

const (
	// keyBits is the size of the server's RSA keys, and the least of others'.
	keyBits = 2048
	// keyYears is how long a certificate is valid: peers keep it by hand, and few
	// look at its end.
	keyYears = 10
	// endsSoon is how long before the end of a certificate one should rotate.
	endsSoon = 90 * 24 * time.Hour
)

// Keys holds the server's keys for SAML, each with its certificate. The first is
// made when it is needed.
type Keys struct {
	db      *storage.DB
	subject string
	parsed  sync.Map // by id: private keys take a while to parse
	making  sync.Mutex
}

// NewKeys returns the keys that db holds, of the server with a public URL.
func NewKeys(db *storage.DB, publicURL string) *Keys { return &Keys{db: db, subject: publicURL} }

// Key is a key of the server's.
type Key struct {
	ID          string // the SHA-256 of the certificate
	State       string // published, signing or retired
	Certificate *x509.Certificate
	CreatedAt   time.Time
	private     *rsa.PrivateKey
}

// EndsSoon says whether the certificate has ended at now, or does within weeks.
func (k *Key) EndsSoon(now time.Time) bool { return now.Add(endsSoon).After(k.Certificate.NotAfter) }

// Signs says whether the key signs.
func (k *Key) Signs() bool { return k.State == storage.SigningKey }

// Published says whether the key signs next.
func (k *Key) Published() bool { return k.State == storage.PublishedKey }

// all returns every key, the one that signs first. There is one.
func (k *Keys) all(ctx context.Context) ([]*Key, error) {
	keys, err := k.stored(ctx)
	if err != nil || len(keys) > 0 && keys[0].State == storage.SigningKey {
		return keys, err
	}
	if err := k.makeFirst(ctx); err != nil {
		return nil, err
	}
	// The news of a key that another node has made may not have come yet.
	var rows []storage.Certificate
	err = k.db.Update(ctx, func(tx *storage.Tx) (err error) {
		rows, err = tx.Certificates(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the SAML keys: %w", err)
	}
	if len(rows) == 0 {
		return nil, errors.New("read the SAML keys: there are none")
	}
	return k.parseAll(rows)
}

// signing returns the key that signs.
func (k *Keys) signing(ctx context.Context) (*Key, error) {
	keys, err := k.all(ctx)
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

// stored returns the keys that there are, the one that signs first.
func (k *Keys) stored(ctx context.Context) ([]*Key, error) {
	rows, err := k.db.Certificates(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the SAML keys: %w", err)
	}
	return k.parseAll(rows)
}

// parseAll returns the keys of rows, the one that signs first.
func (k *Keys) parseAll(rows []storage.Certificate) ([]*Key, error) {
	keys := make([]*Key, 0, len(rows))
	for i := range rows {
		key, err := k.parse(&rows[i])
		if err != nil {
			return nil, fmt.Errorf("parse SAML key %s: %w", rows[i].ID, err)
		}
		if keys = append(keys, key); key.State == storage.SigningKey {
			keys[0], keys[len(keys)-1] = key, keys[0]
		}
	}
	return keys, nil
}

func (k *Keys) parse(row *storage.Certificate) (*Key, error) {
	if known, ok := k.parsed.Load(row.ID); ok {
		key := *known.(*Key)
		key.State = row.State
		return &key, nil
	}
	der, err := base64.StdEncoding.DecodeString(row.Certificate)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	private, err := x509.ParsePKCS8PrivateKey(row.Private)
	if err != nil {
		return nil, err
	}
	pair, is := private.(*rsa.PrivateKey)
	if !is {
		return nil, fmt.Errorf("%T is not RSA", private)
	}
	key := &Key{ID: row.ID, State: row.State, Certificate: cert, CreatedAt: row.CreatedAt.Time, private: pair}
	k.parsed.Store(row.ID, key)
	return key, nil
}

// makeFirst makes the first key. Another node may have been quicker: then its key
// stands.
func (k *Keys) makeFirst(ctx context.Context) error {
	k.making.Lock()
	defer k.making.Unlock()
	if keys, err := k.stored(ctx); err != nil || len(keys) > 0 && keys[0].State == storage.SigningKey {
		return err
	}
	now := steady.Now()
	row, err := k.draw(now)
	if err != nil {
		return err
	}
	row.State = storage.SigningKey
	err = k.db.Update(ctx, func(tx *storage.Tx) error { return insertKey(ctx, tx, audit.Server(), now, row) })
	if err != nil && !errors.Is(err, storage.ErrTaken) {
		return fmt.Errorf("store the SAML key: %w", err)
	}
	return nil
}

func insertKey(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, row *storage.Certificate) error {
	if err := tx.InsertCertificate(ctx, row); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, keyEvent("saml_key.create", row.ID, row.State))
}

func keyEvent(action, id, reason string) audit.Event {
	return audit.Event{Action: action, Reason: reason, TargetKind: "saml_key", TargetID: id}
}

// draw makes a key and its certificate, which is in no state yet.
func (k *Keys) draw(now time.Time) (*storage.Certificate, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make a SAML key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a SAML key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: k.subject},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(keyYears, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of a SAML key: %w", err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("make a SAML key: %w", err)
	}
	sum := sha256.Sum256(der)
	return &storage.Certificate{
		ID: hex.EncodeToString(sum[:]), Certificate: base64.StdEncoding.EncodeToString(der), Private: plain,
		NotAfter: storage.At(template.NotAfter), CreatedAt: storage.At(now), UpdatedAt: storage.At(now),
	}, nil
}
