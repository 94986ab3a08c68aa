package backup

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"filippo.io/age"

	"authy/storage"
)

// A backup is, inside of gzip, a line of JSON that is its [Manifest], and an archive of
// storage. Around that is age. Without encryption it begins with a line that says what it
// is, and ends with the SHA-256 of all before.

const (
	format      = 1
	openHead    = "authy-backup v1, not encrypted\n"
	ageHead     = "age-encryption.org/v1\n"
	maxManifest = 1 << 20
)

// Why a file is refused.
var (
	// ErrForeign refuses a file that is not a backup.
	ErrForeign = errors.New("it is not a backup of authy")
	// ErrDamaged refuses a backup that is not as it was written.
	ErrDamaged = errors.New("it is damaged: it was cut short or changed")
	// ErrKey refuses the key of another backup.
	ErrKey = errors.New("it was encrypted for another key or passphrase, or its beginning is damaged")
	// ErrNoKey refuses to open an encrypted backup without a key.
	ErrNoKey = errors.New("it is encrypted: name the file of its key, or of its passphrase")
)

// Manifest says what a backup is.
type Manifest struct {
	Format    int       `json:"authy_backup"`
	Version   string    `json:"authy_version"`
	MadeAt    time.Time `json:"made_at"`
	Engine    string    `json:"engine"`
	PublicURL string    `json:"public_url"`
	// Settings are those that are not empty; of secrets it says that they are set.
	Settings map[string]string `json:"settings"`
	// SecretKey is what stored secrets are sealed with; it is in encrypted backups only.
	SecretKey string `json:"secret_key,omitempty"`
}

// seal is how a backup is encrypted: by a recipient, or not at all.
type seal struct{ to age.Recipient }

// archiver writes what a backup is of.
type archiver func(out io.Writer) (*storage.Contents, error)

// write writes a backup of what archive writes.
func write(out io.Writer, s seal, m *Manifest, archive archiver) (*storage.Contents, error) {
	if s.to == nil {
		hash := sha256.New()
		both := io.MultiWriter(out, hash)
		if _, err := io.WriteString(both, openHead); err != nil {
			return nil, err
		}
		contents, err := pack(both, m, archive)
		if err != nil {
			return nil, err
		}
		_, err = out.Write(hash.Sum(nil))
		return contents, err
	}
	sealed, err := age.Encrypt(out, s.to)
	if err != nil {
		return nil, err
	}
	contents, err := pack(sealed, m, archive)
	if err != nil {
		return nil, err // and not the end: without it the file is not whole
	}
	return contents, sealed.Close()
}

// pack writes what is inside.
func pack(out io.Writer, m *Manifest, archive archiver) (*storage.Contents, error) {
	packed, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(packed).Encode(m); err != nil {
		return nil, err
	}
	contents, err := archive(packed)
	if err != nil {
		return nil, err
	}
	return contents, packed.Close()
}

// Backup is one that was read to its end and found to be whole.
type Backup struct {
	Manifest
	Contents *storage.Contents
	// Encrypted says whether it was.
	Encrypted bool

	path string
	keys []age.Identity
	mark storage.KeyMark
}

// Open reads a backup to its end. It returns one of the errors of this package, with the
// path, if the file is not a whole backup that one of the keys opens.
func Open(path string, keys ...age.Identity) (*Backup, error) {
	b := &Backup{path: path, keys: keys}
	err := b.read(func(in io.Reader) (err error) {
		b.Contents, b.mark, err = storage.CheckArchive(in)
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// read calls fn with the archive, which it reads to its end.
func (b *Backup) read(fn func(io.Reader) error) error {
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	if err := b.readFile(f, fn); err != nil {
		return fmt.Errorf("%s: %w", b.path, err)
	}
	return nil
}

func (b *Backup) readFile(f *os.File, fn func(io.Reader) error) error {
	packed, err := b.unseal(f)
	if err != nil {
		return err
	}
	plain, err := gzip.NewReader(packed)
	if err != nil {
		return damaged(err)
	}
	in := bufio.NewReaderSize(plain, 64<<10)
	if err := b.readManifest(in); err != nil {
		return err
	}
	if err := fn(in); err != nil {
		return damaged(err)
	}
	if n, err := io.Copy(io.Discard, in); n > 0 || err != nil {
		return ErrDamaged
	}
	return nil
}

// damaged is err as what it says of the file, unless it says something else.
func damaged(err error) error {
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return err
	}
	switch {
	case errors.Is(err, storage.ErrArchive), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF),
		errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), isUnreadable(err):
		return ErrDamaged
	}
	return err
}

// readManifest reads the first line.
func (b *Backup) readManifest(in *bufio.Reader) error {
	line, err := io.ReadAll(io.LimitReader(&lineReader{in: in}, maxManifest))
	if err != nil {
		return damaged(err)
	}
	var m Manifest
	if err := json.Unmarshal(line, &m); err != nil || m.Format == 0 {
		return ErrForeign
	}
	if m.Format != format {
		return fmt.Errorf("it is of format %d, and this authy reads %d: use a newer authy", m.Format, format)
	}
	b.Manifest = m
	return nil
}

// unseal returns what is inside of the encryption, or of the checksum.
func (b *Backup) unseal(f *os.File) (io.Reader, error) {
	head := make([]byte, max(len(openHead), len(ageHead)))
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte(openHead)):
		return checked(f)
	case !bytes.HasPrefix(head, []byte(ageHead)):
		return nil, ErrForeign
	case len(b.keys) == 0:
		return nil, ErrNoKey
	}
	b.Encrypted = true
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	in, err := age.Decrypt(bufio.NewReaderSize(f, 64<<10), b.keys...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, ErrKey
	}
	if err != nil {
		return nil, ErrDamaged
	}
	return unreadable{in}, nil
}

// checked reads an unencrypted backup, whose sum it has checked.
func checked(f *os.File) (io.Reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size() - sha256.Size
	if size < int64(len(openHead)) {
		return nil, ErrDamaged
	}
	hash, sum := sha256.New(), make([]byte, sha256.Size)
	if _, err := io.Copy(hash, io.NewSectionReader(f, 0, size)); err != nil {
		return nil, err
	}
	if _, err := f.ReadAt(sum, size); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(sum, hash.Sum(nil)) != 1 {
		return nil, ErrDamaged
	}
	return unreadable{io.NewSectionReader(f, int64(len(openHead)), size-int64(len(openHead)))}, nil
}

// unreadable marks what a reader says of its content: age and gzip have errors of their
// own for what was changed.
type unreadable struct{ in io.Reader }

type unreadableError struct{ error }

// Read implements [io.Reader].
func (u unreadable) Read(p []byte) (int, error) {
	n, err := u.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		if _, ok := errors.AsType[*os.PathError](err); !ok {
			err = unreadableError{err}
		}
	}
	return n, err
}

func isUnreadable(err error) bool {
	_, marked := errors.AsType[unreadableError](err)
	return marked
}

// lineReader reads a line and is at its end then.
type lineReader struct {
	in   *bufio.Reader
	over bool
}

// Read implements [io.Reader].
func (l *lineReader) Read(p []byte) (n int, err error) {
	for n < len(p) && !l.over {
		if p[n], err = l.in.ReadByte(); err != nil {
			return n, err
		}
		l.over = p[n] == '\n'
		n++
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
