package activity_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/activity"
	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
	"authy/storage/storagetest"
)

// town is two organizations, people in them, and a log.
type town struct {
	*activity.Service
	t    *testing.T
	db   *storage.DB
	orgs map[string]string // id by name
	ids  map[string]string // of users, by name
}

// roles are the people of the organization "one", and others.
var roles = []string{"owner", "admin", "member", "guest", "stranger", "sysadmin", "suspended", "foreign"}

func eachTown(t *testing.T, fn func(w town)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := town{activity.New(db), t, db, map[string]string{}, map[string]string{}}
		w.build()
		fn(w)
	})
}

func (w town) update(fn func(ctx context.Context, tx *storage.Tx) error) {
	w.t.Helper()
	if err := w.db.Update(w.t.Context(), func(tx *storage.Tx) error { return fn(w.t.Context(), tx) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w town) build() {
	w.t.Helper()
	now := storage.At(time.Now())
	for _, name := range []string{"one", "two", "closed"} {
		o := &storage.Organization{
			ID: storage.NewID(), Slug: name, Name: name, IsActive: name != "closed", CreatedAt: now, UpdatedAt: now,
		}
		w.orgs[name] = o.ID
		w.update(func(ctx context.Context, tx *storage.Tx) error { return tx.InsertOrganization(ctx, o) })
	}
	for _, name := range roles {
		u := &storage.User{
			ID: storage.NewID(), Email: name + "@example.com", Status: storage.Active, CreatedAt: now, UpdatedAt: now,
			IsAdmin: name == "sysadmin" || name == "suspended",
		}
		if name == "suspended" {
			u.Status = storage.Suspended
		}
		w.ids[name] = u.ID
		w.update(func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, u) })
	}
	for _, m := range []struct {
		org, user string
		role      storage.Role
	}{
		{"one", "owner", storage.RoleOwner},
		{"one", "admin", storage.RoleAdmin},
		{"one", "member", storage.RoleMember},
		{"one", "guest", storage.RoleGuest},
		{"two", "foreign", storage.RoleOwner},
		{"closed", "owner", storage.RoleOwner},
	} {
		w.update(func(ctx context.Context, tx *storage.Tx) error {
			return tx.InsertMember(ctx, &storage.Member{
				ID: storage.NewID(), OrganizationID: w.orgs[m.org], UserID: w.ids[m.user], Role: m.role, CreatedAt: now, UpdatedAt: now,
			})
		})
	}
}

// as is a person as an actor, or "operator", "client" and "nobody".
func (w town) as(name string) audit.Actor {
	place := audit.Actor{Kind: audit.Anonymous, IPAddress: "192.0.2.1", UserAgent: "agent", RequestID: "request", SessionID: "session"}
	switch name {
	case "operator":
		return audit.Shell()
	case "client":
		return place.AsClient("client-1")
	case "nobody":
		return place
	}
	return place.As(w.ids[name])
}

func (w town) record(by audit.Actor, e audit.Event) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *storage.Tx) error { return audit.Record(ctx, tx, by, time.Now(), e) })
}

