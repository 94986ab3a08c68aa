package storage

import (
	"io"
	"slices"
)

// CheckArchive reads an archive to its end and returns what it has in it, and which secret key
// it is for. It is [ErrArchive] if the archive is not exactly what was written.
func CheckArchive(in io.Reader) (*Contents, KeyMark, error) {
	a, err := newArchiveReader(in)
	if err != nil {
		return nil, "", err
	}
	for {
		more, err := a.next()
		if err != nil {
			return nil, "", err
		}
		if !more {
			return &a.contents, a.mark, nil
		}
		for row := []any{}; row != nil; {
			if row, err = a.row(); err != nil {
				return nil, "", err
			}
		}
	}
}

// KeyMark is what a secret key is known by in an archive, "" where it has none.
type KeyMark string

// Fits says whether that is the secret key. Without a mark any is.
func (m KeyMark) Fits(secretKey []byte) bool {
	return m == "" || string(m) == newSecret(secretKey).mark()
}

// noteMark keeps the mark of the secret key, if that is what a row is.
func (a *archiveReader) noteMark(row []any) {
	if a.table.Name != "meta" {
		return
	}
	name, value := slices.Index(a.table.Columns, "name"), slices.Index(a.table.Columns, "value")
	if name >= 0 && value >= 0 && row[name] == secretKeyMark {
		text, _ := row[value].(string)
		a.mark = KeyMark(text)
	}
}
