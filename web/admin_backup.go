package web

import (
	"net/http"
	"time"

	"authy/server/backup"
	"authy/server/fault"
	"authy/server/session"
)

const backupPath = "/admin/backup"

func (wb *Web) registerAdminBackup(get, post func(path string, h handler)) {
	get(backupPath, wb.admin(wb.showBackups))
	post(backupPath, wb.admin(wb.makeBackup))
}

// adminBackupPage is the data of page "admin_backup".
type adminBackupPage struct {
	Problem, Dir, Encryption string
	Every                    string
	Last, Daily, Weekly      int
	CanMake, Running, Failed bool
	FailedAt                 time.Time
	Failure                  string
	Files                    []backupRow
}

// backupRow is a backup that is kept.
type backupRow struct {
	Name, Size         string
	MadeAt             time.Time
	Encrypted, Checked bool
}

// encryptions say how backups are encrypted.
var encryptions = map[string]string{
	backup.ToRecipient: msg("To a public key"), backup.WithPassphrase: msg("With a passphrase"),
	backup.NotEncrypted: msg("Not encrypted, and without the secret key"), "": msg("Nothing is set: no backup is made"),
}

func (wb *Web) showBackups(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	return wb.renderBackups(w, r, id, http.StatusOK, "")
}

func (wb *Web) renderBackups(w http.ResponseWriter, r *http.Request, id *session.Identity, status int, problem string) error {
	s, err := wb.Backups.State(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	page := adminBackupPage{
		Problem: problem, Dir: s.Dir, Encryption: encryptions[s.Encryption],
		Last: s.Keep.KeepLast, Daily: s.Keep.KeepDaily, Weekly: s.Keep.KeepWeekly,
		CanMake: s.Encryption != "" && !s.Running, Running: s.Running,
		Failed: !s.FailedAt.IsZero(), FailedAt: s.FailedAt, Failure: s.Failure,
	}
	if s.Every > 0 {
		page.Every = s.Keep.Every.String()
	}
	for _, f := range s.Files {
		page.Files = append(page.Files, backupRow{f.Name, inBytes(wb.speaks(r), f.Size), f.MadeAt, f.Encrypted, f.Checked})
	}
	wb.adminPage(w, r, status, "admin_backup", "Backup", page)
	return nil
}

func (wb *Web) makeBackup(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	err := wb.Backups.Begin(r.Context(), id.Actor(actor(r)))
	if f, ok := fault.In(r.Context(), err); ok && f.Kind == fault.Conflict {
		return wb.renderBackups(w, r, id, statuses[f.Kind], f.Message)
	}
	if err != nil {
		return err
	}
	return wb.carry(w, r, backupPath, carried{Notice: wb.say(r, "A backup is being made. Load the page again to see it.")})
}
