package config

import "slices"

// Setting is one value of a loaded configuration.
type Setting struct {
	// Key is the path in the file: "security.bcrypt_cost".
	Key string
	// Value is the value as text. A secret is "[set]" or empty, and the
	// password in a URL is masked.
	Value string
	// Origin is where the value came from: "default", "authy.toml:12",
	// "environment AUTHY_LISTEN" or "flag --listen".
	Origin string
}

// Report tells what a load found.
type Report struct {
	settings []Setting
	warnings []string
}

// Settings returns every setting in the order of the fields of [Config].
func (r *Report) Settings() []Setting { return slices.Clone(r.settings) }

// Warnings returns a sentence for each thing that works but had better change.
func (r *Report) Warnings() []string { return slices.Clone(r.warnings) }

func (l *loader) report() *Report {
	r := &Report{warnings: l.warnings}
	for _, s := range l.config.allSettings() {
		r.settings = append(r.settings, Setting{s.key, s.shown(l.config), l.origin(s.key)})
	}
	return r
}
