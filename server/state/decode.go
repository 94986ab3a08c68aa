package state

import (
	"cmp"
	"encoding"
	"maps"
	"reflect"
	"slices"
	"strings"

	"authy/server/config"
)

// field is a key of a table, and the field of a struct that it stands for.
type field struct {
	key   string
	index []int
}

// fieldsOf returns the keys of a table in the order of its struct.
func fieldsOf(t reflect.Type) (list []field) {
	for f := range t.Fields() {
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			for _, inner := range fieldsOf(f.Type) {
				list = append(list, field{inner.key, append(slices.Clone(f.Index), inner.index...)})
			}
			continue
		}
		key, _, _ := strings.Cut(cmp.Or(f.Tag.Get("toml"), f.Tag.Get("json")), ",")
		if key != "" && f.IsExported() {
			list = append(list, field{key, f.Index})
		}
	}
	return list
}

// decode writes the value at a path to what into points to. What does not fit is noted.
func (s *source) decode(path string, value, into any) {
	s.set(path, value, reflect.ValueOf(into).Elem())
}

func (s *source) set(path string, value any, into reflect.Value) {
	if text, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		s.setText(path, value, text)
		return
	}
	ok := false
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		s.set(path, value, into.Elem())
		return
	case reflect.Struct:
		s.setTable(path, value, into)
		return
	case reflect.Slice:
		ok = s.setList(path, value, into)
	case reflect.Map:
		ok = s.setMap(path, value, into)
	case reflect.String:
		var text string
		if text, ok = value.(string); ok {
			s.setString(path, text, into)
		}
	case reflect.Bool:
		var yes bool
		if yes, ok = value.(bool); ok {
			into.SetBool(yes)
		}
	case reflect.Int64:
		var n int64
		if n, ok = value.(int64); ok {
			into.SetInt(n)
		}
	default:
		panic("impossible: " + path + " has a type that no key has")
	}
	if !ok {
		s.note(path, "expected %s", expects(into.Type()))
	}
}

// setString sets a text, which has no NUL: no database keeps one in a text.
func (s *source) setString(path, text string, into reflect.Value) {
	if strings.ContainsRune(text, 0) {
		s.note(path, `expected a text without the character \u0000`)
		return
	}
	into.SetString(text)
}

func (s *source) setText(path string, value any, into encoding.TextUnmarshaler) {
	text, ok := value.(string)
	if !ok || into.UnmarshalText([]byte(text)) != nil {
		s.note(path, "expected a duration such as 90s, 10m or 24h")
	}
}

func (s *source) setTable(path string, value any, into reflect.Value) {
	table, ok := value.(map[string]any)
	if !ok {
		s.note(path, "expected a table; write its keys under [%s]", shown(path))
		return
	}
	o := into.Addr().Interface()
	if filled, ok := o.(interface{ fill() }); ok {
		filled.fill()
	}
	if placed, ok := o.(interface{ place(string) }); ok {
		placed.place(path)
	}
	fields := fieldsOf(into.Type())
	for _, key := range slices.Sorted(maps.Keys(table)) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		if i < 0 {
			s.unknown(path, key, fields)
			continue
		}
		s.set(join(path, key), table[key], into.FieldByIndex(fields[i].index))
	}
}

// secrets are what keys are called, without their ends, that name what others would hold in clear.
var secrets = map[string]string{
	"client_secret": "client_secret", "secret": "secret", "password": "password_hash", "password_hash": "password_hash",
}

// unknown notes a key that a table does not have.
func (s *source) unknown(path, key string, fields []field) {
	if name, secret := secrets[key]; secret {
		s.note(join(path, key), "a secret does not stand in this file; name a file with %s_file or an environment variable with %[1]s_env", name)
		return
	}
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.key
	}
	s.note(join(path, key), "unknown key%s", config.Suggest(key, known))
}

func (s *source) setList(path string, value any, into reflect.Value) bool {
	if into.Type().Elem().Kind() == reflect.Uint8 { // a document, as text
		text, ok := value.(string)
		into.SetBytes([]byte(text))
		return ok
	}
	list, ok := value.([]any)
	if !ok {
		return false
	}
	into.Set(reflect.MakeSlice(into.Type(), len(list), len(list)))
	for i, one := range list {
		s.set(element(path, i), one, into.Index(i))
	}
	return true
}

func (s *source) setMap(path string, value any, into reflect.Value) bool {
	table, ok := value.(map[string]any)
	if !ok {
		return false
	}
	out := make(map[string]string, len(table))
	for _, key := range slices.Sorted(maps.Keys(table)) {
		text := reflect.New(into.Type().Elem()).Elem()
		s.set(join(path, key), table[key], text)
		out[key] = text.String()
	}
	into.Set(reflect.ValueOf(out))
	return true
}

// expects says what kind of value a type takes.
func expects(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int64:
		return "a whole number"
	case reflect.Map:
		return "a table of strings"
	case reflect.Slice:
		switch t.Elem().Kind() {
		case reflect.String:
			return "a list of strings"
		case reflect.Pointer:
			return "tables; write each under a head in two brackets"
		}
	}
	return "a string"
}
