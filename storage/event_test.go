package storage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestEventsAreFilteredPageByPage(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			for i := range 12 { // three in each millisecond
				e := newEvent()
				e.At = storage.At(noon.Add(time.Duration(i/3) * time.Millisecond))
				e.ActorID, e.TargetID = fmt.Sprint("actor-", i%2), fmt.Sprint("target-", i%3)
				e.OrganizationID = []string{"", "org'1"}[i%2]
				e.Outcome = []string{"success", "failure", "success", "success"}[i%4]
				e.Action = fmt.Sprint("action-", i%4)
				if err := tx.InsertEvent(ctx, e); err != nil {
					return err
				}
			}
			return nil
		})
		for name, c := range map[string]struct {
			filter storage.EventFilter
			want   int
		}{
			"all":                {storage.EventFilter{}, 12},
			"by an actor":        {storage.EventFilter{Actor: "actor-1"}, 6},
			"to a target":        {storage.EventFilter{Target: "target-2"}, 4},
			"an action":          {storage.EventFilter{Action: "action-3"}, 3},
			"failures":           {storage.EventFilter{Outcome: "failure"}, 3},
			"in an organization": {storage.EventFilter{Organization: "org'1"}, 6},
			"from a moment":      {storage.EventFilter{From: noon.Add(2 * time.Millisecond)}, 6},
			"to a moment":        {storage.EventFilter{To: noon.Add(time.Millisecond)}, 3},
			"both":               {storage.EventFilter{Actor: "actor-1", Outcome: "success"}, 3},
			"between moments":    {storage.EventFilter{From: noon.Add(time.Millisecond), To: noon.Add(3 * time.Millisecond)}, 6},
			"action within":      {storage.EventFilter{Organization: "org'1", Action: "action-3"}, 3},
			"failures within":    {storage.EventFilter{Organization: "org'1", Outcome: "failure"}, 3},
			"actor within":       {storage.EventFilter{Organization: "org'1", Actor: "actor-0"}, 0},
			"all at once": {storage.EventFilter{
				Organization: "org'1", Actor: "actor-1", Target: "target-0", Action: "action-3", Outcome: "success",
				From: noon, To: noon.Add(2 * time.Millisecond),
			}, 1},
			"no such": {storage.EventFilter{Actor: "' OR '1'='1"}, 0},
		} {
			whole, err := db.EventsMatching(ctx, c.filter, storage.EventKey{}, 100)
			if err != nil || len(whole) != c.want {
				t.Errorf("%s: %d events, %v, want %d", name, len(whole), err, c.want)
			}
			var paged []storage.Event
			for after := (storage.EventKey{}); ; {
				page, err := db.EventsMatching(ctx, c.filter, after, 2)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				paged = append(paged, page...)
				last := page[len(page)-1]
				after = storage.EventKey{At: last.At, ID: last.ID}
			}
			if diff := cmp.Diff(whole, paged); diff != "" {
				t.Errorf("%s, page by page (-whole +paged):\n%s", name, diff)
			}
		}
	})
}

// A place of another list, after the moment to which events are asked for, hides and adds none.
func TestAPlaceAfterTheLastMomentIsBeforeEverything(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		var ids []string
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			ids = nil
			for i := range 3 {
				e := newEvent()
				e.At = storage.At(noon.Add(time.Duration(i) * time.Millisecond))
				ids = append(ids, e.ID)
				if err := tx.InsertEvent(ctx, e); err != nil {
					return err
				}
			}
			return nil
		})
		to := noon.Add(time.Millisecond) // the second event is at it, and out
		for i, want := range [][]string{{}, {ids[0]}, {ids[0]}} {
			place := storage.EventKey{At: storage.At(noon.Add(time.Duration(i) * time.Millisecond)), ID: ids[i] + "z"}
			if i == 0 {
				place.ID = ids[0]
			}
			events, err := db.EventsMatching(t.Context(), storage.EventFilter{To: to}, place, 10)
			got := make([]string, 0, len(events))
			for _, e := range events {
				got = append(got, e.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("after %v: %v (-want +got):\n%s", place, err, diff)
			}
		}
	})
}

