package storage

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"authy/storage/disk"
)

// A snapshot is an archive of the database, compressed, that is made before its schema
// changes. Its name is when it was made, and the number of the schema's newest step.

const (
	// keptSnapshots is of how many schemas the newest one is kept.
	keptSnapshots = 3
	// snapshotTime is how the name of a snapshot says when it was made.
	snapshotTime   = "20060102T150405.000Z"
	snapshotSuffix = ".jsonl.gz"
	// partSuffix is of what is being written, or was when its process was killed.
	partSuffix = ".part"
	// unfinishedName is of the file that says which migration has begun and not ended.
	unfinishedName = "unfinished"
)

// ErrNoRoom says that the disk has no room for a snapshot.
var ErrNoRoom = errors.New("storage: the disk has no room for a snapshot")

// Snapshot is one that was made.
type Snapshot struct {
	Name string
	At   time.Time
	// Schema is the number of the newest step that the database had been through.
	Schema string
	Bytes  int64
}

// Snapshots lists the snapshots in a directory, the newest first. There are none where
// there is no directory.
func Snapshots(dir string) ([]Snapshot, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	var found []Snapshot
	for _, e := range entries {
		base, ok := strings.CutSuffix(e.Name(), snapshotSuffix)
		stamp, schema, _ := strings.Cut(base, "-")
		at, err := time.Parse(snapshotTime, stamp)
		if !ok || err != nil {
			continue // somebody else's
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("list snapshots: %w", err)
		}
		found = append(found, Snapshot{Name: e.Name(), At: at, Schema: schema, Bytes: info.Size()})
	}
	slices.SortFunc(found, func(a, b Snapshot) int { return strings.Compare(b.Name, a.Name) })
	return found, nil
}

// snapshotBefore makes a snapshot before the schema moves to the step called target, unless
// none are wanted. A migration that had begun and not ended goes on without: its snapshot
// is of the schema that an older authy can use, and this one would not be.
func (db *DB) snapshotBefore(
	ctx context.Context, files fs.FS, steps []Migration, target string, now time.Time,
) error {
	if db.snapshots == "" {
		return nil
	}
	if target != "" {
		begun, err := unfinished(db.snapshots, steps)
		if err != nil {
			return fmt.Errorf("look for the snapshot of a migration that has not ended: %w", err)
		}
		if begun != "" {
			slog.InfoContext(ctx, "a migration that has not ended goes on; its snapshot is kept", "snapshot", begun)
			return nil
		}
	}
	began := time.Now()
	path, err := db.makeSnapshot(ctx, files, steps, now)
	if err == nil {
		err = markUnfinished(path, target)
	}
	if err != nil {
		return fmt.Errorf("make a snapshot before the schema changes, which it has not: %w", err)
	}
	slog.InfoContext(ctx, "snapshot made", "path", path, "took", time.Since(began))
	return pruneSnapshots(db.snapshots)
}

// markUnfinished says which snapshot was made before the migration to the step called target.
func markUnfinished(snapshot, target string) error {
	dir, name := filepath.Split(snapshot)
	path := filepath.Join(dir, unfinishedName)
	if err := os.WriteFile(path, []byte(name+" "+target+"\n"), 0o600); err != nil {
		return err
	}
	return errors.Join(disk.Sync(path), disk.SyncDir(dir))
}

// unfinished is the name of the snapshot that was made before a migration of which some
// steps are applied and the last is not, "" if there is none.
func unfinished(dir string, steps []Migration) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, unfinishedName))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	name, target, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	found, err := Snapshots(dir)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(found, func(s Snapshot) bool { return s.Name == name })
	ended := slices.ContainsFunc(steps, func(m Migration) bool { return m.Name == target && !m.AppliedAt.IsZero() })
	if i < 0 || ended || schemaOf(steps) <= found[i].Schema {
		return "", nil
	}
	return name, nil
}

