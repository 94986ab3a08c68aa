package cmd

import (
	"fmt"
	"log/slog"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/backup"
	"authy/server/config"
)

// logLevel is that of commands: what is no trouble they say themselves.
const logLevel = slog.LevelWarn

// keyFlags say what opens a backup.
type keyFlags struct{ identity, passphrase string }

func (k *keyFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&k.identity, "identity-file", "", "`FILE` with the private key of age that opens it")
	c.Flags().StringVar(&k.passphrase, "passphrase-file", "", "`FILE` with the passphrase that opens it, in place of backup.passphrase")
}

// open reads a backup to its end.
func (k *keyFlags) open(c *cobra.Command, path string, set *config.Config) (*backup.Backup, error) {
	passphrase := set.Backup.Passphrase.Reveal()
	var keys []age.Identity
	var err error
	switch {
	case k.identity != "" && k.passphrase != "":
		return nil, misused(c, "--identity-file and --passphrase-file exclude each other")
	case k.identity != "":
		if keys, err = backup.KeysIn(k.identity); err != nil {
			return nil, err
		}
		return backup.Open(path, keys...)
	case k.passphrase != "":
		if passphrase, err = backup.PassphraseIn(k.passphrase); err != nil {
			return nil, err
		}
	}
	if passphrase != "" {
		key, err := backup.PassphraseKey(passphrase)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return backup.Open(path, keys...)
}

// restoreFlags are the flags of 'authy restore'.
type restoreFlags struct {
	backup.Restoring
	keys   keyFlags
	y      confirmation
	dryRun bool
	asJSON bool
}

func (a *app) restoreCommand() *cobra.Command {
	var f restoreFlags
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the database",
		Long: `Put a backup in the place of the database that is set, on SQLite or PostgreSQL,
wherever the backup was made. No server may use the database meanwhile. The backup is
read to its end first: one that was cut short, changed, or encrypted for another key
is refused, and nothing is changed. The old database is set aside.

Afterwards nobody is signed in. What was revoked after the backup was made would be
good again, so that every session, token, code, link, invitation and signing key of
the backup is ended; --keep-sessions leaves them, and is recorded. What people know
or have is as it was when the backup was made: passwords, second factors, roles,
and who has an account.

The secret key of an encrypted backup is put into data_dir where there is none.`,
		Example: `  authy restore authy-20261126t020000z-3f9a1c07.backup.age --identity-file backup.key
  authy restore authy-20261126t020000z-3f9a1c07.backup.age --identity-file backup.key --dry-run
  AUTHY_DATABASE_URL=postgres://authy@db/authy authy restore old.backup --yes`,
		Args: takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error { return a.restore(c, args[0], f) },
	}
	f.keys.add(c)
	f.y.add(c)
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "read the backup and say what would be done")
	c.Flags().BoolVar(&f.KeepHandedOut, "keep-sessions", false, "leave sessions, tokens, links and keys as they were, revoked since or not")
	c.Flags().BoolVar(&f.ReplaceSecret, "replace-secret-key", false, "set another secret key in data_dir aside")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return c
}

func (a *app) restore(c *cobra.Command, path string, f restoreFlags) error {
	if !f.dryRun {
		if err := a.canConfirm(c, f.y); err != nil {
			return err
		}
	}
	ctx := c.Context()
	set, _, err := a.configure(ctx, logLevel)
	if err != nil {
		return err
	}
	b, err := f.keys.open(c, path, set)
	if err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	if err := b.CanRestore(set, server.Migrations(), f.Restoring); err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	to := config.MaskURL(set.DatabaseURL())
	if f.dryRun {
		a.note("It would be restored to %s. Nothing was changed.", to)
		return a.tellBackup(b, f.asJSON)
	}
	question := fmt.Sprintf("Put the backup of %s, made at %s, in the place of %s?", b.PublicURL, instant(b.MadeAt), to)
	if err := a.confirm(ctx, f.y, question); err != nil {
		return err
	}
	done, err := b.Restore(ctx, audit.Shell(), set, server.Migrations(), f.Restoring)
	if err != nil {
		return explain(err)
	}
	return a.tellRestored(b, done, f)
}

func (a *app) tellRestored(b *backup.Backup, done *backup.Restored, f restoreFlags) error {
	if done.Damaged != "" {
		a.note("The old database is damaged (%s).", done.Damaged)
	}
	if done.Aside != "" {
		a.note("The old database is now %s; remove it once all is well.", done.Aside)
	}
	if done.SecretAside != "" {
		a.note("The old secret key is now %s.", done.SecretAside)
	}
	if f.KeepHandedOut {
		a.note("Sessions, tokens, links and keys are as they were: what was revoked since is good again.")
	} else {
		a.note("Ended %d sessions and grants, and all else that was handed out: everyone signs in again.", done.Ended)
	}
	a.note("Restored %d rows of %d tables, as they were at %s. Start the server now.",
		b.Contents.Rows(), len(b.Contents.Tables), instant(b.MadeAt))
	if !f.asJSON {
		return nil
	}
	return a.printJSON(struct {
		Rows      int64  `json:"rows"`
		Ended     int64  `json:"ended"`
		Aside     string `json:"aside"`
		SecretOld string `json:"secret_key_aside"`
	}{b.Contents.Rows(), done.Ended, done.Aside, done.SecretAside})
}
