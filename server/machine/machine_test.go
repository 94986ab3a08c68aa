package machine

import (
	"context"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

func TestASoundMachineHasNothingWrong(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		record(t, db, time.Now())
		found, err := Look(t.Context(), Ground{DB: db}, time.Now())
		if err != nil || len(found) > 0 {
			t.Errorf("found %v, %v", found, err)
		}
	})
}

func TestAClockThatWentBackIsSaid(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		now := time.Now()
		record(t, db, now)
		for off, wrong := range map[time.Duration]bool{-20 * time.Second: false, -time.Hour: true, time.Hour: false} {
			found, err := Look(t.Context(), Ground{DB: db}, now.Add(off))
			if err != nil {
				t.Fatal(err)
			}
			if said := len(found) == 1 && found[0].Name == ClockOff && strings.Contains(found[0].Text, "set it"); said != wrong {
				t.Errorf("with a clock that is %s off: %v", off, found)
			}
		}
	})
}

func record(t *testing.T, db *storage.DB, at time.Time) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *storage.Tx) error {
		return audit.Record(context.WithoutCancel(t.Context()), tx, audit.Shell(), at,
			audit.Event{Action: "mail.test", TargetKind: "mail"})
	})
	if err != nil {
		t.Fatal(err)
	}
}

const mountinfo = `21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
35 21 0:30 / /srv rw - nfs4 nas:/export rw,vers=4.2
36 35 254:1 / /srv/local rw shared:7 master:2 - xfs /dev/vdb rw
37 21 0:31 / /mnt/my\040share rw - cifs //nas/share rw
38 21 0:32 / /over rw - nfs nas:/x rw
39 38 254:2 / /over rw - ext4 /dev/vdc rw
40 21 0:33 / /home/me/remote rw - fuse.sshfs host:/ rw
broken line
`

func TestANetworkDiskIsSaid(t *testing.T) {
	t.Parallel()
	for path, kind := range map[string]string{
		"/var/lib/authy/authy.db":      "",
		"/srv/authy/authy.db":          "nfs4",
		"/srv-not/authy.db":            "",
		"/srv/local/authy.db":          "",
		"/mnt/my share/authy.db":       "cifs",
		"/over/authy.db":               "",
		"/home/me/remote/authy-data/x": "fuse.sshfs",
	} {
		text := wrongMount(mountinfo, path)
		if kind == "" && text != "" || kind != "" && !strings.Contains(text, "("+kind+", mounted at ") {
			t.Errorf("%s: %q, want %q", path, text, kind)
		}
	}
	if text := wrongMount("", "/var/lib/authy/authy.db"); text != "" {
		t.Errorf("where nothing is known: %q", text)
	}
}