// finished says that the migration has ended for which the last snapshot was made. Where it
// cannot, the step that is applied says so, too.
func (db *DB) finished(ctx context.Context) {
	if db.snapshots == "" {
		return
	}
	if err := os.Remove(filepath.Join(db.snapshots, unfinishedName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		slog.WarnContext(ctx, "the mark of a migration that has ended could not be removed", "err", err)
	}
}

// schemaOf is the number of the newest step that is applied.
func schemaOf(steps []Migration) (schema string) {
	for _, step := range steps {
		if !step.AppliedAt.IsZero() {
			schema, _, _ = strings.Cut(step.Name, "_")
		}
	}
	return schema
}

func (db *DB) makeSnapshot(ctx context.Context, files fs.FS, steps []Migration, now time.Time) (string, error) {
	if err := os.MkdirAll(db.snapshots, 0o700); err != nil {
		return "", err
	}
	if err := removeParts(db.snapshots); err != nil {
		return "", err
	}
	if err := db.checkRoom(ctx); err != nil {
		return "", err
	}
	path := filepath.Join(db.snapshots, now.UTC().Format(snapshotTime)+"-"+schemaOf(steps)+snapshotSuffix)
	if err := db.writeSnapshot(ctx, files, path+partSuffix); err != nil {
		if err := os.Remove(path + partSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			slog.WarnContext(ctx, "what is left of a snapshot could not be removed", "err", err)
		}
		return "", err
	}
	if err := os.Rename(path+partSuffix, path); err != nil {
		return "", err
	}
	return path, disk.SyncDir(db.snapshots)
}

// checkRoom finds out before anything is written that the disk is too full. An archive is
// smaller than its database, which has indexes, too.
func (db *DB) checkRoom(ctx context.Context) error {
	need, err := db.engine.size(ctx)
	if err != nil {
		return err
	}
	space := disk.SpaceAt(db.snapshots)
	if space.Total > 0 && space.Free < need {
		return fmt.Errorf("%w: %s has %d MB left, and up to %d MB are needed; make room, or set "+
			"database.snapshot = false to go without", ErrNoRoom, db.snapshots, space.Free>>20, need>>20)
	}
	return nil
}

func (db *DB) writeSnapshot(ctx context.Context, files fs.FS, path string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := disk.Narrow(f); err != nil { // before there is anything in it
		return err
	}
	packed, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := db.WriteArchive(ctx, files, packed); err != nil {
		return err
	}
	return errors.Join(packed.Close(), f.Sync())
}

// removeParts removes what killed processes left. No other process makes a snapshot.
func removeParts(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, "*"+snapshotSuffix+partSuffix))
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove what is left of a snapshot: %w", err)
		}
	}
	return nil
}

// pruneSnapshots keeps the newest snapshot of each of the last schemas, however often one
// schema was left: the way back to an older one stays.
func pruneSnapshots(dir string) error {
	found, err := Snapshots(dir)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, s := range found {
		if !kept[s.Schema] && len(kept) < keptSnapshots {
			kept[s.Schema] = true
			continue
		}
		if err := os.Remove(filepath.Join(dir, s.Name)); err != nil {
			return fmt.Errorf("remove an old snapshot: %w", err)
		}
	}
	return nil
}

// Return is what became of [DB.GoBack].
type Return struct {
	// Contents is what was in the snapshot.
	Contents *Contents
	// Aside is the name under which the newer database is kept.
	Aside string
	// Ended is how many sessions and grants were ended; see [Replacement.RaiseEpoch].
	Ended int64
}

// GoBack makes the database what it was in a snapshot, with the schema that it had then,
// and sets the newer one aside. What was handed out is ended, because it may have been
// since, unless keepHandedOut. What event makes, if it is not nil, waits in the database then to
// be recorded. The database is closed. No server uses it.
func (db *DB) GoBack(
	ctx context.Context, files fs.FS, snapshot string, keepHandedOut bool, now time.Time, event Leaving,
) (back *Return, err error) {
	r, err := db.Replace(ctx, files)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Discard()) }()
	back = &Return{}
	if back.Contents, err = r.loadSnapshot(ctx, db.key, snapshot); err != nil {
		return nil, err
	}
	if !keepHandedOut {
		if back.Ended, err = r.RaiseEpoch(ctx, now); err != nil {
			return nil, err
		}
	}
	if err := r.leave(ctx, back.Contents, back.Ended, event); err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	back.Aside, err = r.Publish(ctx, now)
	return back, err
}

// loadSnapshot is LoadUnmoved of a file, which must be whole, and of the same secret key.
func (r *Replacement) loadSnapshot(ctx context.Context, key []byte, path string) (*Contents, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%w: snapshot %s: %w", ErrArchive, path, err)
	}
	whole := wholeReader{unpacked}
	contents, err := r.LoadUnmoved(ctx, key, whole)
	if err == nil {
		_, err = io.Copy(io.Discard, whole) // the end of the file has the sum of all that was unpacked
	}
	if err != nil {
		return nil, fmt.Errorf("read snapshot %s: %w", path, err)
	}
	return contents, r.DB.checkSecret(ctx)
}

// wholeReader is of an archive that was compressed: what does not unpack is none.
type wholeReader struct{ unpacked io.Reader }

// Read implements [io.Reader].
func (r wholeReader) Read(p []byte) (int, error) {
	n, err := r.unpacked.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", ErrArchive, err)
	}
	return n, err
}
