package config

import (
	"slices"
	"strings"
)

// Setting is one value of a loaded configuration.
type Setting struct {
	// Key is the path in the file: "security.bcrypt_cost".
	Key string
	// Value is the value as text. A secret is "[set]" or empty, and the
	// password in a URL is masked.
	Value string
	// Origin is where the value came from: "default", "authy.toml:12",
	// "environment AUTHY_LISTEN" or "flag --listen"; "" where nobody knows.
	Origin string
	// Risk is a sentence about what makes the value a weak choice, "" for nothing.
	Risk string
}

// Given says whether the value was given somewhere.
func (s Setting) Given() bool { return s.Origin != byDefault }

// Variable is the environment variable for it, "" for a rule, which only a file has.
func (s Setting) Variable() string {
	if strings.HasPrefix(s.Key, forwardSection+".") {
		return ""
	}
	return setting{key: s.Key}.envName()
}

// Hidden says that Value shows only whether there is one.
func (s Setting) Hidden() bool {
	one, ok := findSetting(s.Key)
	if !ok {
		return false
	}
	_, secret := one.field(new(Config)).(*Secret)
	return secret && !one.isURL || one.isLong
}

const byDefault = "default"

// Report tells what a load found.
type Report struct {
	settings []Setting
	warnings []string
}

// Settings returns every setting in the order of the fields of [Config].
func (r *Report) Settings() []Setting { return slices.Clone(r.settings) }

// Warnings returns a sentence for each thing that works but had better change.
func (r *Report) Warnings() []string { return slices.Clone(r.warnings) }

// ReportOf reports on a configuration of which nobody knows where it came from.
func ReportOf(c *Config) *Report {
	return reportOn(c, func(string) string { return "" })
}

func (l *loader) report() *Report {
	r := reportOn(l.config, l.origin)
	r.warnings = l.warnings
	return r
}

func reportOn(c *Config, originOf func(key string) string) *Report {
	r, weak := &Report{}, map[string]string{}
	for _, one := range risks(c) {
		weak[one.key] = one.text
	}
	for _, s := range c.allSettings() {
		r.settings = append(r.settings, Setting{Key: s.key, Value: s.shown(c), Origin: originOf(s.key), Risk: weak[s.key]})
	}
	return r
}
