package storage

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// handedOut lists what authy gives to people and programs to come back with, and what
// waits for them to: none of it is of use after [Replacement.RaiseEpoch].
var handedOut = []string{
	"refresh_tokens", "access_tokens", "codes", "api_tokens", "registration_tokens", "device_codes",
	"links", "invitations", "departures", "first_factors", "ceremonies", "flows", "pushed_requests",
	"mails", "logouts", "visits", "service_visits", "upstream_sessions", "keys",
}

// Restored is why sessions and grants ended that a backup had brought back.
const Restored = "restored"

// RaiseEpoch ends all that could have been ended after the moment to which the database
// goes back: every session and grant, and whatever else was handed out. The keys that
// signed tokens go, too. A code of an authenticator that may have been used since is not
// taken again. It says how many sessions and grants it ended.
func (r *Replacement) RaiseEpoch(ctx context.Context, now time.Time) (ended int64, err error) {
	at := now.UnixMilli()
	const step = 30 // seconds that a code is shown for: RFC 6238, section 4
	tables, err := r.DB.layout(ctx)
	if err != nil {
		return 0, err
	}
	// An older schema does not have all of them yet.
	var others []string
	if hasColumn(tables, "clients", "registration_before") {
		others = append(others, "UPDATE clients SET registration_hash = '', registration_before = ''")
	}
	if hasColumn(tables, "totps", "last_step") {
		others = append(others, fmt.Sprintf("UPDATE totps SET last_step = %[1]d WHERE last_step < %[1]d", now.Unix()/step+1))
	}
	for _, name := range handedOut {
		if slices.ContainsFunc(tables, func(t table) bool { return t.Name == name }) {
			others = append(others, "DELETE FROM "+name)
		}
	}
	err = r.place.load(ctx, r.DB, func(l loader) error {
		for _, table := range []string{"sessions", "grants"} {
			n, err := l.run(ctx, fmt.Sprintf(
				"UPDATE %s SET revoked_at = %d, revoked_reason = '%s' WHERE revoked_at IS NULL", table, at, Restored))
			if err != nil {
				return err
			}
			ended += n
		}
		for _, statement := range others {
			if _, err := l.run(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	return ended, err
}

func hasColumn(tables []table, name, column string) bool {
	return slices.ContainsFunc(tables, func(t table) bool { return t.Name == name && slices.Contains(t.Columns, column) })
}
