package storage

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An archive is everything in a database, as lines of JSON: what it is, then each table
// with its columns, one array for each row, and a sum of the rows; at last, the sums of
// all tables. It is the same for both databases, and can be read without authy.

// archiveFormat is the version of how an archive is written.
const archiveFormat = 1

// archiveLine is how long a line of an archive may be: a row has pictures at most.
const archiveLine = 64 << 20

// ErrArchive is what every archive that is not whole or not one is refused with.
var ErrArchive = errors.New("storage: not a whole archive")

// Contents is what an archive, or a database, has in it.
type Contents struct {
	// Steps are the migrations that its schema has been through, the oldest first.
	Steps  []string   `json:"steps"`
	Tables []TableSum `json:"tables"`
}

// Rows is how many rows all tables have.
func (c *Contents) Rows() (n int64) {
	for _, t := range c.Tables {
		n += t.Rows
	}
	return n
}

// Newest is the migration that its schema was last through.
func (c *Contents) Newest() string {
	if len(c.Steps) == 0 {
		return ""
	}
	return c.Steps[len(c.Steps)-1]
}

// TableSum is what is in a table: how many rows, and a sum over them that is the same on
// both databases and in whichever order they lie.
type TableSum struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
	Sum  string `json:"sum"`
}

// kind is what sort of values a column has.
type kind string

const (
	textKind    kind = "text"
	integerKind kind = "integer"
	booleanKind kind = "boolean"
	bytesKind   kind = "bytes"
)

// kinds are the types of columns, as either database calls them.
var kinds = map[string]kind{
	"TEXT": textKind, "BIGINT": integerKind, "INTEGER": integerKind, "SMALLINT": integerKind,
	"BOOLEAN": booleanKind, "BYTEA": bytesKind, "BLOB": bytesKind,
}

// table is a table and its columns, which are in the order of their names.
type table struct {
	Name    string   `json:"table"`
	Columns []string `json:"columns"`
	Kinds   []kind   `json:"kinds"`
}

// value is what a driver has read of column i, as an archive has it: nil, string, int64,
// bool or []byte.
func (t *table) value(i int, raw any) (any, error) {
	switch v := raw.(type) {
	case nil:
		return nil, nil
	case string:
		switch t.Kinds[i] {
		case textKind:
			return v, nil
		case bytesKind:
			return []byte(v), nil
		}
	case []byte:
		switch t.Kinds[i] {
		case textKind:
			return string(v), nil
		case bytesKind:
			return v, nil
		}
	case int64:
		switch t.Kinds[i] {
		case integerKind:
			return v, nil
		case booleanKind:
			return v != 0, nil
		}
	case bool:
		if t.Kinds[i] == booleanKind {
			return v, nil
		}
	}
	return nil, fmt.Errorf("column %s of table %s is to hold %s and holds a %T", t.Columns[i], t.Name, t.Kinds[i], raw)
}

// sum adds up the SHA-256 of rows, modulo 2^256: their order does not matter.
type sum struct {
	rows  int64
	total [4]uint64
	buf   []byte
}

// add adds a row, whose values are as [table.value] returns them.
func (s *sum) add(row []any) {
	b := s.buf[:0]
	for _, value := range row {
		switch v := value.(type) {
		case nil:
			b = append(b, 'n')
		case string:
			b = append(binary.BigEndian.AppendUint64(append(b, 't'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint64(append(b, 'b'), uint64(len(v))), v...)
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v)) //nolint:gosec // its bits
		case bool:
			b = append(b, map[bool]byte{false: '0', true: '1'}[v])
		}
	}
	s.buf = b
	hash := sha256.Sum256(b)
	var carry uint64
	for i := len(s.total) - 1; i >= 0; i-- {
		s.total[i], carry = bits.Add64(s.total[i], binary.BigEndian.Uint64(hash[8*i:]), carry)
	}
	s.rows++
}

func (s *sum) of(t *table) TableSum {
	var all []byte
	for _, part := range s.total {
		all = binary.BigEndian.AppendUint64(all, part)
	}
	return TableSum{Name: t.Name, Rows: s.rows, Sum: hex.EncodeToString(all)}
}

// archiveHead is the first line of an archive.
type archiveHead struct {
	Format int      `json:"authy_database"`
	Steps  []string `json:"steps"`
}

// archiveEnd is its last line, without which it is not whole.
type archiveEnd struct {
	End []TableSum `json:"end"`
}

// base64Value is a value that JSON has no text for.
type base64Value struct {
	Base64 string `json:"base64"`
}

