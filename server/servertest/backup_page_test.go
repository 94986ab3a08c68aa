package servertest_test

import (
	"strings"
	"testing"
	"time"

	"authy/server/backup"
	"authy/server/config"
	"authy/server/servertest"
)

func TestABackupIsMadeFromItsPage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.Backup.Dir, c.Backup.Passphrase = dir, "the passphrase of this test"
	}})
	stranger, member, v := newVisitor(t, s), newVisitor(t, s), rootVisitor(t, s)
	s.SignIn(t, member.browser, bob, bobPass)
	stranger.leads(stranger.get("/admin/backup"), "/sign-in")
	member.shows(member.get("/admin/backup"), 403)
	member.shows(member.post("/admin/backup"), 403)

	v.shows(v.get("/admin/backup"), 200, "There is no backup.", "With a passphrase", dir, "authy restore FILE")
	v.leads(v.post("/admin/backup"), "/admin/backup")
	page := v.get("/admin/backup")
	for deadline := time.Now().Add(time.Minute); !strings.Contains(page.Body, "When it was made"); page = v.get("/admin/backup") {
		if time.Now().After(deadline) {
			t.Fatalf("no backup was made in a minute:\n%s", page.Body)
		}
		time.Sleep(20 * time.Millisecond)
	}
	files, err := backup.Files(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("the files are %+v, %v", files, err)
	}
	v.shows(page, 200, files[0].Name, "When it was made", `id="make-backup"`)
	if strings.Contains(page.Body, "the passphrase of") {
		t.Error("the page shows the passphrase")
	}
	p := rooted(t, s)
	o := p.call("GET", "/api/v1/admin/backups", nil).succeeded(200, "Backups retrieved successfully")
	if o.at("count") != 1.0 || o.at("encryption") != "passphrase" {
		t.Errorf("the API says %s", o.Raw)
	}
	time.Sleep(time.Until(files[0].MadeAt.Add(2 * time.Second))) // each second has a name of its own
	p.call("POST", "/api/v1/admin/backups", nil).succeeded(202, "Backup begun")
	for deadline := time.Now().Add(time.Minute); p.call("GET", "/api/v1/admin/backups", nil).at("count") != 2.0; {
		if time.Now().After(deadline) {
			t.Fatal("the API made no backup in a minute")
		}
		time.Sleep(20 * time.Millisecond)
	}
	key, err := backup.PassphraseKey("the passphrase of this test")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := backup.Open(files[0].Path, key); err != nil || b.PublicURL != s.URL {
		t.Errorf("Open(%s) = %+v, %v", files[0].Path, b, err)
	}
}

func TestNoBackupThatAnyoneCanReadIsMadeFromThePage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := rootVisitor(t, s)
	page := v.get("/admin/backup")
	v.shows(page, 200, "Nothing is set: no backup is made")
	if strings.Contains(page.Body, `id="make-backup"`) {
		t.Error("the page offers what is refused")
	}
	v.shows(v.post("/admin/backup"), 409, `id="problem"`, "would be readable for anyone")
}
