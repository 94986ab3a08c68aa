package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Flags are the settings given on the command line: key ("public_url") to text.
type Flags map[string]string

// Load reads the settings from file, environ (in the form of [os.Environ]) and
// flags, and checks them. An empty file means the one AUTHY_CONFIG names, or
// authy.toml in the working directory if there is one; a file that was named
// must exist. The error joins every problem found and quotes no secret.
func Load(file string, flags Flags, environ []string) (*Config, *Report, error) {
	l := &loader{config: Defaults(), origins: map[string]string{}}
	env := newEnvironment(environ)
	readable := l.readFile(file, env)
	l.readPredecessor(env)
	l.readEnvironment(env)
	l.readFlags(flags)
	if readable { // otherwise the checks would complain about what the file says
		l.check()
	}
	if err := errors.Join(l.errs...); err != nil {
		return nil, nil, err
	}
	return l.config, l.report(), nil
}

// loader is a load in progress.
type loader struct {
	config   *Config
	origins  map[string]string // by key; a default has none
	warnings []string
	errs     []error
}

// set gives s the value text, which came from origin.
func (l *loader) set(s setting, text, origin string) {
	if err := s.set(l.config, text); err != nil {
		l.fail("%s: %s: %w", origin, s.key, err)
		return
	}
	l.origins[s.key] = origin
}

func (l *loader) fail(format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf(format, args...))
}

func (l *loader) warn(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

// origin returns where the value of key came from.
func (l *loader) origin(key string) string {
	if origin, ok := l.origins[key]; ok {
		return origin
	}
	return byDefault
}

// wantedBy is the section whose settings want a key of another.
var wantedBy = map[string]string{"trusted_proxies": forwardSection + "."}

// blamed returns where it was said what key does not go with: where its value came from, or, if
// nobody has given it one, where another of its section has.
func (l *loader) blamed(key string) string {
	section, ok := wantedBy[key]
	if !ok {
		section = key[:strings.LastIndexByte(key, '.')+1]
	}
	if _, given := l.origins[key]; !given && section != "" {
		for _, other := range slices.Sorted(maps.Keys(l.origins)) {
			if strings.HasPrefix(other, section) {
				return l.origins[other]
			}
		}
	}
	return l.origin(key)
}

func (l *loader) readFlags(flags Flags) {
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		origin := "flag --" + FlagName(key)
		s, ok := findSetting(key)
		if !ok {
			l.fail("%s: unknown key %q%s", origin, key, Suggest(key, keys()))
			continue
		}
		l.set(s, flags[key], origin)
		if HasPassword(flags[key]) {
			l.warn("%s has a password in it, which every user of this machine can read while it runs: set %s_FILE to a file "+
				"with the URL.", origin, s.envName())
		}
	}
}

func (l *loader) check() {
	if normal, err := normalURL(l.config.PublicURL); err == nil {
		l.config.PublicURL = normal
	}
	for _, p := range problems(l.config) {
		l.fail("%s: %s: %w", l.blamed(p.key), p.key, p.err)
	}
	for _, r := range risks(l.config) {
		l.warnings = append(l.warnings, r.text)
	}
}
