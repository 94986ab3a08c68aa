package storage

import (
	"context"
	"time"
)

// Population is how many of everything there are.
type Population struct {
	Users         map[Status]int64
	Admins        int64 // who can sign in
	PlainAdmins   int64 // those of them without a second factor
	Organizations int64
	Clients       int64
	Services      int64 // of SAML
	Sessions      int64 // that are alive
	// Who has signed in or used a session within a day, a week, thirty days.
	ActiveDay, ActiveWeek, ActiveMonth int64
	// Mails and logouts that wait, those of them that have failed before, and
	// logouts that were given up within a day.
	Mails, MailsFailing, Logouts, LogoutsFailing, LogoutsLost int64
}

// Population counts what there is at now. It reads tables from end to end: who
// asks often keeps the answer for a while.
func (db *DB) Population(ctx context.Context, now time.Time) (*Population, error) {
	p := &Population{Users: map[Status]int64{}}
	if err := db.countUsers(ctx, p); err != nil {
		return nil, translate(err)
	}
	ago := func(days int) int64 { return now.AddDate(0, 0, -days).UnixMilli() }
	for _, one := range []struct {
		query string
		args  []any
		into  []any
	}{
		{"SELECT count(*) FROM organizations", nil, []any{&p.Organizations}},
		{"SELECT count(*) FROM clients", nil, []any{&p.Clients}},
		{"SELECT count(*) FROM services", nil, []any{&p.Services}},
		{plainAdmins, []any{string(Active)}, []any{&p.Admins, &p.PlainAdmins}},
		{liveSessions, []any{now.UnixMilli(), string(Active), string(Pending)}, []any{&p.Sessions}},
		{
			activeUsers,
			[]any{ago(1), ago(7), ago(30), ago(30)},
			[]any{&p.ActiveDay, &p.ActiveWeek, &p.ActiveMonth},
		},
		{waitingMails, nil, []any{&p.Mails, &p.MailsFailing}},
		{
			waitingLogouts,
			[]any{LogoutRetrying, LogoutFailed, ago(1), LogoutSent, LogoutRetrying, LogoutFailed},
			[]any{&p.Logouts, &p.LogoutsFailing, &p.LogoutsLost},
		},
	} {
		if err := db.conn.hotRow(ctx, one.query, one.args...).Scan(one.into...); err != nil {
			return nil, translate(err)
		}
	}
	return p, nil
}

func (db *DB) countUsers(ctx context.Context, p *Population) error {
	var groups []struct {
		Status Status
		Count  int64
	}
	err := db.bun.NewSelect().Conn(db.conn).Table("users").
		Column("status").ColumnExpr("count(*) AS count").Group("status").Scan(ctx, &groups)
	for _, g := range groups {
		p.Users[g.Status] = g.Count
	}
	return err
}

// The statements of [DB.Population].
const (
	plainAdmins = `SELECT count(*), COALESCE(SUM(CASE WHEN
		EXISTS (SELECT 1 FROM passkeys AS k WHERE k.user_id = u.id) OR
		EXISTS (SELECT 1 FROM totps AS t WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL)
		THEN 0 ELSE 1 END), 0)
		FROM users AS u WHERE u.is_admin = TRUE AND u.status = ?`
	liveSessions = `SELECT count(*) FROM sessions AS s JOIN users AS u ON u.id = s.user_id
		WHERE s.revoked_at IS NULL AND s.expires_at > ? AND u.status IN (?, ?)
		AND (u.signed_out_at IS NULL OR u.signed_out_at < s.created_at)`
	activeUsers = `SELECT COALESCE(SUM(CASE WHEN at >= ? THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN at >= ? THEN 1 ELSE 0 END), 0), count(*)
		FROM (SELECT id, MAX(at) AS at FROM (
			SELECT id, last_login_at AS at FROM users WHERE last_login_at >= ?
			UNION ALL
			SELECT user_id AS id, last_activity_at AS at FROM sessions WHERE last_activity_at >= ?
		) AS uses GROUP BY id) AS active`
	waitingMails   = "SELECT count(*), COALESCE(SUM(CASE WHEN last_error <> '' THEN 1 ELSE 0 END), 0) FROM mails"
	waitingLogouts = `SELECT COALESCE(SUM(CASE WHEN next_at IS NOT NULL THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN state = ? THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN state = ? AND created_at >= ? THEN 1 ELSE 0 END), 0)
		FROM logouts WHERE state IN (?, ?, ?)`
)

// Size returns how many bytes the database takes.
func (db *DB) Size(ctx context.Context) (bytes int64, err error) {
	bytes, err = db.engine.size(ctx)
	return bytes, translate(err)
}
