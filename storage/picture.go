package storage

import (
	"context"
	"database/sql/driver"
	"encoding/base64"
	"fmt"

	"github.com/uptrace/bun"
)

// Picture is the picture of a user, as JPEG in base64.
type Picture struct {
	bun.BaseModel `bun:"table:pictures"`
	ID            string `bun:",pk"` // in its address; cannot be guessed
	UserID        string // unique
	Large, Small  Bytes
	CreatedAt     Time
}

// Bytes are kept as base64.
type Bytes []byte

// Value implements [driver.Valuer].
func (b Bytes) Value() (driver.Value, error) { return base64.StdEncoding.EncodeToString(b), nil }

// Scan implements [database/sql.Scanner].
func (b *Bytes) Scan(src any) (err error) {
	switch v := src.(type) {
	case string:
		*b, err = base64.StdEncoding.DecodeString(v)
	case []byte:
		*b, err = base64.StdEncoding.AppendDecode(nil, v)
	default:
		return fmt.Errorf("scan %T as bytes", src)
	}
	return err
}

// PictureOf returns the picture of a user.
func (r Reader) PictureOf(ctx context.Context, userID string) (*Picture, error) {
	return find[Picture](ctx, r, "user_id = ?", userID)
}

// LargePicture returns the large picture with an id.
func (r Reader) LargePicture(ctx context.Context, id string) ([]byte, error) {
	return r.picture(ctx, "SELECT large FROM pictures WHERE id = ?", id)
}

// SmallPicture returns the small picture with an id.
func (r Reader) SmallPicture(ctx context.Context, id string) ([]byte, error) {
	return r.picture(ctx, "SELECT small FROM pictures WHERE id = ?", id)
}

func (r Reader) picture(ctx context.Context, query, id string) ([]byte, error) {
	if hasNUL(id) {
		return nil, errNUL
	}
	var jpeg Bytes
	err := r.conn.hotRow(ctx, query, id).Scan(&jpeg)
	return jpeg, translate(err)
}

// InsertPicture adds a picture; [ErrTaken] says that its user has one.
func (tx *Tx) InsertPicture(ctx context.Context, p *Picture) error { return insert(ctx, tx, p) }

// DeletePicture deletes the picture of a user; it says whether there was one.
func (tx *Tx) DeletePicture(ctx context.Context, userID string) (bool, error) {
	n, err := remove[Picture](ctx, tx, "user_id = ?", userID)
	return n > 0, err
}
