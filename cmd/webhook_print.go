package cmd

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/webhook"
)

// errNotTaken is the end of a test of a webhook that has failed.
var errNotTaken = errors.New("the receiver has not taken the event; see above")

// webhookOut is a webhook as commands print it.
type webhookOut struct {
	Slug           string     `json:"slug"`
	Name           string     `json:"name"`
	URL            string     `json:"url"`
	Actions        []string   `json:"actions"`
	OrganizationID string     `json:"organization_id,omitempty"`
	IsActive       bool       `json:"is_active"`
	State          string     `json:"state"`
	OffReason      string     `json:"off_reason,omitempty"`
	FailingSince   *time.Time `json:"failing_since"`
	OldSecretUntil *time.Time `json:"old_secret_until"`
	Waiting        *int       `json:"waiting,omitempty"`
	Behind         *int64     `json:"behind,omitempty"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	// Secret is there only when it was just made.
	Secret string `json:"secret,omitempty"`
}

func webhookOutOf(h *webhook.Webhook) webhookOut {
	return webhookOut{
		Slug: h.Slug, Name: h.Name, URL: h.URL, Actions: h.Actions, OrganizationID: string(h.OrganizationID),
		IsActive: h.IsActive, State: webhook.StateOf(h), OffReason: h.OffReason, FailingSince: instantOrNull(h.FailingSince.Time),
		OldSecretUntil: instantOrNull(webhook.OldSecretUntil(h)), CreatedAt: h.CreatedAt.UTC(), UpdatedAt: h.UpdatedAt.UTC(),
	}
}

func (a *app) printWebhooks(all []webhook.Webhook, asJSON bool) error {
	out, rows := make([]webhookOut, len(all)), make([][]string, len(all))
	for i := range all {
		h := webhookOutOf(&all[i])
		out[i], rows[i] = h, []string{h.Slug, h.Name, h.URL, webhookState(h), strings.Join(h.Actions, " ")}
	}
	head := []string{"SLUG", "NAME", "URL", "STATE", "ACTIONS"}
	return a.printList(asJSON, out, head, rows, "There are no webhooks. Add one with 'authy webhook add'.")
}

// webhookState is how a webhook fares, for people.
func webhookState(h webhookOut) string {
	switch h.State {
	case webhook.TurnedOff:
		return "turned off: " + h.OffReason
	case webhook.Failing:
		return "failing since " + instant(*h.FailingSince)
	}
	return h.State
}

func (a *app) showWebhookCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "show SLUG", Short: "Show a webhook, and how far it has been told",
		Long: `Show a webhook, and how far it has been told. Its secret is not shown again.`,
		Example: `  authy webhook show siem
  authy webhook show --json siem | jq .waiting`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				v, err := s.Webhooks.Show(ctx, audit.Shell(), args[0])
				if err != nil {
					return err
				}
				return a.printWebhook(v, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printWebhook(v *webhook.View, asJSON bool) error {
	h := webhookOutOf(v.Webhook)
	h.Waiting, h.Behind = &v.Waiting, &v.Behind
	if asJSON {
		return a.printJSON(h)
	}
	var until time.Time
	if h.OldSecretUntil != nil {
		until = *h.OldSecretUntil
	}
	return a.printTable(nil, [][]string{
		{"Slug", h.Slug},
		{"Name", h.Name},
		{"URL", h.URL},
		{"Actions", strings.Join(h.Actions, " ")},
		{"Organization", h.OrganizationID},
		{"State", webhookState(h)},
		{"Waiting", strconv.Itoa(v.Waiting)},
		{"Behind", strconv.FormatInt(v.Behind, 10)},
		{"Old secret until", instant(until)},
		{"Created", instant(h.CreatedAt)},
		{"Changed", instant(h.UpdatedAt)},
	})
}

// deliveryOut is what became of telling a webhook of an event, as commands print it.
type deliveryOut struct {
	ID            string     `json:"id"`
	EventID       string     `json:"event_id"`
	Action        string     `json:"action"`
	IsTest        bool       `json:"is_test"`
	State         string     `json:"state"`
	Attempts      int64      `json:"attempts"`
	Status        int64      `json:"status,omitempty"`
	Took          int64      `json:"took_ms"`
	LastError     string     `json:"last_error"`
	CreatedAt     time.Time  `json:"created_at"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	DeliveredAt   *time.Time `json:"delivered_at"`
}

