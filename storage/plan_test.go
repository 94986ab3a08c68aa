package storage_test

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// same is the id, name, hash and purpose of every record of oneOfEach, so that a
// lookup finds one whatever it looks for.
const same = "same"

// oneOfEach adds one record of each kind, and returns them.
func oneOfEach(t testing.TB, db *storage.DB) []any {
	t.Helper()
	user, org, client, flow, link := newUser(), newOrg(), newClient(), newFlow(), newLink()
	user.ID, user.Email, org.ID, org.Slug, client.ID, client.ClientID = same, same, same, same, same, same
	client.OrganizationID, flow.ID, link.Hash, link.Purpose = same, same, same, same
	member, session, grant := newMember(org, user), newSession(user), newGrant(user, client)
	member.ID, session.ID, session.TokenHash, grant.ID = same, same, same, same
	code, refresh, invitation := newCode(grant), newRefreshToken(grant), newInvitation(org, same)
	code.Hash, refresh.Hash, invitation.ID, invitation.Hash = same, same, same, same
	factor, totp, event := newFirstFactor(user, flow), newTOTP(user), newEvent()
	factor.Hash, event.ID, event.ActorID = same, same, same
	recovery := storage.RecoveryCode{UserID: same, Hash: same, CreatedAt: storage.At(noon)}
	consent := &storage.Consent{UserID: same, ClientID: same, CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon)}
	device := newDeviceCode(client)
	device.Hash, device.UserCode = same, same
	provider, service := newProvider(), newService()
	provider.ID, provider.Slug, service.ID, service.Slug, service.EntityID = same, same, same, same, same
	departure, identity := newDeparture(provider), newIdentity(provider, user)
	departure.Hash, identity.ID, identity.Issuer, identity.Subject = same, same, same, same
	hook := newWebhook()
	hook.ID, hook.Slug = same, same
	delivery := newDelivery(hook)
	delivery.ID, delivery.EventID = same, same
	revoked := &storage.RevokedToken{ID: same, ExpiresAt: storage.At(noon)}
	update(t, db, func(ctx context.Context, tx *storage.Tx) error {
		return first(
			tx.InsertUser(ctx, user), tx.InsertOrganization(ctx, org), tx.InsertClient(ctx, client),
			tx.InsertMember(ctx, member), tx.InsertSession(ctx, session), tx.InsertGrant(ctx, grant),
			tx.InsertCode(ctx, code), tx.InsertRefreshToken(ctx, refresh), tx.InsertInvitation(ctx, invitation),
			tx.InsertFlow(ctx, flow), tx.InsertLink(ctx, link), tx.InsertFirstFactor(ctx, factor),
			tx.SaveTOTP(ctx, totp), tx.SaveRecoveryCodes(ctx, same, false, []storage.RecoveryCode{recovery}),
			tx.SaveConsent(ctx, consent), tx.InsertRevokedToken(ctx, revoked), tx.InsertEvent(ctx, event),
			tx.InsertDeviceCode(ctx, device), tx.InsertProvider(ctx, provider), tx.InsertService(ctx, service),
			tx.InsertDeparture(ctx, departure), tx.InsertIdentity(ctx, identity),
			tx.InsertWebhook(ctx, hook), tx.InsertDelivery(ctx, delivery),
		)
	})
	return []any{
		user, org, client, member, session, grant, code, refresh, invitation, flow, link, factor, totp, consent,
		revoked, event, device, provider, service, departure, identity, hook, delivery,
		[]storage.Event{*event},
		[]storage.Delivery{*delivery},
		[]storage.RecoveryCode{recovery},
		t.Context(), 10, int64(10), noon,
	}
}

