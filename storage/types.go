package storage

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
)

// NewID returns a fresh identifier: a UUIDv7, so that new rows lie together.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Hash is how random tokens are kept: the SHA-256 of the token, base64url.
// It suits secrets of 128 bits or more; shorter ones need [DB.MAC].
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Time is an instant in UTC, kept as Unix milliseconds. The zero Time is NULL.
type Time struct{ time.Time }

// At returns t as it will be read back: UTC, in whole milliseconds.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{time.UnixMilli(t.UnixMilli()).UTC()}
}

// Value implements [driver.Valuer].
func (t Time) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UnixMilli(), nil
}

// Scan implements [database/sql.Scanner].
func (t *Time) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t = Time{}
	case int64:
		*t = Time{time.UnixMilli(v).UTC()}
	default:
		return fmt.Errorf("scan %T as an instant", src)
	}
	return nil
}

// Seconds is a duration kept as whole seconds.
type Seconds int64

// Duration returns s as a [time.Duration].
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// Ref is the id of another record, or "" for none, which is NULL.
type Ref string

// Value implements [driver.Valuer].
func (r Ref) Value() (driver.Value, error) {
	if r == "" {
		return nil, nil
	}
	return string(r), nil
}

// Scan implements [database/sql.Scanner].
func (r *Ref) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*r = ""
	case string:
		*r = Ref(v)
	case []byte:
		*r = Ref(v)
	default:
		return fmt.Errorf("scan %T as a reference", src)
	}
	return nil
}

// Words is a list of strings without white space (scopes, URIs, methods),
// kept as one text with single spaces between them.
type Words []string

// Value implements [driver.Valuer].
func (w Words) Value() (driver.Value, error) { return strings.Join(w, " "), nil }

// Scan implements [database/sql.Scanner].
func (w *Words) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*w = nil
	case string:
		*w = strings.Fields(v)
	case []byte:
		*w = strings.Fields(string(v))
	default:
		return fmt.Errorf("scan %T as words", src)
	}
	return nil
}

// String returns the words with single spaces between them.
func (w Words) String() string { return strings.Join(w, " ") }

// Phrases are texts of one word or more, such as response types. They hold no
// commas: those are kept between them.
type Phrases []string

// Value implements [driver.Valuer].
func (p Phrases) Value() (driver.Value, error) { return strings.Join(p, ","), nil }

// Scan implements [database/sql.Scanner].
func (p *Phrases) Scan(src any) error {
	var text string
	switch v := src.(type) {
	case nil:
	case string:
		text = v
	case []byte:
		text = string(v)
	default:
		return fmt.Errorf("scan %T as phrases", src)
	}
	*p = nil
	if text != "" {
		*p = strings.Split(text, ",")
	}
	return nil
}

// toJSON is how a record within a record is kept: as one JSON object, or as ""
// if it is the zero one, which then takes no room and needs no parsing.
func toJSON[T any](v T) (driver.Value, error) {
	if reflect.ValueOf(v).IsZero() {
		return "", nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// fromJSON reads what toJSON made.
func fromJSON[T any](to *T, src any) error {
	var text []byte
	switch v := src.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("scan %T as JSON", src)
	}
	*to = *new(T)
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, to)
}