// appendRow adds a row to a line.
func appendRow(line []byte, row []any) ([]byte, error) {
	line = append(line, '[')
	for i, value := range row {
		if i > 0 {
			line = append(line, ',')
		}
		if s, ok := value.(string); ok && !utf8.ValidString(s) {
			value = []byte(s)
		}
		switch v := value.(type) {
		case int64:
			line = strconv.AppendInt(line, v, 10)
		case []byte:
			value = base64Value{base64.StdEncoding.EncodeToString(v)}
		}
		if _, done := value.(int64); done {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		line = append(line, text...)
	}
	return append(line, ']', '\n'), nil
}

// archiveReader reads an archive, and checks all that it says of itself.
type archiveReader struct {
	in       *bufio.Reader
	contents Contents
	table    *table
	sum      sum
	mark     KeyMark
}

// newArchiveReader reads the head of an archive. It reads nothing after the archive's
// end where in is a [bufio.Reader].
func newArchiveReader(in io.Reader) (*archiveReader, error) {
	a := &archiveReader{in: bufio.NewReader(in)}
	var head archiveHead
	if err := a.decode(&head); err != nil {
		return nil, err
	}
	if head.Format != archiveFormat {
		return nil, fmt.Errorf("%w: it is of format %d, and this authy reads %d", ErrArchive, head.Format, archiveFormat)
	}
	a.contents.Steps = head.Steps
	return a, nil
}

// next begins the next table; false is after the last, at the end of the archive.
func (a *archiveReader) next() (bool, error) {
	line, err := a.line()
	if err != nil {
		return false, err
	}
	var head struct {
		table
		archiveEnd
	}
	if err := strict(line, &head); err != nil {
		return false, err
	}
	if head.End != nil {
		if !slices.Equal(head.End, a.contents.Tables) {
			return false, fmt.Errorf("%w: its tables are not those that its end names", ErrArchive)
		}
		return false, nil
	}
	if !isName(head.Name) || len(head.Columns) == 0 || len(head.Columns) != len(head.Kinds) ||
		slices.ContainsFunc(head.Columns, func(name string) bool { return !isName(name) }) {
		return false, fmt.Errorf("%w: it has a table that is none", ErrArchive)
	}
	a.table, a.sum = &head.table, sum{}
	return true, nil
}

// isName reports whether a text is a name as tables and columns of authy have it.
func isName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == ""
}

// row returns the next row of the table, or nil after the last, when the table is whole.
func (a *archiveReader) row() ([]any, error) {
	line, err := a.line()
	if err != nil {
		return nil, err
	}
	if line[0] != '[' {
		var told TableSum
		if err := strict(line, &told); err != nil {
			return nil, err
		}
		found := a.sum.of(a.table)
		if found != told {
			return nil, fmt.Errorf("%w: table %s has %d rows that are not those that it had, %d",
				ErrArchive, a.table.Name, found.Rows, told.Rows)
		}
		a.contents.Tables = append(a.contents.Tables, found)
		return nil, nil
	}
	row, err := a.values(line)
	if err != nil {
		return nil, fmt.Errorf("%w: row %d of table %s: %w", ErrArchive, a.sum.rows+1, a.table.Name, err)
	}
	a.sum.add(row)
	a.noteMark(row)
	return row, nil
}

// values are those of a row.
func (a *archiveReader) values(line []byte) ([]any, error) {
	var row []any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&row); err != nil {
		return nil, err
	}
	if len(row) != len(a.table.Columns) {
		return nil, fmt.Errorf("%d values for %d columns", len(row), len(a.table.Columns))
	}
	for i, raw := range row {
		value, err := ofJSON(raw)
		if err == nil {
			row[i], err = a.table.value(i, value)
		}
		if err != nil {
			return nil, err
		}
	}
	return row, nil
}

// ofJSON is a value of JSON as a driver would have read it.
func ofJSON(raw any) (any, error) {
	switch v := raw.(type) {
	case json.Number:
		return v.Int64()
	case map[string]any:
		encoded, _ := v["base64"].(string)
		return base64.StdEncoding.DecodeString(encoded)
	}
	return raw, nil
}

// line is the next line, which is valid until the one after it.
func (a *archiveReader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := a.in.ReadSlice('\n')
		if line == nil && err == nil {
			line = part
		} else {
			line = append(line, part...)
		}
		switch {
		case err == nil && len(line) > 1:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) < archiveLine:
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("%w: a line of it is no line of an archive", ErrArchive)
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%w: it ends before its end", ErrArchive)
		default:
			return nil, err
		}
	}
}

func (a *archiveReader) decode(into any) error {
	line, err := a.line()
	if err != nil {
		return err
	}
	return strict(line, into)
}

// strict reads one JSON value that has nothing but what is known.
func strict(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: a line of it cannot be read: %w", ErrArchive, err)
	}
	return nil
}
