package cmd

import (
	"fmt"
	"strings"
	"testing"

	"authy/server/audit"
)

// eventsIntro is the head of docs/events.md, with quotes where that has others.
const eventsIntro = `<!-- Made from server/audit/action.go: AUTHY_TEST_UPDATE=1 go test ./cmd -run Reference. -->

# What the audit log records

Each event has an 'action' of these. Its 'outcome' is 'success' or 'failure': of a failure the table says what was tried,
and 'reason' why it failed. 'authy audit actions' lists them, too. 'authy audit list --action user.login', '/admin/audit'
and 'GET /api/v1/admin/audit' find those of one action; [webhooks](webhooks.md) are told of those that they ask for. A
later version may record others; these keep their names.

| Action | What happened |
|---|---|
`

// TestTheReferenceOfEventsIsWhatIsRecorded fails when docs/events.md is older than audit.Actions.
// With AUTHY_TEST_UPDATE=1 it writes it.
func TestTheReferenceOfEventsIsWhatIsRecorded(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	want.WriteString(strings.ReplaceAll(eventsIntro, "'", "`"))
	for _, a := range audit.Actions {
		fmt.Fprintf(&want, "| `%s` | %s |\n", a.Name, cell(a.Meaning))
	}
	matchesReference(t, "docs/events.md", want.String(), "is recorded")
}