// choices returns the arguments of a type that methods are called with.
func choices(of reflect.Type, records []any) (out []reflect.Value) {
	switch of {
	case reflect.TypeFor[storage.UserFilter]():
		for _, f := range []storage.UserFilter{
			{}, {EmailPrefix: same}, {Status: storage.Suspended}, {EmailPrefix: same, Status: storage.Suspended},
		} {
			out = append(out, reflect.ValueOf(f))
		}
		return out
	case reflect.TypeFor[storage.EventFilter]():
		for _, f := range eventFilters() {
			out = append(out, reflect.ValueOf(f))
		}
		return out
	case reflect.TypeFor[[]string]():
		return []reflect.Value{reflect.ValueOf([]string{same})}
	case reflect.TypeFor[storage.EventKey]():
		return []reflect.Value{reflect.Zero(of), reflect.ValueOf(storage.EventKey{At: storage.At(noon), ID: same})}
	}
	for _, r := range records {
		if reflect.TypeOf(r).AssignableTo(of) {
			return []reflect.Value{reflect.ValueOf(r)}
		}
	}
	switch of.Kind() {
	case reflect.String:
		return []reflect.Value{reflect.ValueOf(same).Convert(of), reflect.Zero(of)}
	case reflect.Pointer:
		return []reflect.Value{reflect.New(of.Elem())}
	}
	return []reflect.Value{reflect.Zero(of)}
}

// eventFilters are the filters that lists of events have, one by one and in pairs.
func eventFilters() []storage.EventFilter {
	day := storage.EventFilter{From: noon, To: noon.Add(24 * time.Hour)}
	filters := []storage.EventFilter{{}, {From: noon}, {To: noon}, day, {Outcome: "failure"}}
	for _, one := range []func(f *storage.EventFilter){
		func(f *storage.EventFilter) { f.Actor = same },
		func(f *storage.EventFilter) { f.Target = same },
		func(f *storage.EventFilter) { f.Action = same },
		func(f *storage.EventFilter) { f.Organization = same },
	} {
		for _, f := range slices.Clone(filters) {
			one(&f)
			filters = append(filters, f)
		}
	}
	return filters
}

// calls returns every combination of arguments that a method is called with.
func calls(method reflect.Method, records []any) [][]reflect.Value {
	all := [][]reflect.Value{nil}
	for i := 1; i < method.Type.NumIn(); i++ { // the first is the receiver
		var longer [][]reflect.Value
		for _, begun := range all {
			for _, next := range choices(method.Type.In(i), records) {
				longer = append(longer, append(slices.Clone(begun), next))
			}
		}
		all = longer
	}
	return all
}

// statements returns every statement that a method of storage runs: those of tests
// are left out. Where a method fails at the records it is given, what it ran until
// then counts.
func statements(t testing.TB, db *storage.DB) map[string][]storage.Statement {
	t.Helper()
	records := oneOfEach(t, db)
	found := map[string][]storage.Statement{}
	for method := range reflect.TypeFor[*storage.Tx]().Methods() {
		// EndEarlier reads whole tables, once after a clock was put right.
		if slices.Contains([]string{"AfterCommit", "EndEarlier", "Exec", "Plan", "Texts"}, method.Name) {
			continue
		}
		known := map[string]bool{}
		for _, args := range calls(method, records) {
			ran := db.Probe(t, func(tx *storage.Tx) {
				method.Func.Call(append([]reflect.Value{reflect.ValueOf(tx)}, args...))
			})
			for _, s := range ran {
				if text := fmt.Sprint(s); !known[text] {
					known[text] = true
					found[method.Name] = append(found[method.Name], s)
				}
			}
		}
		if len(found[method.Name]) == 0 && method.Name != "Stay" { // which SQLite needs none for
			t.Errorf("%s runs no statement", method.Name)
		}
	}
	return found
}

// small are the tables that stay so, by the names that bun gives them, too; linked
// is the slice of events that SaveEventLinks is given.
var small = []string{
	"meta", "keys", "key", "event_heads", "event_head", "linked", "providers", "provider", "certificates", "certificate", "services", "service", "due_visits", "due_service_visits",
	"brandings", "branding", "webhooks", "webhook",
}

// partial are the indexes that hold few rows.
var partial = []string{
	"events_failed", "events_unlinked", "users_admin", "users_admins", "keys_signing", "keys_published",
	"providers_slug", "services_slug", "webhooks_slug",
}

// judge returns what makes a plan slow on a large table, "" if nothing does: rows
// that are read and thrown away, or sorted to return the first of them. leads has
// the first column of PostgreSQL's indexes.
func judge(query string, plan []string, leads map[string]string) string {
	for i, line := range plan {
		details := strings.Join(plan[i+1:min(i+3, len(plan))], "\n")
		if isSlowOnSQLite(query, line) || isSlowOnPostgres(query, line, details, leads) {
			return line
		}
	}
	return ""
}

