package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"authy/server/config"
)

// Weak are the settings of a report that are weak choices, each by its key, and what else
// had better change.
func Weak(report *config.Report) (found []Finding) {
	var risks []string
	for _, one := range report.Settings() {
		if one.Risk != "" {
			risks = append(risks, one.Risk)
			found = append(found, Finding{Name: one.Key, Text: "%s", Args: []string{one.Risk}})
		}
	}
	for _, text := range report.Warnings() {
		if !slices.Contains(risks, text) {
			found = append(found, Finding{Name: "configuration", Text: "%s", Args: []string{text}})
		}
	}
	return found
}

// settings looks at how the server is set, and who can read that.
func (s *Service) settings(context.Context) ([]Finding, error) {
	report := s.Self.Report
	if report == nil {
		report = config.ReportOf(s.Config.Config)
	}
	found := Weak(report)
	var files []string
	for _, one := range report.Settings() {
		m := written.FindStringSubmatch(one.Origin)
		if m == nil || !one.Hidden() || one.Value == "" || slices.Contains(files, m[1]) {
			continue
		}
		files = append(files, m[1])
		more, err := openToAll(m[1])
		if err != nil {
			return found, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// written is the origin of what stands in a file, with its line.
var written = regexp.MustCompile(`^(.+):\d+$`)

// metrics looks at the token that has to be shown for the metrics, and at who can read it.
func (s *Service) metrics(context.Context) ([]Finding, error) {
	set := s.Config.Config.Metrics
	if _, err := set.Token(); err != nil {
		return one("metrics", "The server does not start without the token of the metrics: %s. Correct metrics.token_file, "+
			"or leave it out.", strings.TrimSuffix(err.Error(), ".")), nil
	}
	if set.TokenFile == "" {
		return nil, nil
	}
	if open, err := isOpenToAll(set.TokenFile); err != nil || !open {
		return nil, err
	}
	return one("token_file", "The file %s (metrics.token_file), whose token opens the metrics, is open to every user of the "+
		"machine: run chmod o-rwx on it.", set.TokenFile), nil
}

// openToAll says that everybody on the machine can read a file with secrets.
func openToAll(file string) ([]Finding, error) {
	if open, err := isOpenToAll(file); err != nil || !open {
		return nil, err
	}
	return one("config_file", "The configuration file %s has secrets in it and is open to every user of the machine: "+
		"run chmod o-rwx on it, or give the secrets by variables that end in _FILE.", file), nil
}

func isOpenToAll(file string) (bool, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) { // it was read when the server started
		return false, nil
	}
	return err == nil && info.Mode().Perm()&0o007 != 0, err
}
