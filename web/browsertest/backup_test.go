package browsertest_test

import (
	"testing"
	"time"

	"authy/server/config"
	"authy/server/servertest"
)

// A backup is made from its page, and is in the list soon after.
func TestAnAdministratorMakesABackup(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.Backup.Dir, c.Backup.Passphrase = t.TempDir(), "the passphrase of this test"
	}})
	administers(t, s, rootAdmin)
	v := newTour(t, s)
	v.open("/sign-in")
	v.password(rootAdmin, rootPass, "#apps")
	v.open("/admin/backup")
	v.says("There is no backup.")
	v.Click("#make-backup", "h1")
	// The file is there a moment before it is recorded.
	for begun, made := time.Now(), false; !made && time.Since(begun) < time.Minute; _, made = v.Says("main", "When it was made") {
		v.open("/admin/backup")
	}
	v.says("When it was made")
	v.look("a backup")
	v.quiet()
}