var (
	sqliteScan   = regexp.MustCompile(`^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?$`)
	postgresSeq  = regexp.MustCompile(`Seq Scan on (\w+)`)
	postgresScan = regexp.MustCompile(`(?:Index (?:Only )?Scan (?:Backward )?using|Bitmap Index Scan on) (\w+)`)
)

func isSlowOnSQLite(query, line string) bool {
	// A search that has another filter, too, goes through all that one of them finds.
	limited := strings.Contains(query, " LIMIT ") && !strings.Contains(query, `_terms" AS t JOIN`)
	if m := sqliteScan.FindStringSubmatch(line); m != nil {
		whole := m[2] == "" || strings.Contains(query, " WHERE ") || !limited
		return whole && !slices.Contains(small, m[1]) && !slices.Contains(partial, m[2])
	}
	paged := strings.HasPrefix(line, "SEARCH") && strings.Contains(query, "(at, id) <")
	return strings.Contains(line, "AUTOMATIC") || limited && line == "USE TEMP B-TREE FOR ORDER BY" ||
		paged && !strings.Contains(line, "(at,id)<(")
}

// isSlowOnPostgres judges a line of a plan and the two below it: an index whose first
// column is not asked for is read from end to end.
func isSlowOnPostgres(query, line, details string, leads map[string]string) bool {
	if m := postgresSeq.FindStringSubmatch(line); m != nil {
		return !slices.Contains(small, m[1])
	}
	m := postgresScan.FindStringSubmatch(line)
	if m == nil || slices.Contains(partial, m[1]) {
		return false
	}
	if asked, found := strings.CutPrefix(details, "Index Cond:"); found {
		return !regexp.MustCompile(`\b` + leads[m[1]] + `\b`).MatchString(asked)
	}
	// What is greatest is the first of an index that is read backward.
	few := strings.Contains(query, " LIMIT ") || strings.Contains(query, "(SELECT MAX(")
	return strings.HasPrefix(details, "Filter:") || !few
}

// leading returns the first column of each of PostgreSQL's indexes.
func leading(t testing.TB, db *storage.DB) map[string]string {
	t.Helper()
	leads := map[string]string{}
	if db.IsSQLite() {
		return leads
	}
	for _, one := range texts(t, db, `SELECT indexname || ' ' || substring(indexdef from '\((\w+)')
		FROM pg_indexes WHERE schemaname = 'public'`) {
		index, column, _ := strings.Cut(one, " ")
		leads[index] = column
	}
	return leads
}

// slowPlans returns, for each method that has one, a plan that reads all of a large table.
func slowPlans(
	t testing.TB, tx *storage.Tx, found map[string][]storage.Statement, leads map[string]string,
) map[string]string {
	t.Helper()
	bad := map[string]string{}
	for name, all := range found {
		for _, s := range all {
			plan, err := tx.Plan(t.Context(), s)
			if err != nil {
				t.Fatalf("plan of %s, %s: %v", name, s.Query, err)
			}
			if reason := judge(s.Query, plan, leads); reason != "" {
				bad[name] = fmt.Sprintf("%s\n%s\nbecause of %s", s.Query, strings.Join(plan, "\n"), reason)
			}
		}
	}
	return bad
}

// eachFilled runs fn once per engine, on PostgreSQL with enough rows to know which
// index has few of them; SQLite knows only what indexes there are.
func eachFilled(t *testing.T, fn func(t *testing.T, db *storage.DB)) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			size := storagetest.Size{Users: 10, Sessions: 10, Events: 10}
			if engine == "postgres" {
				size = storagetest.Size{Users: 20_000, Sessions: 2000, Events: 2000}
			}
			url := storagetest.URL(t, engine)
			storagetest.Fill(t, url, size)
			fn(t, again(t, url))
		})
	}
}

func TestNoStatementReadsAWholeTable(t *testing.T) {
	t.Parallel()
	eachFilled(t, func(t *testing.T, db *storage.DB) {
		if !db.IsSQLite() && texts(t, db, "SELECT current_setting('server_version_num')")[0] >= "180000" {
			t.Skip("plans of PostgreSQL 18 read otherwise: it skips through indexes, and chooses what is disabled")
		}
		found, leads := statements(t, db), leading(t, db)
		db.Probe(t, func(tx *storage.Tx) {
			for name, why := range slowPlans(t, tx, found, leads) {
				t.Errorf("%s: %s", name, why)
			}
		})
	})
}

