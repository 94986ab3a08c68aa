package doctor

import (
	"cmp"
	"context"
	"os"
	"strings"
	"time"

	"authy/server/backup"
	"authy/server/machine"
)

// ground looks at the clock, the file system of the database, and the certificate that
// the server shows.
func (s *Service) ground(ctx context.Context) (found []Finding, err error) {
	c := s.Config.Config
	troubles, err := machine.Look(ctx, machine.Ground{
		DB: s.DB, CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, Host: c.Host(),
	}, time.Now())
	for _, t := range troubles {
		found = append(found, Finding{Name: t.Name, Text: "%s", Args: []string{t.Text}})
	}
	return found, err
}

// disk looks at how much room there is.
func (s *Service) disk(context.Context) ([]Finding, error) {
	dirs := []string{cmp.Or(s.Config.Config.DataDir, ".")}
	if dir := backup.Dir(s.Config.Config); isDir(dir) {
		dirs = append(dirs, dir)
	}
	low := machine.LowRoomAt(dirs...)
	if len(low) == 0 {
		return nil, nil
	}
	return one("disk", "The disk is almost full: %s left. Make room on it, or move the directory to another one "+
		"(data_dir, backup.dir): on a full disk nobody can sign in.", strings.Join(low, ", ")), nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