// Who sees what: the code of the refusal, or "" for the log.
func TestWhoMayReadTheLog(t *testing.T) {
	t.Parallel()
	eachTown(t, func(w town) {
		w.record(w.as("owner"), audit.Event{Action: "org.update", OrgID: w.orgs["one"]})
		w.record(w.as("foreign"), audit.Event{Action: "org.update", OrgID: w.orgs["two"]})
		const no, none, role = "forbidden", "organization_not_found", "role_required"
		for name, want := range map[string]struct{ all, one, two, closed, unknown, mine string }{
			"operator":  {"", "", "", "", none, no},
			"sysadmin":  {"", "", "", "", none, ""},
			"owner":     {no, "", none, none, none, ""},
			"admin":     {no, "", none, none, none, ""},
			"member":    {no, role, none, none, none, ""},
			"guest":     {no, role, none, none, none, ""},
			"stranger":  {no, none, none, none, none, ""},
			"foreign":   {no, none, "", none, none, ""},
			"suspended": {no, none, none, none, none, ""}, // whose session is dead anyway
			"client":    {no, none, none, none, none, no},
			"nobody":    {no, none, none, none, none, no},
		} {
			by, ctx := w.as(name), w.t.Context()
			got := want
			_, err := w.All(ctx, by, activity.Filter{}, "", 10)
			got.all = code(err)
			for org, cell := range map[string]*string{"one": &got.one, "two": &got.two, "closed": &got.closed} {
				page, err := w.OfOrganization(ctx, by, w.orgs[org], activity.Filter{Organization: w.orgs["two"]}, "", 10)
				*cell = code(err)
				for _, e := range page.Entries {
					if e.OrganizationID != w.orgs[org] {
						w.t.Errorf("%s asked for %s and saw %+v", name, org, e)
					}
				}
				_, exported := w.Export(ctx, by, w.orgs[org], activity.Filter{})
				if code(exported) != *cell {
					w.t.Errorf("%s: Export of %s = %v, unlike the list", name, org, exported)
				}
			}
			_, err = w.OfOrganization(ctx, by, storage.NewID(), activity.Filter{}, "", 10)
			got.unknown = code(err)
			_, err = w.Mine(ctx, by, activity.Filter{}, "", 10)
			got.mine = code(err)
			if got != want {
				w.t.Errorf("%s: %+v, want %+v", name, got, want)
			}
			if _, err := w.Export(ctx, by, "", activity.Filter{}); code(err) != want.all {
				w.t.Errorf("%s: Export = %v, unlike the list", name, err)
			}
			if _, err := w.Verify(ctx, by, audit.Note{}); (err == nil) != (name == "operator" || name == "sysadmin") {
				w.t.Errorf("%s: Verify = %v", name, err)
			}
		}
	})
}

// code is the code of a fault.
func code(err error) string {
	if err == nil {
		return ""
	}
	if f, ok := fault.As(err); ok {
		return f.Code
	}
	return err.Error()
}

func TestOnesActivityIsWhatOneDidAndSuffered(t *testing.T) {
	t.Parallel()
	eachTown(t, func(w town) {
		me := w.ids["member"]
		w.record(w.as("member"), audit.Event{Action: "user.update", TargetKind: "user", TargetID: me})
		w.record(w.as("member"), audit.Event{Action: "session.create", TargetKind: "session", TargetID: "session-9"})
		w.record(w.as("nobody"), audit.Event{Action: "user.login", Failed: true, TargetKind: "user", TargetID: me})
		w.record(w.as("admin"), audit.Event{Action: "org.member.role_change", TargetKind: "user", TargetID: me})
		w.record(w.as("admin"), audit.Event{Action: "user.update", TargetKind: "user", TargetID: w.ids["admin"]})
		var got []string
		after := ""
		for {
			page, err := w.Mine(w.t.Context(), w.as("member"), activity.Filter{}, after, 1)
			if err != nil {
				w.t.Fatal(err)
			}
			for _, e := range page.Entries {
				got = append(got, fmt.Sprint(e.Action, " from ", e.IPAddress, e.UserAgent, e.RequestID, e.SessionID))
			}
			if after = page.Next; after == "" {
				break
			}
		}
		const place = "192.0.2.1agentrequestsession"
		want := []string{
			"org.member.role_change from ", "user.login from " + place, "session.create from " + place, "user.update from " + place,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			w.t.Errorf("Mine (-want +got):\n%s", diff)
		}
		page, err := w.Mine(w.t.Context(), w.as("member"), activity.Filter{Actor: w.ids["admin"], Outcome: "failure"}, "", 10)
		if err != nil || len(page.Entries) != 1 || page.Entries[0].Action != "user.login" {
			w.t.Errorf("failures = %+v, %v", page, err)
		}
	})
}

func TestBrokenQuestionsAreRefused(t *testing.T) {
	t.Parallel()
	eachTown(t, func(w town) {
		ctx, by := w.t.Context(), audit.Shell()
		for name, f := range map[string]activity.Filter{
			"NUL": {Actor: "a\x00"}, "no UTF-8": {Target: "\xff"}, "a long text": {Action: strings.Repeat("a", 257)},
			"an outcome": {Outcome: "maybe"}, "a control": {Organization: "\x1b"},
		} {
			if _, err := w.All(ctx, by, f, "", 10); code(err) != "validation_failed" {
				w.t.Errorf("%s: %v", name, err)
			}
			if _, err := w.Export(ctx, by, "", f); code(err) != "validation_failed" {
				w.t.Errorf("export %s: %v", name, err)
			}
		}
		for _, key := range []string{"x", "1", ".", "1.", "x.y", "1.\x00", "99999999999999999999.a"} {
			if _, err := w.All(ctx, by, activity.Filter{}, key, 10); code(err) != "validation_failed" {
				w.t.Errorf("after %q: %v", key, err)
			}
		}
		if _, err := w.OfOrganization(ctx, by, "\x00", activity.Filter{}, "", 10); !errors.Is(err, activity.ErrNoOrg) {
			w.t.Errorf("OfOrganization = %v", err)
		}
		page, err := w.All(ctx, by, activity.Filter{Actor: "' OR 1=1 --"}, "", 10)
		if err != nil || len(page.Entries) != 0 {
			w.t.Errorf("an injection: %+v, %v", page, err)
		}
	})
}

