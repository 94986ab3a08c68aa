package saml2

import (
	"context"
	"errors"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// What is refused of keys.
var (
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
	ErrNoKey     = fault.New(fault.NotFound, "saml_key_not_found", "There is no SAML key with this id.")
	ErrSigning   = fault.New(fault.Conflict, "saml_key_signs", "This key signs: rotate the keys first.")
	ErrComing    = fault.New(fault.Conflict, "saml_key_published",
		"The next key is published already: have it sign when every peer knows it.")
)

// List returns to who administers the server every key, the one that signs first.
func (k *Keys) List(ctx context.Context, by audit.Actor) ([]*Key, error) {
	if err := mayAdminister(ctx, k.db.Reader, by); err != nil {
		return nil, err
	}
	return k.all(ctx)
}

// Show returns to who administers the server the key with an id. [ErrNoKey] if there is none.
func (k *Keys) Show(ctx context.Context, by audit.Actor, id string) (*Key, error) {
	if err := mayAdminister(ctx, k.db.Reader, by); err != nil {
		return nil, err
	}
	return k.find(ctx, id)
}

func mayAdminister(ctx context.Context, r storage.Reader, by audit.Actor) error {
	may, err := by.Administers(ctx, r)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}

// Rotate publishes, for who administers the server, the key that signs next; with
// atOnce it has that key sign now, or a new one if none is published. The one that
// signed before is retired: it stays in the metadata, and what is encrypted to it
// is read, until [Keys.Retire]. [ErrComing] if one is published already.
func (k *Keys) Rotate(ctx context.Context, by audit.Actor, atOnce bool) (*Key, error) {
	if err := mayAdminister(ctx, k.db.Reader, by); err != nil {
		return nil, err
	}
	keys, err := k.all(ctx)
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	next, row := publishedIn(keys), (*storage.Certificate)(nil)
	switch {
	case next != "" && !atOnce:
		return nil, ErrComing
	case next == "":
		if row, err = k.draw(now); err != nil {
			return nil, err
		}
		next, row.State = row.ID, storage.PublishedKey
	}
	err = k.db.Update(ctx, func(tx *storage.Tx) error {
		if err := mayAdminister(ctx, tx.Reader, by); err != nil {
			return err
		}
		if row != nil {
			if err := insertKey(ctx, tx, by, now, row); err != nil {
				return err
			}
		}
		if !atOnce {
			return nil
		}
		return turn(ctx, tx, by, now, keys[0].ID, next)
	})
	if errors.Is(err, storage.ErrTaken) {
		return nil, ErrComing // at the same moment
	}
	if err != nil {
		return nil, err
	}
	return k.find(ctx, next)
}

func publishedIn(keys []*Key) string {
	for _, key := range keys {
		if key.State == storage.PublishedKey {
			return key.ID
		}
	}
	return ""
}

// turn retires the key that signs and has the published one sign.
func turn(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, old, next string) error {
	retired, err := tx.TurnCertificate(ctx, old, storage.SigningKey, storage.RetiredKey, now)
	if err != nil {
		return err
	}
	used, err := tx.TurnCertificate(ctx, next, storage.PublishedKey, storage.SigningKey, now)
	if err != nil {
		return err
	}
	if !retired || !used {
		return ErrComing // someone else was first
	}
	return audit.Record(ctx, tx, by, now, keyEvent("saml_key.activate", next, "by_hand"))
}

func (k *Keys) find(ctx context.Context, id string) (*Key, error) {
	keys, err := k.stored(ctx)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if key.ID == id {
			return key, nil
		}
	}
	return nil, ErrNoKey
}

// Retire takes, for who administers the server, a key that does not sign out of
// the metadata, and deletes it: what is encrypted to it is not read any more.
func (k *Keys) Retire(ctx context.Context, by audit.Actor, id string) error {
	now := steady.Now()
	return k.db.Update(ctx, func(tx *storage.Tx) error {
		if err := mayAdminister(ctx, tx.Reader, by); err != nil {
			return err
		}
		rows, err := tx.Certificates(ctx)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.ID == id && row.State == storage.SigningKey {
				return ErrSigning
			}
		}
		deleted, err := tx.DeleteCertificate(ctx, id)
		if err != nil {
			return err
		}
		if !deleted {
			return ErrNoKey
		}
		return audit.Record(ctx, tx, by, now, keyEvent("saml_key.delete", id, "by_hand"))
	})
}
