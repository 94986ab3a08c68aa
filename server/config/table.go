package config

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// setting is one leaf of Config and how it is read from and shown as text.
type setting struct {
	key   string // "security.bcrypt_cost"
	index []int
	isURL bool // a Secret of which only the password is secret
	// isLong is text that is not shown, since it is long.
	isLong bool
	// provider is whose it is, "" for the server's own.
	provider string
	// rule is the number of the rule of forward-auth whose it is, 0 for none.
	rule int
}

// settings lists every setting in the order of the fields of Config.
var settings = listSettings(reflect.TypeFor[Config](), "", nil)

func listSettings(t reflect.Type, prefix string, index []int) []setting {
	var list []setting
	for f := range t.Fields() {
		if f.Tag.Get("toml") == "-" {
			continue
		}
		key := prefix + f.Tag.Get("toml")
		at := append(index[:len(index):len(index)], f.Index...)
		if isSection(f.Type) {
			list = append(list, listSettings(f.Type, key+".", at)...)
			continue
		}
		list = append(list, setting{key: key, index: at, isURL: f.Tag.Get("show") == "url", isLong: f.Tag.Get("show") == "set"})
	}
	return list
}

func isSection(t reflect.Type) bool {
	parsesText := reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
	return t.Kind() == reflect.Struct && !parsesText
}

// findSetting returns the setting called key.
func findSetting(key string) (setting, bool) {
	for _, s := range settings {
		if s.key == key {
			return s, true
		}
	}
	if s, ok := ruleSetting(key); ok {
		return s, true
	}
	return providerSetting(key)
}

// keys returns the key of every setting.
func keys() []string {
	list := make([]string, len(settings))
	for i, s := range settings {
		list[i] = s.key
	}
	return list
}

// sections returns the name of every section.
func sections() []string {
	var list []string
	for _, s := range settings {
		if end := strings.LastIndex(s.key, "."); end >= 0 {
			list = append(list, s.key[:end])
		}
	}
	return append(slices.Compact(list), providerSection, forwardSection)
}

// FlagName returns the command-line flag for key, without dashes in front:
// "database-url" for "database.url".
func FlagName(key string) string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(key)
}

// envName returns the environment variable for s.
func (s setting) envName() string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.key))
}

// field returns a pointer to the field of c that s stands for.
func (s setting) field(c *Config) any {
	of := reflect.ValueOf(c)
	switch {
	case s.provider != "":
		of = reflect.ValueOf(c.provider(s.provider))
	case s.rule > 0:
		of = reflect.ValueOf(c.rule(s.rule))
	}
	return of.Elem().FieldByIndex(s.index).Addr().Interface()
}

// set reads text into c. Errors quote the text, which is never a secret: any
// text is a Secret.
func (s setting) set(c *Config, text string) (err error) {
	switch f := s.field(c).(type) {
	case *string:
		*f = text
	case *Secret:
		*f = Secret(text)
	case *int:
		*f, err = keep(*f, text, strconv.Atoi)
	case *bool:
		*f, err = keep(*f, text, strconv.ParseBool)
	case *Duration:
		*f, err = keep(*f, text, parseDuration)
	case *Words:
		*f, err = keep(*f, text, parseWords)
	case *[]netip.Prefix:
		list, err := parsePrefixes(text)
		if err != nil {
			return err
		}
		*f = list
	case *[]string:
		list, err := parseOrigins(text)
		if err != nil {
			return err
		}
		*f = list
	default:
		panic("impossible: " + s.key + " has a type that cannot be set")
	}
	if err != nil {
		return fmt.Errorf("%q is not %s", text, s.expects())
	}
	return nil
}

// keep parses text, and returns old where that fails.
func keep[T any](old T, text string, parse func(string) (T, error)) (T, error) {
	value, err := parse(text)
	if err != nil {
		return old, err
	}
	return value, nil
}

func parseDuration(text string) (d Duration, err error) {
	return d, d.UnmarshalText([]byte(text))
}

// expects says what kind of value s takes.
func (s setting) expects() string {
	switch s.field(new(Config)).(type) {
	case *int:
		return "a whole number"
	case *bool:
		return "true or false"
	case *Duration:
		return "a duration such as 90s, 10m or 24h"
	case *[]netip.Prefix:
		return "a list of addresses and ranges"
	case *[]string:
		return "a list of origins"
	case *Words:
		return "a list of strings"
	}
	return "a string"
}

// fromTOML returns the decoded TOML value as text for set.
func (s setting) fromTOML(value any) (string, error) {
	wrong := errors.New("expected " + s.expects())
	switch s.field(new(Config)).(type) {
	case *int:
		if n, ok := value.(int64); ok {
			return strconv.FormatInt(n, 10), nil
		}
	case *bool:
		if b, ok := value.(bool); ok {
			return strconv.FormatBool(b), nil
		}
	case *[]netip.Prefix, *[]string:
		if list, ok := textList(value); ok {
			return strings.Join(list, ","), nil
		}
	case *Words:
		if list, ok := textList(value); ok {
			return Words(list).join(), nil
		}
	default:
		if text, ok := value.(string); ok {
			return text, nil
		}
	}
	return "", wrong
}

func textList(value any) ([]string, bool) {
	list, ok := value.([]any)
	if !ok {
		return nil, false
	}
	texts := make([]string, len(list))
	for i, entry := range list {
		if texts[i], ok = entry.(string); !ok {
			return nil, false
		}
	}
	return texts, true
}

// shown returns the value in c as text that may be printed.
func (s setting) shown(c *Config) string {
	switch f := s.field(c).(type) {
	case *Secret:
		return s.mask(f.Reveal())
	case *[]netip.Prefix:
		return joinPrefixes(*f)
	case *[]string:
		return strings.Join(*f, ",")
	case *Words:
		return strings.Join(*f, ",")
	case *string:
		if s.isLong {
			return s.mask(*f)
		}
		return *f
	default:
		return fmt.Sprint(reflect.ValueOf(f).Elem().Interface())
	}
}

func (s setting) mask(text string) string {
	switch {
	case text == "":
		return ""
	case s.isURL:
		return MaskURL(text)
	}
	return "[set]"
}
