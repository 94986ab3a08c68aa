package audit_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"authy/server/audit"
	"authy/storage"
	"authy/storage/storagetest"
)

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"", 5, ""},
		{"short", 5, "short"},
		{"longer", 5, "longe"},
		{"ééé", 5, "éé"},
		{"🐎🐎", 7, "🐎"},
		{"🐎", 3, ""},
		{"a\r\nb\tc", 16, "a  b c"},
		{"a\x00b\x1b[31m\x7f", 16, "a b [31m "},
		{"a\xffb", 16, "a\ufffdb"},
		{"\xff\xfe", 3, "\ufffd"},
		{"any", 0, ""},
	} {
		if got := audit.Cut(c.text, c.n); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("Mozilla/5.0", 5)
	f.Add("\xff\x00é", 3)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = max(0, min(n, 1<<12))
		got := audit.Cut(text, n)
		if len(got) > n || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("Cut(%q, %d) = %q", text, n, got)
		}
	})
}

func TestAnEventIsKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		now := time.Now()
		by := audit.Actor{
			Kind: audit.Anonymous, IPAddress: "2001:db8::1", UserAgent: strings.Repeat("é", 200) + "\x00\xff",
			RequestID: "request-1", SessionID: "session-1",
		}.As("user-1")
		err := db.Update(t.Context(), func(tx *storage.Tx) error {
			return audit.Record(t.Context(), tx, by, now, audit.Event{
				Action: "thing.break", Failed: true, Reason: "clumsy", TargetKind: "thing", TargetID: "thing-1",
				OrgID: "org-1", Details: map[string]string{"b": `"quoted"`, "a": "plain"},
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		events, err := db.Events(t.Context(), 10)
		if err != nil || len(events) != 1 {
			t.Fatalf("Events = %v, %v", events, err)
		}
		want := storage.Event{
			At: storage.At(now), Action: "thing.break", Outcome: "failure", Reason: "clumsy", ActorKind: "user",
			ActorID: "user-1", TargetKind: "thing", TargetID: "thing-1", OrganizationID: "org-1",
			IPAddress: "2001:db8::1", UserAgent: strings.Repeat("é", 128), RequestID: "request-1", SessionID: "session-1",
			Details: `{"a":"plain","b":"\"quoted\""}`,
		}
		if diff := cmp.Diff(want, events[0], cmpopts.IgnoreFields(storage.Event{}, "ID", "BaseModel")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		var details map[string]string
		if err := json.Unmarshal([]byte(events[0].Details), &details); err != nil || details["b"] != `"quoted"` {
			t.Errorf("details = %v, %v", details, err)
		}
	})
}

func TestAnEventGoesWithItsTransaction(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		errNo := errors.New("no")
		err := db.Update(t.Context(), func(tx *storage.Tx) error {
			if err := audit.Record(t.Context(), tx, audit.Shell(), time.Now(), audit.Event{Action: "a.b"}); err != nil {
				return err
			}
			return errNo
		})
		if !errors.Is(err, errNo) {
			t.Fatal(err)
		}
		if events, err := db.Events(t.Context(), 10); err != nil || len(events) > 0 {
			t.Errorf("Events = %v, %v, want none", events, err)
		}
	})
}

func TestActors(t *testing.T) {
	t.Parallel()
	place := audit.Actor{Kind: audit.Anonymous, IPAddress: "192.0.2.1", UserAgent: "agent", RequestID: "request"}
	user, client := place, place
	user.Kind, user.ID = audit.User, "u"
	client.Kind, client.ID = audit.Client, "c"
	for _, c := range []struct{ got, want audit.Actor }{
		{place.As("u"), user},
		{place.As("u").AsClient("c"), client},
		{audit.FromContext(t.Context()), audit.Actor{Kind: audit.Anonymous}},
		{audit.FromContext(audit.WithActor(t.Context(), &user)), user},
		{audit.Shell(), audit.Actor{Kind: audit.Operator, ID: "cli"}},
		{audit.Server(), audit.Actor{Kind: audit.System, ID: "authy"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
