package api

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"

	"authy/server/fault"
)

// PageIn is how a list is asked for, page by page. A handler embeds it; the
// framework sees only embedded types that are exported.
type PageIn struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many to return at most"`
	Cursor string `query:"cursor" maxLength:"512" doc:"meta.next of the page before"`
}

// after returns the key that the page begins after, "" for the first page.
func (p PageIn) after() (string, error) {
	key, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err != nil || !utf8.Valid(key) || bytes.IndexByte(key, 0) >= 0 {
		return "", fault.Field("cursor", "Not a cursor of this list.")
	}
	return string(key), nil
}

// cursor returns the cursor of the page that begins after key.
func cursor(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

// firstOf is what a page shows of what was found, which was asked for one more
// than limit: that tells whether there are more.
func firstOf[T, V any](found []T, limit int, view func(*T) V) (views []V, more bool) {
	views = make([]V, min(limit, len(found)))
	for i := range views {
		views[i] = view(&found[i])
	}
	return views, len(found) > limit
}