func deliveryOutOf(d *webhook.Delivery) deliveryOut {
	return deliveryOut{
		ID: d.ID, EventID: d.EventID, Action: d.Action, IsTest: d.IsTest, State: d.State, Attempts: d.Attempts,
		Status: d.Status, Took: d.Took, LastError: d.LastError, CreatedAt: d.CreatedAt.UTC(),
		NextAttemptAt: instantOrNull(d.NextAt.Time), DeliveredAt: instantOrNull(d.DeliveredAt.Time),
	}
}

func (a *app) printDeliveries(all []webhook.Delivery, asJSON bool) error {
	out, rows := make([]deliveryOut, len(all)), make([][]string, len(all))
	for i := range all {
		d := deliveryOutOf(&all[i])
		status := ""
		if d.Status != 0 {
			status = strconv.FormatInt(d.Status, 10)
		}
		out[i] = d
		rows[i] = []string{
			d.ID, d.Action, d.State, strconv.FormatInt(d.Attempts, 10), status, strconv.FormatInt(d.Took, 10) + " ms",
			instant(d.CreatedAt), d.LastError,
		}
	}
	head := []string{"ID", "ACTION", "STATE", "ATTEMPTS", "STATUS", "TOOK", "QUEUED", "LAST ERROR"}
	return a.printList(asJSON, out, head, rows, "The webhook was told nothing.")
}

func (a *app) testWebhookCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "test SLUG",
		Short: "Tell a webhook of an event of the type webhook.test, and print the receipt",
		Long: `Tell a webhook of an event of the type webhook.test, once and from this machine,
whichever actions it asks for, and print the receipt. The command exits with 1 if the
receiver has not taken it.`,
		Example: `  authy webhook test siem
  authy webhook test --json siem`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				d, err := s.Webhooks.Test(ctx, audit.Shell(), args[0])
				if err != nil {
					return err
				}
				return a.printTested(d, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printTested(d *webhook.Delivery, asJSON bool) (err error) {
	if asJSON {
		err = a.printJSON(deliveryOutOf(d))
	} else {
		err = a.printDeliveries([]webhook.Delivery{*d}, false)
	}
	if err == nil && d.State != webhook.Delivered {
		return errNotTaken
	}
	return err
}

func (a *app) deliveriesCommand() *cobra.Command {
	var l listing
	var state string
	c := &cobra.Command{
		Use:   "deliveries SLUG",
		Short: "List what a webhook was told",
		Long: `List what a webhook was told, the newest first: for three days what was delivered, for
thirty what was given up. What waits and is held is there, too.`,
		Example: `  authy webhook deliveries siem
  authy webhook deliveries siem --state failed --json`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := l.check(c); err != nil {
				return err
			}
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				found, next, err := s.Webhooks.Deliveries(ctx, audit.Shell(), args[0], state, l.after, l.limit)
				if err != nil {
					return err
				}
				if err := a.printDeliveries(found, l.asJSON); err != nil {
					return err
				}
				a.noteMore(next, false)
				return nil
			})
		},
	}
	c.Flags().StringVar(&state, "state", "", "only those in this `STATE`: "+strings.Join(webhook.States, ", "))
	l.add(c, listed, "begin after the one with this `ID`")
	return c
}

func (a *app) redeliverCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "redeliver SLUG ID",
		Short: "Tell a webhook of an event again",
		Long: `Tell a webhook of an event again: the delivery with this ID, whatever became of it. A
server that runs sends it at once; what waits while none does goes out when one
starts.`,
		Example: `  authy webhook redeliver siem 0198c0de-0000-7000-8000-000000000000`,
		Args:    takes("SLUG", "ID"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				d, err := s.Webhooks.Redeliver(ctx, audit.Shell(), args[0], args[1])
				if err == nil {
					a.note("The webhook %s is told of %s again.", args[0], d.Action)
				}
				return err
			})
		},
	}
}
