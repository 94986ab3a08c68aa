package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/storage"
)

// Why a backup is not restored.
var (
	errOtherKey = errors.New("the backup has another secret key than this configuration; " +
		"restore with --replace-secret-key to set the one in data_dir aside, or take security.secret_key out")
	errNoSecret = errors.New("the backup has no secret key, as none that is not encrypted has, and there is none here: " +
		"set security.secret_key, or put secret.key into data_dir, as it was when the backup was made")
)

// errMadeWithOther refuses a backup without a secret key that is not for the one there is.
var errMadeWithOther = errors.New("the backup was made with another secret key than there is here, and has none in it, " +
	"as none that is not encrypted has: set security.secret_key, or put secret.key into data_dir, as it was when the backup was made")

// Restoring says how a backup is restored.
type Restoring struct {
	// KeepHandedOut leaves sessions, tokens, links and keys as they were in the backup,
	// those that have been revoked since with them.
	KeepHandedOut bool
	// ReplaceSecret sets another secret key that there is aside.
	ReplaceSecret bool
}

// Restored is what became of a backup.
type Restored struct {
	// Ended is how many sessions and grants were ended.
	Ended int64
	// Aside is where the old database is, "" if there was none.
	Aside string
	// Damaged is why the old database could not be opened, "" if it could.
	Damaged string
	// SecretAside is where the old secret key is, "" if it was not replaced.
	SecretAside string
}

// CanRestore says why b cannot be restored by a configuration, with migrations in files,
// or nil. It changes nothing but that c gets to know the secret key.
func (b *Backup) CanRestore(c *config.Config, files fs.FS, r Restoring) error {
	if err := b.Contents.Loads(files); err != nil {
		return fmt.Errorf("%s: %w", b.path, err)
	}
	probe := *c
	known, err := probe.KnownSecret()
	switch {
	case err != nil:
		return err
	case !known && b.SecretKey == "":
		return errNoSecret
	case known && b.SecretKey != "" && string(probe.Security.SecretKey) != b.SecretKey &&
		(!r.ReplaceSecret || c.Security.SecretKey != ""):
		return errOtherKey
	case b.SecretKey == "" && !b.mark.Fits(probe.SecretBytes()):
		return errMadeWithOther
	}
	return nil
}

// Restore puts what is in the backup in the place of the database that c names, while no
// server uses it. The old database is set aside. Whatever authy has handed out is of no
// use afterwards, unless r says otherwise.
func (b *Backup) Restore(
	ctx context.Context, by audit.Actor, c *config.Config, files fs.FS, r Restoring,
) (out *Restored, err error) {
	if err := b.CanRestore(c, files, r); err != nil {
		return nil, err
	}
	now := time.Now()
	secret, err := b.secretFor(c)
	if err != nil {
		return nil, err
	}
	if err := c.MakeDataDir(); err != nil {
		return nil, err
	}
	old, damaged, err := storage.OpenToReplace(ctx, storage.Options{URL: c.DatabaseURL(), Secret: secret})
	if err != nil {
		return nil, err
	}
	out = &Restored{Damaged: damaged}
	unlock, err := old.LockAlone()
	if err != nil {
		return nil, errors.Join(err, old.Close())
	}
	defer unlock()
	fresh, err := old.Replace(ctx, files)
	if err != nil {
		return nil, errors.Join(err, old.Close())
	}
	defer func() { err = errors.Join(err, fresh.Discard()) }()
	if out.Ended, err = b.load(ctx, by, now, fresh, secret, r); err != nil {
		return nil, errors.Join(err, old.Close())
	}
	if err := old.Close(); err != nil {
		return nil, fmt.Errorf("close the old database: %w", err)
	}
	if err := b.publish(ctx, c, fresh, r, now, out); err != nil {
		return nil, err
	}
	return out, nil
}

