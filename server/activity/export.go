package activity

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// The forms of an export.
const (
	JSONL = "jsonl" // a JSON object in each line
	CSV   = "csv"   // RFC 4180, with a head
)

// exportSlice is how many events are read at once.
const exportSlice = 1000

// Entries is a sequence of entries, which an error ends.
type Entries = iter.Seq2[Entry, error]

// Export returns every event that a filter lets through, the newest first, for
// those who may list them: those of an organization, or of all for orgID "".
// That it was exported is an event of its own. Events are read as they are
// asked for.
func (s *Service) Export(ctx context.Context, by audit.Actor, orgID string, f Filter) (Entries, error) {
	may := func() error { return s.mayReadAll(ctx, by) }
	if orgID != "" {
		f.Organization = orgID
		may = func() error { return s.mayReadOrg(ctx, by, orgID) }
	}
	if err := may(); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		return audit.Record(ctx, tx, by, steady.Now(), audit.Event{
			Action: "audit.export", TargetKind: "audit", OrgID: orgID, Details: f.details(),
		})
	})
	if err != nil {
		return nil, err
	}
	return func(yield func(Entry, error) bool) {
		for after, more := "", true; more; {
			page, err := s.page(ctx, f, after, exportSlice)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range page.Entries {
				if !yield(e, nil) {
					return
				}
			}
			after, more = page.Next, page.Next != ""
		}
	}, nil
}

// details says what a filter lets through.
func (f Filter) details() map[string]string {
	out := map[string]string{}
	for name, value := range map[string]string{
		"actor": f.Actor, "target": f.Target, "action": f.Action, "outcome": f.Outcome,
		"from": stamp(f.From), "to": stamp(f.To),
	} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// Write writes entries to w in a form.
func Write(w io.Writer, form string, entries Entries) error {
	switch form {
	case JSONL:
		return writeJSONL(w, entries)
	case CSV:
		return writeCSV(w, entries)
	}
	return fault.Field("format", "Must be jsonl or csv.")
}

func writeJSONL(w io.Writer, entries Entries) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for e, err := range entries {
		if err != nil {
			return err
		}
		if err := lines.Encode(e); err != nil {
			return fmt.Errorf("write event %s: %w", e.ID, err)
		}
	}
	return nil
}

// columns are the columns of an export as CSV.
var columns = []string{
	"seq", "id", "at", "action", "outcome", "reason", "actor_kind", "actor_id", "target_kind", "target_id",
	"organization_id", "ip_address", "user_agent", "request_id", "session_id", "details", "hash",
}

func writeCSV(w io.Writer, entries Entries) error {
	table := csv.NewWriter(w)
	if err := table.Write(columns); err != nil {
		return fmt.Errorf("write the head: %w", err)
	}
	for e, err := range entries {
		if err != nil {
			return err
		}
		row, err := e.row()
		if err != nil {
			return err
		}
		if err := table.Write(row); err != nil {
			return fmt.Errorf("write event %s: %w", e.ID, err)
		}
	}
	table.Flush()
	return table.Error()
}

// row returns the cells of an entry, in the order of columns.
func (e *Entry) row() ([]string, error) {
	seq, hash, details := "", "", ""
	if e.Seq != nil {
		seq, hash = strconv.FormatInt(*e.Seq, 10), *e.Hash
	}
	if len(e.Details) > 0 {
		text, err := json.Marshal(e.Details)
		if err != nil {
			return nil, fmt.Errorf("write event %s: %w", e.ID, err)
		}
		details = string(text)
	}
	row := []string{
		seq, e.ID, stamp(e.At), e.Action, e.Outcome, e.Reason, e.ActorKind, e.ActorID, e.TargetKind, e.TargetID,
		e.OrganizationID, e.IPAddress, e.UserAgent, e.RequestID, e.SessionID, details, hash,
	}
	for i := range row {
		row[i] = harmless(row[i])
	}
	return row, nil
}

// formula are the characters by which a spreadsheet knows a formula, and the
// apostrophe that is put before them, so that it can be taken away again.
const formula = "=+-@\t\r\n'＝＋－＠"

// harmless returns a cell as one that no spreadsheet computes.
func harmless(cell string) string {
	start := strings.TrimLeft(cell, " ")
	if start != "" && strings.ContainsRune(formula, []rune(start)[0]) {
		return "'" + cell
	}
	return cell
}