// nasty are texts that break lines, cells, or the peace of a spreadsheet.
var nasty = []string{
	"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "'quoted", "＝1", `a "b", c`, "a\nb", "\r\n", "<b>&", "{}", "", "plain",
	"ends with =",
}

func TestExportsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	eachTown(t, func(w town) {
		for i := range 1100 { // more than one slice
			text := nasty[i%len(nasty)]
			w.record(audit.Shell(), audit.Event{Action: "a.b", Reason: text, TargetID: text, Details: map[string]string{"x": text}})
		}
		if err := audit.NewChain(w.db).Link(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		f := activity.Filter{Action: "a.b"}
		want := w.export("", f)
		if len(want) != 1100 {
			w.t.Fatalf("%d entries", len(want))
		}
		var lines bytes.Buffer
		w.write(&lines, activity.JSONL, f)
		if n := strings.Count(lines.String(), "\n"); n != len(want) {
			w.t.Errorf("%d lines for %d entries", n, len(want))
		}
		for i, line := range strings.Split(strings.TrimSuffix(lines.String(), "\n"), "\n") {
			var got activity.Entry
			if err := json.Unmarshal([]byte(line), &got); err != nil {
				w.t.Fatal(err)
			}
			if diff := cmp.Diff(want[i], got); diff != "" {
				w.t.Fatalf("line %d (-want +got):\n%s", i, diff)
			}
		}
		w.compareCSV(want, f)
		if got := w.export("", activity.Filter{Action: "audit.export"}); len(got) != 4 || got[3].ActorKind != "operator" ||
			got[3].Details["action"] != "a.b" {
			w.t.Errorf("the exports left %+v", got)
		}
		if err := activity.Write(&lines, "xml", nil); code(err) != "validation_failed" {
			w.t.Errorf("Write as XML: %v", err)
		}
	})
}

func (w town) compareCSV(want []activity.Entry, f activity.Filter) {
	w.t.Helper()
	var table bytes.Buffer
	w.write(&table, activity.CSV, f)
	rows, err := csv.NewReader(&table).ReadAll()
	if err != nil || len(rows) != len(want)+1 {
		w.t.Fatalf("%d rows for %d entries, %v", len(rows), len(want), err)
	}
	for i, row := range rows[1:] {
		for _, cell := range row {
			if strings.ContainsAny(strings.TrimLeft(cell, " ")+"x", "=+-@\t\r\n") &&
				strings.IndexAny(strings.TrimLeft(cell, " "), "=+-@\t\r\n＝") == 0 {
				w.t.Errorf("row %d: a spreadsheet would compute %q", i, cell)
			}
		}
		// A carriage return before a line feed is the one thing that CSV readers change.
		reason := strings.ReplaceAll(strings.TrimPrefix(row[5], "'"), "\r\n", "\n")
		if got := strings.ReplaceAll(want[i].Reason, "\r\n", "\n"); reason != got || row[1] != want[i].ID || row[16] == "" {
			w.t.Errorf("row %d: %q, want %+v", i, row, want[i])
		}
	}
}

func (w town) write(out *bytes.Buffer, form string, f activity.Filter) {
	w.t.Helper()
	entries, err := w.Export(w.t.Context(), audit.Shell(), "", f)
	if err == nil {
		err = activity.Write(out, form, entries)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w town) export(orgID string, f activity.Filter) []activity.Entry {
	w.t.Helper()
	entries, err := w.Export(w.t.Context(), audit.Shell(), orgID, f)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []activity.Entry
	for e, err := range entries {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}
