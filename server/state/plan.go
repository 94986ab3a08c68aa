package state

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"authy/server/audit"
)

// Action is what becomes of an object.
type Action string

// The actions.
const (
	Added   Action = "add"
	Changed Action = "change"
	Removed Action = "remove"
)

var signs = map[Action]string{Added: "+", Changed: "~", Removed: "-"}

// maxShown is how much of a value is shown, in bytes.
const maxShown = 80

// Plan is what applying a file changes.
type Plan struct {
	File    string   `json:"file"`
	Changes []Change `json:"changes"`
	// Left are the objects that the file has set before and says no more, where they are
	// not removed.
	Left []string `json:"left"`
	// Notes are what is left for somebody to do.
	Notes []string `json:"notes"`
}

// Change is what becomes of one object.
type Change struct {
	Action Action  `json:"action"`
	Kind   string  `json:"kind"`
	Name   string  `json:"name"`
	Fields []Field `json:"fields,omitempty"`
}

// Field is what becomes of one key of an object, as TOML has it.
type Field struct {
	Key    string `json:"key"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Sums is how many objects are added, changed and removed.
func (p *Plan) Sums() (added, changed, removed int) {
	for _, c := range p.Changes {
		switch c.Action {
		case Added:
			added++
		case Changed:
			changed++
		case Removed:
			removed++
		}
	}
	return added, changed, removed
}

// removals names the objects that are removed.
func (p *Plan) removals() (names []string) {
	for _, c := range p.Changes {
		if c.Action == Removed {
			names = append(names, c.text())
		}
	}
	return names
}

// text names the object.
func (c Change) text() string {
	return fmt.Sprintf("%s %q", strings.ReplaceAll(c.Kind, "_", " "), c.Name)
}

// String is a change in a line.
func (c Change) String() string {
	text := signs[c.Action] + " " + c.text()
	if c.Action != Changed {
		return text
	}
	fields := make([]string, len(c.Fields))
	for i, f := range c.Fields {
		fields[i] = f.String()
	}
	return text + ": " + strings.Join(fields, ", ")
}

// String is a field as people read it.
func (f Field) String() string {
	switch {
	case f.Before == "" && f.After == "":
		return f.Key + " replaced"
	case f.Before == "":
		return f.Key + " set to " + cut(f.After)
	case f.After == "":
		return f.Key + " no longer " + cut(f.Before)
	}
	return f.Key + " " + cut(f.Before) + " → " + cut(f.After)
}

func cut(text string) string {
	if short := audit.Cut(text, maxShown); short != audit.Cut(text, len(text)) {
		return short + "…"
	}
	return audit.Cut(text, len(text))
}

// differences is what one description has otherwise than another.
func differences(before, after entry) (list []Field) {
	b, a := texts(reflect.ValueOf(before).Elem(), ""), texts(reflect.ValueOf(after).Elem(), "")
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if b[key] != a[key] {
			list = append(list, Field{key, b[key], a[key]})
		}
	}
	return list
}

// texts are the values of a table by their keys; those that say nothing are left out.
func texts(v reflect.Value, prefix string) map[string]string {
	out := map[string]string{}
	for _, f := range fieldsOf(v.Type()) {
		value := v.FieldByIndex(f.index)
		text, leaf := literal(value)
		switch {
		case leaf && text != `""` && text != "[]":
			out[prefix+f.key] = text
		case value.Kind() == reflect.Map:
			for _, key := range value.MapKeys() {
				out[prefix+f.key+"."+key.String()] = quoted(value.MapIndex(key).String())
			}
		case value.Kind() == reflect.Pointer && !value.IsNil():
			if !leaf {
				maps.Copy(out, texts(value.Elem(), prefix+f.key+"."))
			}
		}
	}
	maps.DeleteFunc(out, func(_, text string) bool { return text == "" })
	return out
}
