package storage

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/uptrace/bun"
)

// terms is the table of what records of a kind are found by: their key, and
// their name from each word on, so that the beginning of any word will do.
type terms struct {
	table, id string
	kept      string // the statement that reads key and name of a record
}

var (
	userTerms   = terms{"user_terms", "user_id", "SELECT email, full_name FROM users WHERE id = ?"}
	orgTerms    = terms{"organization_terms", "organization_id", "SELECT slug, name FROM organizations WHERE id = ?"}
	clientTerms = terms{"client_terms", "client_id", "SELECT client_id, name FROM clients WHERE id = ?"}
)

const (
	maxTerm  = 100 // characters of a term
	maxWords = 12  // words of a name that it is found by
)

// TermKey is the place of a record in the list of what a search finds; the
// zero key is before the first.
type TermKey struct{ Term, ID string }

// String returns the key as [ParseTermKey] reads it.
func (k TermKey) String() string { return k.Term + "\n" + k.ID }

// ParseTermKey returns the key that text stands for, the zero key for "".
func ParseTermKey(text string) (key TermKey, ok bool) {
	if text == "" {
		return TermKey{}, true
	}
	term, id, ok := strings.Cut(text, "\n")
	return TermKey{Term: term, ID: id}, ok && id != "" && text == plain(text)
}

// fold returns text as terms are compared: in small letters, with single
// spaces.
func fold(text string) string {
	return first(strings.Join(strings.Fields(strings.ToLower(plain(text))), " "))
}

// plain returns text with the replacement character for what no database takes:
// that finds nothing.
func plain(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}

// first returns the characters of text that a term keeps.
func first(text string) string {
	n := 0
	for i := range text {
		if n == maxTerm {
			return text[:i]
		}
		n++
	}
	return text
}

// termsOf returns what a record with a key and a name is found by.
func termsOf(key, name string) []string {
	found, inWord := []string{fold(key)}, false
	name = strings.Join(strings.Fields(strings.ToLower(name)), " ")
	for i, r := range name {
		isWord := unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
		if isWord && !inWord && len(found) <= maxWords {
			found = append(found, first(name[i:]))
		}
		inWord = isWord
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// index writes what a new record is found by.
func (tx *Tx) index(ctx context.Context, t terms, id, key, name string) error {
	for _, term := range termsOf(key, name) {
		_, err := tx.conn.hot(ctx, "INSERT INTO "+t.table+" (term, "+t.id+") VALUES (?, ?)", term, id)
		if err != nil {
			return translate(err)
		}
	}
	return nil
}

// reindex writes what a record is found by if it is about to change. A record
// that does not exist is found by nothing.
func (tx *Tx) reindex(ctx context.Context, t terms, id, key, name string) error {
	var oldKey, oldName string
	err := tx.conn.hotRow(ctx, t.kept, id).Scan(&oldKey, &oldName)
	if errors.Is(err, sql.ErrNoRows) || err == nil && oldKey == key && oldName == name {
		return nil
	}
	if err == nil {
		_, err = tx.conn.hot(ctx, "DELETE FROM "+t.table+" WHERE "+t.id+" = ?", id)
	}
	if err != nil {
		return translate(err)
	}
	return tx.index(ctx, t, id, key, name)
}

// search returns where at most limit records are that text finds, after a
// place. Each is listed once, under the first of its terms that fits. narrow
// leaves out what is not asked for.
func (r Reader) search(
	ctx context.Context, t terms, text string, after TermKey, limit int, narrow func(*bun.SelectQuery),
) ([]TermKey, error) {
	var found []TermKey
	err := r.searching(t, text, after, limit, narrow).Scan(ctx, &found)
	return found, translate(err)
}

func (r Reader) searching(
	t terms, text string, after TermKey, limit int, narrow func(*bun.SelectQuery),
) *bun.SelectQuery {
	begin, id := fold(text), bun.Ident(t.id)
	q := r.bun.NewSelect().Conn(r.conn).TableExpr("? AS t", bun.Ident(t.table)).
		ColumnExpr("t.term, t.? AS id", id).
		Where("t.term < ?", begin+lastLetter).
		Where("NOT EXISTS (SELECT 1 FROM ? AS s WHERE s.? = t.? AND s.term >= ? AND s.term < t.term)",
			bun.Ident(t.table), id, id, begin)
	if after.ID == "" {
		q.Where("t.term >= ?", begin)
	} else {
		q.Where("(t.term, t.?) > (?, ?)", id, max(after.Term, begin), after.ID)
	}
	narrow(q)
	return q.OrderExpr("t.term, t.?", id).Limit(int64(limit))
}

// gather returns the records of a search in its order, and where each is.
// Those that have been deleted since are left out.
func gather[T any](ctx context.Context, r Reader, found []TermKey, id func(*T) string) ([]T, []TermKey, error) {
	if len(found) == 0 {
		return nil, nil, nil
	}
	ids := make([]string, len(found))
	for i, f := range found {
		ids[i] = f.ID
	}
	records, err := list[T](ctx, r, "id", "id IN (?)", bun.List(ids))
	if err != nil {
		return nil, nil, err
	}
	byID := make(map[string]*T, len(records))
	for i := range records {
		byID[id(&records[i])] = &records[i]
	}
	out, keys := make([]T, 0, len(found)), make([]TermKey, 0, len(found))
	for _, f := range found {
		if record := byID[f.ID]; record != nil {
			out, keys = append(out, *record), append(keys, f)
		}
	}
	return out, keys, nil
}
