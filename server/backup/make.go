package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"authy/server/audit"
	"authy/server/config"
	"authy/storage"
	"authy/storage/disk"
)

// Options say how a backup is made, where that is not as it is set.
type Options struct {
	// To is the directory or the file that it goes to.
	To string
	// Recipient or Passphrase is what it is encrypted with.
	Recipient, Passphrase string
	// Unencrypted allows that it is not.
	Unencrypted bool
}

// Made is a backup that was made.
type Made struct {
	File
	SHA256 string
	Tables int
	Rows   int64
	Took   time.Duration
	// Removed are the files that are kept no longer.
	Removed []string
}

// Make makes a backup, reads it again, and removes those that are kept no longer where it
// goes to the directory that is set. A backup that is returned is whole, also where the error
// says that an older one could not be removed.
func (s *Service) Make(ctx context.Context, by audit.Actor, o Options) (*Made, error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	return s.make(ctx, by, o)
}

// Begin has a backup made, as it is set, while the caller goes on.
func (s *Service) Begin(ctx context.Context, by audit.Actor) error {
	if err := s.mayAdminister(ctx, by); err != nil {
		return err
	}
	if _, err := s.sealOf(&Options{}); err != nil {
		return err
	}
	if s.Running() {
		return ErrRunning
	}
	go func() {
		if m, err := s.make(context.WithoutCancel(ctx), by, Options{}); m == nil {
			slog.ErrorContext(ctx, "no backup was made", "err", err)
		} else if err != nil {
			slog.ErrorContext(ctx, keptTooMany, "err", err)
		}
	}()
	return nil
}

// Running says whether a backup is being made by this process.
func (s *Service) Running() bool {
	if s.running.TryLock() {
		s.running.Unlock()
		return false
	}
	return true
}

func (s *Service) make(ctx context.Context, by audit.Actor, o Options) (*Made, error) {
	if !s.running.TryLock() {
		return nil, ErrRunning
	}
	defer s.running.Unlock()
	m, err := s.makeFile(ctx, o)
	if ctx.Err() != nil && m == nil {
		return nil, err // it was stopped, which is no failure to look into
	}
	if err != nil {
		event := audit.Event{
			Action: failed, Failed: true, TargetKind: "backup", Details: map[string]string{"error": audit.Cut(err.Error(), 300)},
		}
		return nil, errors.Join(err, s.record(ctx, by, event))
	}
	if err := s.record(ctx, by, madeEvent(m)); err != nil {
		return nil, fmt.Errorf("the backup %s is whole, but could not be recorded: %w", m.Path, err)
	}
	if !m.Encrypted {
		slog.WarnContext(ctx, "the backup is not encrypted: who can read the file can read it; the secret key is not in it",
			"file", m.Path)
	}
	if filepath.Dir(m.Path) == filepath.Clean(s.Dir()) {
		m.Removed, err = s.prune(ctx, by, m.Name)
	}
	return m, err
}

func madeEvent(m *Made) audit.Event {
	return audit.Event{
		Action: made, TargetKind: "backup", TargetID: m.Name,
		Details: map[string]string{
			"bytes": strconv.FormatInt(m.Size, 10), "rows": strconv.FormatInt(m.Rows, 10), "sha256": m.SHA256,
			"encrypted": strconv.FormatBool(m.Encrypted), "milliseconds": strconv.FormatInt(m.Took.Milliseconds(), 10),
		},
	}
}

// record records an event of its own, however the caller fares.
func (s *Service) record(ctx context.Context, by audit.Actor, e audit.Event) error {
	ctx = context.WithoutCancel(ctx)
	return s.db.Update(ctx, func(tx *storage.Tx) error { return audit.Record(ctx, tx, by, time.Now(), e) })
}

// sealOf is how a backup is encrypted by o, which has what is set where it says nothing.
func (s *Service) sealOf(o *Options) (seal, error) {
	set := s.config.Backup
	if o.Recipient == "" && o.Passphrase == "" && !o.Unencrypted {
		o.Recipient, o.Unencrypted = set.Recipient, set.Unencrypted
		if o.Recipient == "" {
			o.Passphrase = set.Passphrase.Reveal()
		}
	}
	one, err := sealFor(o.Recipient, o.Passphrase)
	if err == nil && one.to == nil && !o.Unencrypted {
		err = ErrOpen
	}
	return one, err
}