// manyEvents adds 10,000 events of 500 actors, targets and organizations.
func manyEvents(t *testing.T, db *storage.DB) {
	t.Helper()
	numbers := "SELECT g AS n FROM generate_series(1, 10000) AS g"
	if db.IsSQLite() {
		numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000) SELECT n FROM c"
	}
	update(t, db, func(ctx context.Context, tx *storage.Tx) error {
		err := tx.Exec(ctx, `INSERT INTO events (id, at, action, outcome, reason, actor_kind, actor_id, target_kind,
			target_id, organization_id, ip_address, user_agent, request_id, session_id, details, seq, hash)
			SELECT 'e' || n, 1000000 + n, 'action-' || (n % 50), CASE WHEN n % 20 = 0 THEN 'failure' ELSE 'success' END,
			'', 'user', 'actor-' || (n % 500), 'user', 'target-' || (n % 500),
			CASE WHEN n % 2 = 0 THEN '' ELSE 'org-' || (n % 500) END, '', '', '', '', '', n, 'h' FROM (`+numbers+`) AS numbers`)
		if err != nil {
			return err
		}
		return tx.Exec(ctx, "ANALYZE events")
	})
}

// No list reads the whole log: each filter has its index.
func TestListsOfEventsUseTheirIndex(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		manyEvents(t, db)
		first := storage.EventKey{}
		deep := storage.EventKey{At: storage.At(time.UnixMilli(1_005_000)), ID: "e5000"}
		for _, c := range []struct {
			name   string
			filter storage.EventFilter
			after  storage.EventKey
			index  string
		}{
			{"all", storage.EventFilter{}, first, "events_at"},
			{"all, deep", storage.EventFilter{}, deep, "events_at"},
			{"by an actor", storage.EventFilter{Actor: "actor-7"}, first, "events_actor"},
			{"by an actor, deep", storage.EventFilter{Actor: "actor-7"}, deep, "events_actor"},
			{"to a target", storage.EventFilter{Target: "target-7"}, first, "events_target"},
			{"to a target, deep", storage.EventFilter{Target: "target-7"}, deep, "events_target"},
			{"an action", storage.EventFilter{Action: "action-7"}, first, "events_action"},
			{"an action, deep", storage.EventFilter{Action: "action-7"}, deep, "events_action"},
			{"failures", storage.EventFilter{Outcome: "failure"}, first, "events_failed"},
			{"failures, deep", storage.EventFilter{Outcome: "failure"}, deep, "events_failed"},
			{"in an organization", storage.EventFilter{Organization: "org-7"}, first, "events_organization"},
			{"in an organization, deep", storage.EventFilter{Organization: "org-7"}, deep, "events_organization"},
			{"from a moment", storage.EventFilter{From: time.UnixMilli(1_009_990)}, first, "events_at"},
			{"to a moment", storage.EventFilter{To: time.UnixMilli(1_000_100)}, first, "events_at"},
		} {
			plan := db.ExplainEvents(t, c.filter, c.after, 50)
			// PostgreSQL may take the few rows of an index and sort them.
			bad := strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "TEMP B-TREE")
			if bad || !strings.Contains(plan, c.index) || strings.Contains(plan, "SCAN event\n") {
				t.Errorf("%s: the plan does without %s:\n%s", c.name, c.index, plan)
			}
		}
		for query, index := range map[string]string{
			"SELECT id FROM events WHERE seq IS NULL ORDER BY id LIMIT 500":          "events_unlinked",
			"SELECT count(*) FROM events WHERE seq IS NULL":                          "events_unlinked",
			"SELECT id FROM events WHERE seq > 9000 ORDER BY seq LIMIT 1000":         "events_seq",
			"SELECT seq FROM events WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1": "events_seq",
		} {
			if plan := db.Explain(t, query); !strings.Contains(plan, index) || strings.Contains(plan, "Seq Scan") {
				t.Errorf("%s: the plan does without %s:\n%s", query, index, plan)
			}
		}
	})
}