// The check is worth something: it notices that an index is gone.
func TestAnIndexThatIsGoneIsNoticed(t *testing.T) {
	t.Parallel()
	eachFilled(t, func(t *testing.T, db *storage.DB) {
		found, leads := statements(t, db), leading(t, db)
		for index, method := range map[string]string{
			"users_email": "UserByEmail", "sessions_token_hash": "SessionByToken",
			"sessions_user": "RevokeSessions", "sessions_expires_at": "DeleteExpired", "grants_user": "RevokeGrants",
			"members_user": "Memberships", "clients_client_id": "Client", "events_actor": "EventsBy",
			"events_at": "EventsMatching", "events_unlinked": "CountUnlinkedEvents", "links_purpose": "DeleteLinks",
			"invitations_email": "InvitationsTo", "mails_recipient": "MailsTo",
		} {
			db.Probe(t, func(tx *storage.Tx) {
				if err := tx.Exec(t.Context(), "DROP INDEX "+index); err != nil {
					t.Fatal(err)
				}
				if why := slowPlans(t, tx, found, leads)[method]; why == "" {
					t.Errorf("without %s nothing is wrong with %s", index, method)
				}
			})
		}
	})
}

// Of several indexes that begin with what is asked for, the one with the fewest rows is used.
func TestTheNarrowestIndexIsUsed(t *testing.T) {
	t.Parallel()
	users := func(f storage.UserFilter) func(ctx context.Context, tx *storage.Tx) {
		return func(ctx context.Context, tx *storage.Tx) { tx.Users(ctx, f, "", 50) } //nolint:errcheck // it runs
	}
	events := func(f storage.EventFilter) func(ctx context.Context, tx *storage.Tx) {
		return func(ctx context.Context, tx *storage.Tx) {
			tx.EventsMatching(ctx, f, storage.EventKey{}, 50) //nolint:errcheck // it runs
		}
	}
	admins := func(ctx context.Context, tx *storage.Tx) { tx.CountAdmins(ctx) }               //nolint:errcheck // it runs
	owners := func(ctx context.Context, tx *storage.Tx) { tx.HasOwnerBeside(ctx, same, "x") } //nolint:errcheck // it runs
	type filter = storage.EventFilter
	cases := map[string]struct {
		index string
		run   func(ctx context.Context, tx *storage.Tx)
	}{
		"administrators":  {"users_admins", admins},
		"owners":          {"members_owners", owners},
		"suspended users": {"users_status", users(storage.UserFilter{Status: storage.Suspended})},
		"addresses":       {"users_email", users(storage.UserFilter{EmailPrefix: "a"})},
		"actor, action":   {"events_actor", events(filter{Actor: same, Action: same})},
		"all but target":  {"events_actor", events(filter{Actor: same, Organization: same, Action: same})},
		"target, actor":   {"events_target", events(filter{Target: same, Actor: same})},
		"target within":   {"events_target", events(filter{Organization: same, Target: same})},
		"action within":   {"events_organization_action", events(filter{Organization: same, Action: same})},
		"failures within": {"events_organization_failed", events(filter{Organization: same, Outcome: "failure"})},
	}
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		oneOfEach(t, db)
		for name, c := range cases {
			ran := db.Probe(t, func(tx *storage.Tx) { c.run(t.Context(), tx) })
			db.Probe(t, func(tx *storage.Tx) {
				plan, err := tx.Plan(t.Context(), ran[0])
				text := strings.Join(plan, "\n")
				if err != nil || !regexp.MustCompile(`\b`+c.index+`\b`).MatchString(text) {
					t.Errorf("%s: the plan does without %s:\n%s\n%v", name, c.index, text, err)
				}
			})
		}
	})
}

// What a record belongs to can be deleted without a look at all that belongs to others.
func TestEveryForeignKeyHasAnIndex(t *testing.T) {
	t.Parallel()
	bare := texts(t, storagetest.New(t), `SELECT m.name || '.' || f."from"
		FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f
		WHERE m.type = 'table' AND f.seq = 0 AND NOT EXISTS (
			SELECT 1 FROM pragma_index_list(m.name) AS i, pragma_index_info(i.name) AS c
			WHERE i.partial = 0 AND c.seqno = 0 AND c.name = f."from")`)
	if len(bare) > 0 {
		t.Errorf("without an index: %v", bare)
	}
}