// makeFile makes the file of a backup under another name, and gives it its own once it
// was read again.
func (s *Service) makeFile(ctx context.Context, o Options) (m *Made, err error) {
	now := time.Now()
	seal, err := s.sealOf(&o)
	if err != nil {
		return nil, err
	}
	path, err := s.pathFor(o.To, now, seal.to != nil)
	if err != nil {
		return nil, err
	}
	f, err := createPartial(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := f.Close(); !errors.Is(closed, os.ErrClosed) {
			err = errors.Join(err, closed)
		}
		if err != nil {
			err = errors.Join(fmt.Errorf("make a backup: %w", err), os.Remove(f.Name()))
		}
	}()
	hash := sha256.New()
	contents, err := write(io.MultiWriter(f, hash), seal, s.manifest(now, seal.to != nil), func(out io.Writer) (*storage.Contents, error) {
		return s.db.WriteArchive(ctx, s.files, out)
	})
	if err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	if err := reread(f.Name(), sum, o.Passphrase, seal); err != nil {
		return nil, fmt.Errorf("read it again: %w", err)
	}
	if err := disk.Publish(f, path); err != nil {
		return nil, err
	}
	file, err := fileAt(path, seal.to != nil)
	if err != nil {
		return nil, err
	}
	return &Made{
		File: file, SHA256: sum, Tables: len(contents.Tables), Rows: contents.Rows(), Took: time.Since(now),
	}, nil
}

// manifest is that of a backup of the server.
func (s *Service) manifest(now time.Time, secret bool) *Manifest {
	m := &Manifest{
		Format: format, Version: s.Version, MadeAt: now.UTC(), PublicURL: s.config.PublicURL, Settings: map[string]string{},
	}
	m.Engine, _, _ = strings.Cut(s.config.DatabaseURL(), ":")
	for _, one := range config.ReportOf(s.config).Settings() {
		if one.Value != "" {
			m.Settings[one.Key] = one.Value
		}
	}
	if secret {
		m.SecretKey = s.config.Security.SecretKey.Reveal()
	}
	return m
}

// reread reads a file as it is on the disk: all of what is in it, or where only somebody
// else has the key, each byte.
func reread(path, sum, passphrase string, by seal) error {
	found, err := sumOf(path)
	if err == nil && found != sum {
		err = ErrDamaged
	}
	if err != nil || passphrase == "" && by.to != nil {
		return err
	}
	var keys []age.Identity
	if passphrase != "" {
		key, err := PassphraseKey(passphrase)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	_, err = Open(path, keys...)
	return err
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // only read
	hash := sha256.New()
	_, err = io.Copy(hash, f)
	return hex.EncodeToString(hash.Sum(nil)), err
}

// pathFor is the path of a new backup in a directory, or one that is no directory.
func (s *Service) pathFor(to string, now time.Time, encrypted bool) (string, error) {
	if to == "" {
		to = s.Dir()
		if err := os.MkdirAll(to, 0o700); err != nil {
			return "", fmt.Errorf("make the directory of backups: %w", err)
		}
	}
	path := filepath.Clean(to)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, nameOf(now, s.mark(), encrypted))
	}
	if _, err := os.Lstat(path); err == nil {
		return "", fmt.Errorf("make a backup: %s is there already; name another file", path)
	}
	return path, nil
}

// A file that is being written has a name that is not a backup's, and a lock, by which it
// is known from one whose writer was killed.
const partialPrefix, partialSuffix = ".authy-backup-", ".partial"

// createPartial makes the file in which path is written, and removes what others have left.
func createPartial(ctx context.Context, path string) (*os.File, error) {
	dir := filepath.Dir(path)
	left, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("make a backup: %w", err)
	}
	for _, old := range left {
		if !strings.HasPrefix(old.Name(), partialPrefix) || !strings.HasSuffix(old.Name(), partialSuffix) {
			continue
		}
		if err := removeAbandoned(filepath.Join(dir, old.Name())); err != nil {
			slog.WarnContext(ctx, "what is left of a backup could not be removed", "err", err)
		}
	}
	f, err := os.CreateTemp(dir, partialPrefix+"*"+partialSuffix) // 0600
	if err != nil {
		return nil, fmt.Errorf("make a backup: %w", err)
	}
	if err := errors.Join(disk.Lock(f), disk.Narrow(f)); err != nil {
		return nil, errors.Join(fmt.Errorf("make a backup: %w", err), f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// removeAbandoned removes a file that nobody writes any more.
func removeAbandoned(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if disk.Lock(f) != nil { // it is being written
		return f.Close()
	}
	return disk.Remove(f)
}
