package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"slices"

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

// openToAll says that everybody on the machine can read a file with secrets.
func openToAll(file string) ([]Finding, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist): // it was read when the server started
		return nil, nil
	case err != nil:
		return nil, err
	case info.Mode().Perm()&0o007 == 0:
		return nil, nil
	}
	return one("config_file", "The configuration file %s has secrets in it and is open to every user of the machine: "+
		"run chmod o-rwx on it, or give the secrets by variables that end in _FILE.", file), nil
}
