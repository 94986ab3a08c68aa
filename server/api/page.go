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

// PageOut is where the next page of a list begins, after a key of the last row; the
// zero value says that there is none. What a handler answers embeds it, as it is with
// [PageIn].
type PageOut struct{ last string }

func (p PageOut) next() string { return base64.RawURLEncoding.EncodeToString([]byte(p.last)) }

// viewsOf is what a page shows of what was found.
func viewsOf[T, V any](found []T, view func(*T) V) []V {
	views := make([]V, len(found))
	for i := range found {
		views[i] = view(&found[i])
	}
	return views
}

// firstOf is what a page shows of what was found, which was asked for one more
// than limit: that tells whether there are more. The next page begins after the key of
// the last row.
func firstOf[T, V any](found []T, limit int, view func(*T) V, key func(*T) string) ([]V, PageOut) {
	if len(found) <= limit {
		return viewsOf(found, view), PageOut{}
	}
	return viewsOf(found[:limit], view), PageOut{key(&found[limit-1])}
}

// pageOf is [firstOf] for a list that is read whole, in the order of its keys, because
// it is short.
func pageOf[T, V any](all []T, in PageIn, view func(*T) V, key func(*T) string) ([]V, PageOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, PageOut{}, err
	}
	for len(all) > 0 && key(&all[0]) <= after {
		all = all[1:]
	}
	views, next := firstOf(all, in.Limit, view, key)
	return views, next, nil
}
