package backup

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/config"
)

func TestTheRulesSayWhichBackupsAreKept(t *testing.T) {
	t.Parallel()
	// One every six hours for 60 days; the newest is of a Thursday.
	newest := time.Date(2026, 11, 26, 18, 0, 0, 0, time.UTC)
	var files []File
	for i := range 240 {
		at := newest.Add(-6 * time.Hour * time.Duration(i))
		files = append(files, File{Name: nameOf(at, "0a1b2c3d", true), MadeAt: at})
	}
	tests := []struct {
		name string
		keep config.Backup
		want []string
	}{
		{"the latest", config.Backup{KeepLast: 2}, []string{"11-26 18", "11-26 12"}},
		{"of each day", config.Backup{KeepLast: 1, KeepDaily: 3}, []string{"11-26 18", "11-25 18", "11-24 18"}},
		{"of each week", config.Backup{KeepLast: 1, KeepWeekly: 3}, []string{"11-26 18", "11-22 18", "11-15 18"}},
		{"all rules", config.Backup{KeepLast: 2, KeepDaily: 2, KeepWeekly: 2}, []string{"11-26 18", "11-26 12", "11-25 18", "11-22 18"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			gone := map[string]bool{}
			for _, f := range surplus(files, tt.keep) {
				gone[f.Name] = true
			}
			var kept []string
			for _, f := range files {
				if !gone[f.Name] {
					kept = append(kept, f.MadeAt.Format("01-02 15"))
				}
			}
			if diff := cmp.Diff(tt.want, kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

func TestANameSaysWhenABackupWasMade(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 2, 0, 5, 0, time.UTC)
	for _, encrypted := range []bool{true, false} {
		name := nameOf(at, "0a1b2c3d", encrypted)
		if got, of, ok := readName(name); !ok || !got.Equal(at) || of != "0a1b2c3d" {
			t.Errorf("readName(%q) = %v, %s, %t", name, got, of, ok)
		}
	}
	if got, of, ok := readName("authy-20261126t020005z.backup"); !ok || !got.Equal(at) || of != "" {
		t.Errorf("one whose name does not say whose it is: %v, %s, %t", got, of, ok)
	}
	for _, name := range []string{"", "authy.db", "authy-x.backup", "authy-20261126t020005z", "a-20261126t020005z.backup"} {
		if _, _, ok := readName(name); ok {
			t.Errorf("%q is taken for a backup", name)
		}
	}
}
