package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/backup"
)

// backupFlags are the flags of 'authy backup'.
type backupFlags struct {
	backup.Options
	passphraseFile string
	asJSON         bool
}

func (a *app) backupCommand() *cobra.Command {
	var f backupFlags
	c := &cobra.Command{
		Use:   "backup",
		Short: "Back everything up while the server runs",
		Long: `Write everything that authy keeps to one file, while the server runs: the database
as it is at one moment, the secret key, and the settings without secrets. The file is
encrypted with age, to a public key or with a passphrase, and is read again before it
gets its name.

Without --to it goes to backup.dir, where older backups are then removed that
backup.keep_last, backup.keep_daily and backup.keep_weekly do not keep.
With backup.every the server makes backups by itself.`,
		Example: `  authy backup --recipient age1…
  authy backup --to /mnt/other-disk --passphrase-file passphrase.txt
  authy backup --to today.backup --unencrypted`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return a.makeBackup(c, f) },
	}
	c.Flags().StringVar(&f.To, "to", "", "`DIR-or-FILE` to write to, in place of backup.dir")
	c.Flags().StringVar(&f.Recipient, "recipient", "", "public `KEY` of age, age1…, to encrypt to")
	c.Flags().StringVar(&f.passphraseFile, "passphrase-file", "", "`FILE` with the passphrase to encrypt with")
	c.Flags().BoolVar(&f.Unencrypted, "unencrypted", false, "do not encrypt, and leave the secret key out")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	c.AddCommand(a.backupListCommand(), a.backupVerifyCommand())
	return c
}

func (a *app) makeBackup(c *cobra.Command, f backupFlags) error {
	if f.Unencrypted && (f.Recipient != "" || f.passphraseFile != "") || f.Recipient != "" && f.passphraseFile != "" {
		return misused(c, "--recipient, --passphrase-file and --unencrypted exclude each other")
	}
	if f.passphraseFile != "" {
		var err error
		if f.Passphrase, err = backup.PassphraseIn(f.passphraseFile); err != nil {
			return err
		}
	}
	ctx := c.Context()
	return a.with(ctx, func(s *server.Services) error {
		s.Backups.Version = version()
		m, err := s.Backups.Make(ctx, audit.Shell(), f.Options)
		if m == nil {
			return hintAtKeys(err)
		}
		return errors.Join(a.tellMade(m, f.asJSON), err)
	})
}

// hintAtKeys says what to do where a backup would be readable for anyone.
func hintAtKeys(err error) error {
	if !errors.Is(err, backup.ErrOpen) {
		return err
	}
	first, rest, _ := strings.Cut(err.Error(), "\n") // that the attempt is not recorded, perhaps
	hinted := errors.New(first + " Or name --recipient or --passphrase-file; --unencrypted makes one that anyone can read")
	if rest == "" {
		return hinted
	}
	return errors.Join(hinted, errors.New(rest))
}

// madeOut is a backup that was made, as programs see it.
type madeOut struct {
	fileOut
	SHA256  string   `json:"sha256"`
	Tables  int      `json:"tables"`
	Rows    int64    `json:"rows"`
	Took    string   `json:"took"`
	Removed []string `json:"removed"`
}

func (a *app) tellMade(m *backup.Made, asJSON bool) error {
	if !m.Encrypted {
		a.note("It is not encrypted: whoever can read the file can read what is in it. The secret key is not; keep it elsewhere.")
	}
	for _, name := range m.Removed {
		a.note("Removed %s, which is kept no longer.", name)
	}
	a.note("Backed up %d rows of %d tables to %s (%d bytes) in %s, and read it again.",
		m.Rows, m.Tables, m.Path, m.Size, m.Took.Round(time.Millisecond))
	if asJSON {
		return a.printJSON(madeOut{
			fileOutOf(&m.File), m.SHA256, m.Tables, m.Rows, m.Took.Round(time.Millisecond).String(), append([]string{}, m.Removed...),
		})
	}
	return a.printLine(m.Path)
}

// fileOut is the file of a backup as programs see it.
type fileOut struct {
	Path      string    `json:"path"`
	MadeAt    time.Time `json:"made_at"`
	Size      int64     `json:"size"`
	Encrypted bool      `json:"encrypted"`
}

func fileOutOf(f *backup.File) fileOut { return fileOut{f.Path, f.MadeAt, f.Size, f.Encrypted} }

func (a *app) backupListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the backups in backup.dir",
		Long:  `List the backups in backup.dir, the newest first.`,
		Example: `  authy backup list
  authy backup list --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return a.listBackups(c.Context(), asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) listBackups(ctx context.Context, asJSON bool) error {
	c, err := a.ready(ctx)
	if err != nil {
		return err
	}
	files, err := backup.Files(backup.Dir(c))
	if err != nil {
		return err
	}
	out, rows := make([]fileOut, len(files)), make([][]string, len(files))
	for i := range files {
		out[i] = fileOutOf(&files[i])
		rows[i] = []string{files[i].Path, instant(files[i].MadeAt), fmt.Sprint(files[i].Size), yesOrNo(files[i].Encrypted)}
	}
	if asJSON {
		return a.printJSON(out)
	}
	return a.printTable([]string{"FILE", "MADE", "BYTES", "ENCRYPTED"}, rows)
}

func (a *app) backupVerifyCommand() *cobra.Command {
	var keys keyFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Read a backup to its end and say what is in it",
		Long: `Read a backup to its end, compare each table with its checksum, and say what is in
it. A file that was cut short or changed is refused, as by 'authy restore'.`,
		Example: `  authy backup verify authy-20261126t020000z-3f9a1c07.backup.age --identity-file backup.key
  authy backup verify authy-20261126t020000z-3f9a1c07.backup.age --passphrase-file passphrase.txt`,
		Args: takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			config, _, err := a.configure(c.Context(), logLevel)
			if err != nil {
				return err
			}
			b, err := keys.open(c, args[0], config)
			if err != nil {
				return err
			}
			return a.tellBackup(b, asJSON)
		},
	}
	keys.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// backupOut is what is in a backup as programs see it.
type backupOut struct {
	backup.Manifest
	Encrypted bool `json:"encrypted"`
	Contents  any  `json:"contents"`
}

func (a *app) tellBackup(b *backup.Backup, asJSON bool) error {
	a.note("The backup is whole: %d rows of %d tables.", b.Contents.Rows(), len(b.Contents.Tables))
	if asJSON {
		m := b.Manifest
		if m.SecretKey != "" {
			m.SecretKey = "[set]"
		}
		return a.printJSON(backupOut{m, b.Encrypted, b.Contents})
	}
	secret := "in it"
	if b.SecretKey == "" {
		secret = "not in it"
	}
	return a.printTable(nil, [][]string{
		{"made at", instant(b.MadeAt)},
		{"made by", "authy " + b.Version + " on " + b.Engine},
		{"server", b.PublicURL},
		{"schema", b.Contents.Newest()},
		{"rows", fmt.Sprint(b.Contents.Rows())},
		{"encrypted", yesOrNo(b.Encrypted)},
		{"secret key", secret},
	})
}
