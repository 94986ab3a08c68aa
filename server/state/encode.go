package state

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// wideList is how many bytes of a list stand in one line.
const wideList = 80

// encode writes a document: objects in their order, and of each what is not the
// default, in the order of its struct.
func encode(d *Document) []byte {
	e := new(encoder)
	e.table("", reflect.ValueOf(d).Elem())
	return []byte(e.String())
}

type encoder struct{ strings.Builder }

// table writes the keys of a table, then the tables in it.
func (e *encoder) table(path string, v reflect.Value) {
	usual := usualOf(v.Type())
	fields := fieldsOf(v.Type())
	for _, f := range fields {
		value := v.FieldByIndex(f.index)
		if text, leaf := literal(value); leaf && !same(value, usual.FieldByIndex(f.index)) {
			e.line(f.key, text)
		}
	}
	for _, f := range fields {
		e.inner(join(path, f.key), v.FieldByIndex(f.index))
	}
}

// inner writes the tables that a value is.
func (e *encoder) inner(path string, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Struct:
		e.object("["+path+"]", v)
		e.table(path, v.Elem())
	case v.Kind() == reflect.Map && v.Len() > 0:
		e.head("[" + path + "]")
		for _, key := range slices.Sorted(maps.Keys(v.Interface().(map[string]string))) {
			e.line(bareKey(key), quoted(v.Interface().(map[string]string)[key]))
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Pointer:
		for i := range v.Len() {
			e.object("[["+path+"]]", v.Index(i))
			e.table(path, v.Index(i).Elem())
		}
	}
}

// object writes the head of an object, under what is to be said of it.
func (e *encoder) object(head string, v reflect.Value) {
	e.head(head)
	if o, ok := v.Interface().(interface{ told() []string }); ok {
		for _, comment := range o.told() {
			e.WriteString("# " + comment + "\n")
		}
	}
}

func (e *encoder) head(text string) {
	if e.Len() > 0 {
		e.WriteByte('\n')
	}
	e.WriteString(text + "\n")
}

func (e *encoder) line(key, text string) { fmt.Fprintf(e, "%s = %s\n", key, text) }

// usualOf is a table of which nothing is said.
func usualOf(t reflect.Type) reflect.Value {
	v := reflect.New(t)
	if filled, ok := v.Interface().(interface{ fill() }); ok {
		filled.fill()
	}
	return v.Elem()
}

// same says whether two values say the same; a list without anything in it is none,
// but for one that may stay as it is.
func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// literal returns a value as TOML has it, unless it is a table.
func literal(v reflect.Value) (text string, leaf bool) {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok && v.Kind() != reflect.Pointer {
		out, err := m.MarshalText()
		return quoted(string(out)), err == nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "", v.Type().Elem().Kind() != reflect.Struct
		}
		return literal(v.Elem())
	case reflect.String:
		return quoted(v.String()), true
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), true
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), true
	case reflect.Slice:
		switch v.Type().Elem().Kind() {
		case reflect.Uint8:
			return quoted(string(v.Bytes())), true
		case reflect.String:
			return listed(v), true
		}
	}
	return "", false
}

// listed writes a list of strings in a line, or in one for each where that is long.
func listed(v reflect.Value) string {
	words := make([]string, v.Len())
	for i := range words {
		words[i] = quoted(v.Index(i).String())
	}
	if line := "[" + strings.Join(words, ", ") + "]"; len(line) <= wideList || len(words) < 2 {
		return line
	}
	return "[\n  " + strings.Join(words, ",\n  ") + ",\n]"
}

func bareKey(key string) string {
	if key != "" && strings.Trim(strings.ToLower(key), "abcdefghijklmnopqrstuvwxyz0123456789_-") == "" {
		return key
	}
	return quoted(key)
}

// quoted writes a string of TOML, one with line ends over several lines.
func quoted(text string) string {
	lines := strings.Contains(text, "\n")
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' && lines:
			b.WriteByte('\n')
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	if lines {
		return "\"\"\"\n" + b.String() + `"""`
	}
	return `"` + b.String() + `"`
}
