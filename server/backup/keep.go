package backup

import (
	"cmp"
	"context"
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
}

const (
	namePrefix = "authy-"
	nameTime   = "20060102t150405z"
	nameSuffix = ".backup"
	ageSuffix  = ".age"
)

func nameOf(now time.Time, encrypted bool) string {
	name := namePrefix + now.UTC().Format(nameTime) + nameSuffix
	if encrypted {
		name += ageSuffix
	}
	return name
}

// timeIn is when a backup with a name was made, if it has the name of one.
func timeIn(name string) (time.Time, bool) {
	text, isBackup := strings.CutSuffix(strings.TrimSuffix(name, ageSuffix), nameSuffix)
	text, isOurs := strings.CutPrefix(text, namePrefix)
	at, err := time.Parse(nameTime, text)
	return at, isBackup && isOurs && err == nil
}

// fileAt describes the file of a backup, whatever it is called, and whoever may read it.
func fileAt(path string, encrypted bool) (File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return File{}, err
	}
	f := File{Name: filepath.Base(path), Path: path, Size: info.Size(), MadeAt: info.ModTime().UTC(), Encrypted: encrypted}
	if at, ok := timeIn(f.Name); ok {
		f.MadeAt = at
	}
	return f, nil
}

// Files are the backups in a directory, the newest first.
func Files(dir string) (files []File, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for backups: %w", err)
	}
	for _, entry := range entries {
		if _, ok := timeIn(entry.Name()); !ok || !entry.Type().IsRegular() {
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
	files, err := Files(s.Dir())
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
