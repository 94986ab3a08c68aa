package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"authy/storage/disk"
)

const (
	envPrefix = "AUTHY_"
	envConfig = "AUTHY_CONFIG"
	envTests  = "AUTHY_TEST_"
	envFile   = "_FILE"
)

// environment holds the variables that are set and not empty.
type environment map[string]string

func newEnvironment(environ []string) environment {
	env := environment{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if _, seen := env[name]; !seen && value != "" {
			env[name] = value
		}
	}
	return env
}

// predecessors are the variables of the server that came before, which are
// understood so that its deployments start; each says what to use instead.
var predecessors = []struct{ name, key string }{
	{"DATABASE_URL", "database.url"},
	{"REDIS_URL", "redis.url"},
	{"SECRET_KEY", "security.secret_key"},
}

func (l *loader) readPredecessor(env environment) {
	for _, p := range predecessors {
		value, ok := env[p.name]
		if !ok {
			continue
		}
		s, _ := findSetting(p.key)
		l.warn("%s is an old name; use %s instead.", p.name, s.envName())
		// The predecessor took three slashes for a relative path and four for an absolute one.
		if path, ok := strings.CutPrefix(value, "sqlite:///"); ok && !strings.HasPrefix(path, "/") {
			l.warn("%s names the absolute path /%s; for a relative one write sqlite://%[2]s.", p.name, path)
		}
		l.set(s, value, "environment "+p.name)
	}
}

func (l *loader) readEnvironment(env environment) {
	known := map[string]bool{envConfig: true}
	for _, s := range settings {
		name := s.envName()
		known[name], known[name+envFile] = true, true
		l.readVariable(s, name, env)
	}
	l.readProviderVariables(env, known)
	for _, s := range l.config.allSettings() {
		known[s.envName()] = s.rule == 0 || known[s.envName()]
	}
	maps.DeleteFunc(known, func(_ string, is bool) bool { return !is })
	names := slices.Sorted(maps.Keys(known))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if strings.HasPrefix(name, envPrefix) && !known[name] && !foreign(name, env[name]) {
			l.fail("environment: unknown variable %s%s", name, Suggest(name, names))
		}
	}
}

// readVariable sets s from name, or from the file that name_FILE names.
func (l *loader) readVariable(s setting, name string, env environment) {
	value, direct := env[name]
	path, fromFile := env[name+envFile]
	switch {
	case direct && fromFile:
		l.fail("environment: both %s and %[1]s%s are set; unset one of them", name, envFile)
	case direct:
		l.set(s, value, "environment "+name)
	case fromFile:
		origin := "environment " + name + envFile
		value, err := ReadValue(path)
		if err != nil {
			l.fail("%s: %s: %w", origin, s.key, err)
			return
		}
		l.set(s, value, origin)
		if _, secret := s.field(l.config).(*Secret); secret && isOpenToAll(path) {
			l.warn("%s: every user of the machine can read %s, which has %s in it: run chmod o-rwx on it.", origin, path, s.key)
		}
	}
}

// isOpenToAll says whether every user of the machine may read or write a file. What a container is
// given is not looked at: it is mounted readable for all (/run/secrets, or by a link to a directory
// whose name begins with two dots), and nobody else is in there.
func isOpenToAll(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil || strings.HasPrefix(real, "/run/secrets/") || strings.Contains(filepath.ToSlash(real), "/..") {
		return false
	}
	info, err := os.Stat(real)
	if err != nil {
		return false
	}
	open, err := disk.Shared(real, info, 0o007)
	return err == nil && open
}

// ReadValue returns what a small file holds, such as a secret, without the line end.
func ReadValue(path string) (string, error) {
	data, err := readRegular(path)
	if err != nil {
		return "", err
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return value, nil
}

const maxFile = 1 << 20

// readRegular is [ReadRegular] of a file of this package's.
func readRegular(path string) ([]byte, error) { return ReadRegular(path, maxFile) }

// ReadRegular reads a file of so many bytes at most, whole MiB. It refuses pipes and
// devices, which could hold up the start for ever.
func ReadRegular(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("read %s: larger than %d MiB", path, most>>20)
	}
	return data, nil
}

// Kubernetes tells every pod about a service named authy, or authy-something,
// in variables that begin as ours do.
var (
	serviceName  = regexp.MustCompile(`^AUTHY_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_\w+)$`)
	servicePort  = regexp.MustCompile(`^AUTHY_(\w+_)?PORT$`)
	serviceValue = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

// foreign reports whether the variable is not meant as a setting.
func foreign(name, value string) bool {
	return strings.HasPrefix(name, envTests) || serviceName.MatchString(name) ||
		servicePort.MatchString(name) && serviceValue.MatchString(value)
}

// Variable returns an environment variable that a file names for a secret, "" if it is
// not set.
func Variable(name string) string { return os.Getenv(name) }

// IsSetting says whether an environment variable has the name of a setting, known or not.
func IsSetting(name string) bool { return strings.HasPrefix(name, envPrefix) }
