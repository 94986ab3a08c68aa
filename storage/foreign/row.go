package foreign

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Row is a row: its values by their columns, as a driver or JSON has them. A column that is
// not there reads as one without a value.
type Row map[string]any

// Has says whether a column has a value.
func (r Row) Has(column string) bool { return r[column] != nil }

// Text returns a value as text, "" for none.
func (r Row) Text(column string) string {
	switch v := r[column].(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case map[string]any, []any:
		text, err := json.Marshal(v)
		if err != nil {
			return "" // impossible: it was read from JSON
		}
		return string(text)
	default:
		return fmt.Sprint(v)
	}
}

// Is returns a value as a truth, otherwise if there is none or it cannot be read.
func (r Row) Is(column string, otherwise bool) bool {
	switch strings.ToLower(r.Text(column)) {
	case "true", "t", "1", "yes":
		return true
	case "false", "f", "0", "no":
		return false
	}
	return otherwise
}

// Number returns a value as a whole number, otherwise if there is none or it cannot be read.
func (r Row) Number(column string, otherwise int64) int64 {
	n, err := strconv.ParseInt(r.Text(column), 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

// layouts are how an instant is written; one without a zone is in UTC.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999", "2006-01-02",
}

// Instant reads an instant as text; it is zero if it cannot be read.
func Instant(text string) time.Time {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// Time returns a value as an instant, zero if there is none or it cannot be read.
func (r Row) Time(column string) time.Time {
	if t, ok := r[column].(time.Time); ok {
		return t.UTC()
	}
	return Instant(r.Text(column))
}

// JSON reads a value that is JSON, or a text that has JSON in it, into out; nothing if there
// is no value.
func (r Row) JSON(column string, out any) error {
	text := r.Text(column)
	for text != "" && text[0] == '"' { // a text in which the JSON is
		if err := json.Unmarshal([]byte(text), &text); err != nil {
			return err
		}
	}
	if text == "" || text == "null" {
		return nil
	}
	return json.Unmarshal([]byte(text), out)
}
