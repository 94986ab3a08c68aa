package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Certificate is a key pair for SAML with its certificate. Its states are those
// of a [Key]; a retired one stays until it is deleted by hand.
type Certificate struct {
	bun.BaseModel `bun:"table:certificates"`
	ID            string `bun:",pk"` // the SHA-256 of the certificate, in hexadecimal
	State         string
	Certificate   string // X.509, base64 of DER
	Sealed        string `bun:"private"`
	Private       []byte `bun:"-"` // PKCS #8; sealed in the database
	NotAfter      Time   // when the certificate ends
	CreatedAt     Time
	UpdatedAt     Time
}

// Certificates returns every certificate, the oldest first.
func (r Reader) Certificates(ctx context.Context) ([]Certificate, error) {
	return cached(r, certificatesKey, "", func() ([]Certificate, error) {
		all, err := list[Certificate](ctx, r, "created_at, id", "TRUE")
		if err != nil {
			return nil, err
		}
		for i := range all {
			all[i].Private, err = r.seals.open(certificateCell(all[i].ID), all[i].Sealed)
			if err != nil {
				return nil, err
			}
		}
		return all, nil
	})
}

// InsertCertificate adds a certificate, its key sealed; [ErrTaken] says that another
// one signs, or is published, as it would.
func (tx *Tx) InsertCertificate(ctx context.Context, c *Certificate) error {
	c.Sealed = tx.seals.seal(certificateCell(c.ID), c.Private)
	tx.changed = append(tx.changed, certificatesKey)
	return insert(ctx, tx, c)
}

// TurnCertificate takes a certificate from one state to another; it says whether
// this was the change.
func (tx *Tx) TurnCertificate(ctx context.Context, id, from, to string, now time.Time) (bool, error) {
	tx.changed = append(tx.changed, certificatesKey)
	return tx.one(ctx, "UPDATE certificates SET state = ?, updated_at = ? WHERE id = ? AND state = ?",
		to, At(now).UnixMilli(), id, from)
}

// DeleteCertificate deletes a certificate that does not sign; it says whether this
// was the change.
func (tx *Tx) DeleteCertificate(ctx context.Context, id string) (bool, error) {
	tx.changed = append(tx.changed, certificatesKey)
	return tx.one(ctx, "DELETE FROM certificates WHERE id = ? AND state <> 'signing'", id)
}

func certificateCell(id string) string { return "certificates.private." + id }
