package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/backup"
	"authy/server/session"
)

// adminBackupRoutes are for administrators of the server.
func (a *API) adminBackupRoutes() {
	const all = "/api/v1/admin/backups"
	signed(a, "GET "+all, 200, "Backups retrieved successfully", "The backups that there are, and how they are made", a.backups)
	signed(a, "POST "+all, 202, "Backup begun", "Make a backup now, as it is set", a.makeBackup)
}

type backupView struct {
	Name      string    `json:"name" example:"authy-20261126t020000z-3f9a1c07.backup.age"`
	MadeAt    time.Time `json:"made_at"`
	Bytes     int64     `json:"bytes"`
	Encrypted bool      `json:"encrypted"`
	Checked   bool      `json:"checked" doc:"Whether this server made it, and found it to be whole on the disk"`
}

type backupsOut struct {
	Dir        string       `json:"dir"`
	Every      string       `json:"every" example:"24h0m0s" doc:"How often one is made; 0s is never"`
	KeepLast   int          `json:"keep_last"`
	KeepDaily  int          `json:"keep_daily"`
	KeepWeekly int          `json:"keep_weekly"`
	Encryption *string      `json:"encryption" nullable:"true" doc:"recipient, passphrase or none; null where nothing is set, and none is made"`
	Running    bool         `json:"running" doc:"Whether one is being made"`
	FailedAt   *time.Time   `json:"failed_at" nullable:"true" doc:"When the last attempt came to nothing"`
	Failure    *string      `json:"failure" nullable:"true"`
	Backups    []backupView `json:"backups" nullable:"false" doc:"The newest first"`
	Count      int          `json:"count"`
}

func (a *API) backups(ctx context.Context, _ *session.Identity, by audit.Actor, _ *struct{}) (*backupsOut, error) {
	s, err := a.Backups.State(ctx, by)
	if err != nil {
		return nil, err
	}
	return &backupsOut{
		Dir: s.Dir, Every: s.Every.String(), KeepLast: s.Keep.KeepLast, KeepDaily: s.Keep.KeepDaily, KeepWeekly: s.Keep.KeepWeekly,
		Encryption: orNull(s.Encryption), Running: s.Running, FailedAt: timeOrNull(s.FailedAt), Failure: orNull(s.Failure),
		Backups: viewsOf(s.Files, backupViewOf), Count: len(s.Files),
	}, nil
}

func backupViewOf(k *backup.Kept) backupView {
	return backupView{k.Name, k.MadeAt, k.Size, k.Encrypted, k.Checked}
}

func (a *API) makeBackup(ctx context.Context, _ *session.Identity, by audit.Actor, _ *struct{}) (*nothing, error) {
	return nil, a.Backups.Begin(ctx, by)
}