// publish puts the new database in its place, and its secret key right after. Until then that
// waits beside the one there is, where [Finish] finds it.
func (b *Backup) publish(
	ctx context.Context, c *config.Config, fresh *storage.Replacement, r Restoring, now time.Time, out *Restored,
) error {
	staged := &config.Staged{}
	var err error
	if b.SecretKey != "" {
		if staged, err = c.StageSecret(config.Secret(b.SecretKey), r.ReplaceSecret); err != nil {
			return err
		}
	}
	out.Aside, err = fresh.Publish(ctx, now)
	if err != nil {
		return errors.Join(err, settle(context.WithoutCancel(ctx), c, staged, now))
	}
	out.SecretAside, err = staged.Take(now)
	if err != nil && out.Aside != "" {
		err = fmt.Errorf("the old database is now %s; %w", out.Aside, err)
	}
	return err
}

// settle does with a secret key that waits what the database asks for that was not put in its
// place, as far as one knows: that may have failed when all was done.
func settle(ctx context.Context, c *config.Config, staged *config.Staged, now time.Time) error {
	path, waits := staged.Waits()
	if !waits {
		return nil
	}
	is, err := isKeyOf(ctx, c, staged)
	switch {
	case err != nil:
		return fmt.Errorf("whether the database is that of the backup is not known; if it is, "+
			"the next start takes its secret key from %s: %w", path, err)
	case is:
		_, err := staged.Take(now)
		return err
	}
	return staged.Discard()
}

// isKeyOf says whether the database was made with a secret key that waits.
func isKeyOf(ctx context.Context, c *config.Config, staged *config.Staged) (bool, error) {
	probe := *c
	probe.Security.SecretKey = staged.Key()
	return storage.MadeWith(ctx, storage.Options{URL: c.DatabaseURL(), Secret: probe.SecretBytes()})
}

// Finish ends a restore that was interrupted between the database and its secret key: the key
// that waits takes its place. It says whether there was one, and where the old one is, if any.
func Finish(ctx context.Context, c *config.Config) (aside string, finished bool, err error) {
	staged, err := c.StagedSecret()
	if staged == nil || err != nil {
		return "", false, err
	}
	if is, err := isKeyOf(ctx, c, staged); err != nil || !is {
		return "", false, nil // whoever opens the database says what is wrong with it
	}
	aside, err = staged.Take(time.Now())
	return aside, err == nil, err
}

// Unfinished says whether there is a restore that [Finish] would end.
func Unfinished(ctx context.Context, c *config.Config) bool {
	staged, err := c.StagedSecret()
	if staged == nil || err != nil {
		return false
	}
	is, err := isKeyOf(ctx, c, staged)
	return is && err == nil
}

// secretFor is what is derived from the secret key that the database will have, which is
// the backup's where it has one.
func (b *Backup) secretFor(c *config.Config) ([]byte, error) {
	probe := *c
	if b.SecretKey != "" {
		probe.Security.SecretKey = config.Secret(b.SecretKey)
	}
	if _, err := probe.KnownSecret(); err != nil {
		return nil, err
	}
	return probe.SecretBytes(), nil
}

// load makes the new database, ends what was handed out, and records both there.
func (b *Backup) load(
	ctx context.Context, by audit.Actor, now time.Time, fresh *storage.Replacement, secret []byte, r Restoring,
) (ended int64, err error) {
	err = b.read(func(in io.Reader) error {
		_, err := fresh.Load(ctx, secret, in)
		return err
	})
	if err != nil {
		return 0, err
	}
	if !r.KeepHandedOut {
		if ended, err = fresh.RaiseEpoch(ctx, now); err != nil {
			return 0, fmt.Errorf("end sessions and tokens: %w", err)
		}
	}
	event := audit.Event{
		Action: restored, TargetKind: "backup", TargetID: b.MadeAt.Format(time.RFC3339),
		Details: map[string]string{
			"made_by": b.Version, "rows": strconv.FormatInt(b.Contents.Rows(), 10),
			"ended": strconv.FormatInt(ended, 10), "handed_out_kept": strconv.FormatBool(r.KeepHandedOut),
		},
	}
	return ended, fresh.DB.Update(ctx, func(tx *storage.Tx) error { return audit.Record(ctx, tx, by, now, event) })
}
