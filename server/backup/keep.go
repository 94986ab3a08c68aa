package backup

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/config"
)

// File is a backup as its file shows it.
type File struct {
	Name, Path string
	MadeAt     time.Time
	Size       int64
	Encrypted  bool
	// Of is the mark of the installation that made it, "" where its name does not say.
	Of string
}

const (
	namePrefix = "authy-"
	nameTime   = "20060102t150405z"
	nameSuffix = ".backup"
	ageSuffix  = ".age"
)

// nameOf is the name of a backup that an installation makes.
func nameOf(now time.Time, of string, encrypted bool) string {
	name := namePrefix + now.UTC().Format(nameTime) + "-" + of + nameSuffix
	if encrypted {
		name += ageSuffix
	}
	return name
}

// readName says when a backup was made and whose it is, if it is the name of one.
func readName(name string) (at time.Time, of string, ok bool) {
	text, isBackup := strings.CutSuffix(strings.TrimSuffix(name, ageSuffix), nameSuffix)
	text, isOurs := strings.CutPrefix(text, namePrefix)
	text, of, _ = strings.Cut(text, "-")
	at, err := time.Parse(nameTime, text)
	return at, of, isBackup && isOurs && err == nil
}

// fileAt describes the file of a backup, whatever it is called, and whoever may read it.
func fileAt(path string, encrypted bool) (File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return File{}, err
	}
	f := File{Name: filepath.Base(path), Path: path, Size: info.Size(), MadeAt: info.ModTime().UTC(), Encrypted: encrypted}
	if at, of, ok := readName(f.Name); ok {
		f.MadeAt, f.Of = at, of
	}
	return f, nil
}

// Files are the backups of the installation in its directory, the newest first. Another may keep
// its own there: the name of each says whose it is, by a mark that the secret key gives.
func (s *Service) Files() ([]File, error) {
	files, err := Files(s.Dir())
	mark := s.mark()
	return slices.DeleteFunc(files, func(f File) bool { return f.Of != "" && f.Of != mark }), err
}

func (s *Service) mark() string { return hex.EncodeToString(s.db.MAC("backup", "installation")[:4]) }

// Files are the backups in a directory, whoever made them, the newest first.
func Files(dir string) (files []File, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for backups: %w", err)
	}
	for _, entry := range entries {
		if _, _, ok := readName(entry.Name()); !ok || !entry.Type().IsRegular() {
			continue
		}
		f, err := fileAt(filepath.Join(dir, entry.Name()), strings.HasSuffix(entry.Name(), ageSuffix))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("look at backup %s: %w", entry.Name(), err)
		}
		if err == nil {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Or(b.MadeAt.Compare(a.MadeAt), cmp.Compare(b.Name, a.Name)) })
	return files, nil
}

// surplus are those of files, the newest first, that no rule keeps.
func surplus(files []File, keep config.Backup) (out []File) {
	days, weeks := newest{keep.KeepDaily, ""}, newest{keep.KeepWeekly, ""}
	for i, f := range files {
		year, week := f.MadeAt.ISOWeek()
		ofDay, ofWeek := days.keeps(f.MadeAt.Format(time.DateOnly)), weeks.keeps(fmt.Sprint(year, week))
		if i >= keep.KeepLast && !ofDay && !ofWeek {
			out = append(out, f)
		}
	}
	return out
}

// newest keeps the newest of each of so many periods.
type newest struct {
	left int
	last string
}

func (n *newest) keeps(period string) bool {
	if n.left == 0 || period == n.last {
		return false
	}
	n.left, n.last = n.left-1, period
	return true
}

// keptTooMany is logged where prune fails.
const keptTooMany = "older backups are still there that are kept no longer"

// prune removes the backups that are kept no longer. It is called after one was made and
// found to be whole, which stays, whatever the clock says. One that cannot be removed keeps
// none of the others.
func (s *Service) prune(ctx context.Context, by audit.Actor, just string) (names []string, err error) {
	files, err := s.Files()
	if err != nil {
		return nil, err
	}
	for _, f := range surplus(files, s.config.Backup) {
		if f.Name == just {
			continue
		}
		event := audit.Event{Action: removed, Reason: "kept_no_longer", TargetKind: "backup", TargetID: f.Name}
		if failure := os.Remove(f.Path); failure != nil {
			event.Failed, event.Details = true, map[string]string{"error": audit.Cut(failure.Error(), 300)}
			err = errors.Join(err, fmt.Errorf("remove a backup that is kept no longer: %w", failure))
		} else {
			names = append(names, f.Name)
		}
		if failure := s.record(ctx, by, event); failure != nil {
			return names, errors.Join(err, failure)
		}
	}
	return names, err
}
