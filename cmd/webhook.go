package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/webhook"
)

func (a *app) webhookCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "webhook",
		Short: "Have other programs told what happens here, and see what they were told",
		Long: `Have other programs told what happens here, and see what they were told: the events
of the audit log are posted to a URL, signed as Standard Webhooks has it, and tried
again for three days. A server that runs does that; the commands work beside it and
without one. A webhook is named by its slug. docs/webhooks.md says what is sent and
how it is verified.`,
		Example: `  authy webhook add siem --url https://siem.example.com/authy
  authy webhook test siem
  authy webhook deliveries siem --state failed`,
	}
	c.AddCommand(a.addWebhookCommand(), a.listWebhooksCommand(), a.showWebhookCommand(), a.updateWebhookCommand(),
		a.rotateWebhookCommand(), a.testWebhookCommand(), a.deliveriesCommand(), a.redeliverCommand(), a.removeWebhookCommand())
	return c
}

// webhookFlags are the flags that describe a webhook.
type webhookFlags struct {
	url, name, home   string
	actions           []string
	enabled, disabled bool
}

func (f *webhookFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.SortFlags = false // what belongs together stays together
	flags.StringVar(&f.url, "url", "", "`URL` to which events are posted, https")
	flags.StringVar(&f.name, "name", "", "`NAME` for people (default the slug)")
	flags.StringArrayVar(&f.actions, "action", nil,
		"`ACTION` that it is told of, such as user.login, or 'user.*' for all that begin so; repeat for more (default all)")
	flags.StringVar(&f.home, "org", "", "`SLUG` of the organization of whose events it is told (default those of the whole server)")
	flags.BoolVar(&f.disabled, "disabled", false, "tell it nothing")
}

// writeTo writes the flags that c was given to a description, homeID being the id of the
// organization that they name, and returns how many there were.
func (f *webhookFlags) writeTo(c *cobra.Command, homeID string, d *webhook.Description) (given int) {
	for name, write := range map[string]func(){
		"url":      func() { d.URL = f.url },
		"name":     func() { d.Name = f.name },
		"action":   func() { d.Actions = valuesOf(f.actions) },
		"org":      func() { d.OrganizationID = homeID },
		"disabled": func() { d.Disabled = f.disabled },
		"enabled":  func() { d.Disabled = !f.enabled },
	} {
		if c.Flags().Lookup(name) != nil && c.Flags().Changed(name) {
			write()
			given++
		}
	}
	return given
}

func (a *app) addWebhookCommand() *cobra.Command {
	var f webhookFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "add SLUG",
		Short: "Have a program told of events",
		Long: `Have a program told of events, from now on, and print the secret that signs them alone
on standard output, this once. The program verifies the signature by it.`,
		Example: `  authy webhook add siem --url https://siem.example.com/authy
  authy webhook add crm --url https://crm.example.com/hooks/authy --action 'user.*' --action 'org.member.*'
  authy webhook add acme --url https://acme.example/hook --org acme-corp
  authy webhook add local --url http://127.0.0.1:9000/hook`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			if f.url == "" {
				return misused(c, "--url is missing")
			}
			return a.with(c.Context(), func(s *server.Services) error { return a.addWebhook(c, s, &f, args[0], asJSON) })
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) addWebhook(c *cobra.Command, s *server.Services, f *webhookFlags, slug string, asJSON bool) error {
	ctx, d := c.Context(), webhook.Description{Slug: slug}
	home, err := orgID(ctx, s, f.home)
	if err != nil {
		return err
	}
	f.writeTo(c, home, &d)
	h, secret, err := s.Webhooks.Create(ctx, audit.Shell(), d)
	if err != nil {
		return err
	}
	a.note("Added the webhook %s. Its secret is shown this once:", h.Slug)
	return a.printSecret(h, secret, asJSON)
}

// printSecret prints a secret alone, or with the webhook whose it is.
func (a *app) printSecret(h *webhook.Webhook, secret string, asJSON bool) error {
	if !asJSON {
		return a.printLine(secret)
	}
	out := webhookOutOf(h)
	out.Secret = secret
	return a.printJSON(out)
}

func (a *app) updateWebhookCommand() *cobra.Command {
	var f webhookFlags
	var resume, asJSON bool
	c := &cobra.Command{
		Use:   "update SLUG",
		Short: "Change a webhook, or switch it on or off",
		Long: `Change a webhook, or switch it on or off: what you name is set, the rest stays. The
actions are set as a whole; an empty value is all of them. One that is switched on is
told of what happens from then on; with --resume also of what has happened since it
was switched off.`,
		Example: `  authy webhook update siem --action 'user.*' --action 'session.*'
  authy webhook update siem --disabled
  authy webhook update siem --enabled --resume`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			if f.writeTo(c, "", new(webhook.Description)) == 0 {
				return misused(c, "say what to change")
			}
			return a.with(c.Context(), func(s *server.Services) error {
				return a.updateWebhook(c, s, &f, args[0], resume, asJSON)
			})
		},
	}
	f.add(c)
	c.Flags().BoolVar(&f.enabled, "enabled", false, "tell it again, after it was switched off")
	c.Flags().BoolVar(&resume, "resume", false, "with --enabled: tell it what it has missed, too")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.MarkFlagsMutuallyExclusive("enabled", "disabled")
	return c
}

func (a *app) updateWebhook(
	c *cobra.Command, s *server.Services, f *webhookFlags, slug string, resume, asJSON bool,
) error {
	ctx := c.Context()
	home, err := orgID(ctx, s, f.home)
	if err != nil {
		return err
	}
	h, err := s.Webhooks.Update(ctx, audit.Shell(), slug, resume, func(d *webhook.Description) { f.writeTo(c, home, d) })
	if err != nil {
		return err
	}
	a.note("Changed the webhook %s.", h.Slug)
	if asJSON {
		return a.printJSON(webhookOutOf(h))
	}
	return nil
}

func (a *app) rotateWebhookCommand() *cobra.Command {
	grace := webhook.DefaultGrace
	var asJSON bool
	var y confirmation
	c := &cobra.Command{
		Use:   "rotate SLUG",
		Short: "Give a webhook a new secret",
		Long: `Give a webhook a new secret, and print it alone on standard output, this once. For a
while both secrets sign, so that the receiver can change over: give it the new one
meanwhile. If the old one has leaked, end it at once with --grace 0s, which is asked
about.`,
		Example: `  authy webhook rotate siem
  authy webhook rotate siem --grace 0s --yes`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			if grace <= 0 {
				question := "End the secret that the webhook " + args[0] + " has at once? Until the receiver has the new one it trusts nothing."
				if err := a.mayGo(c, y, question); err != nil {
					return err
				}
			}
			return a.with(ctx, func(s *server.Services) error {
				h, secret, err := s.Webhooks.Rotate(ctx, audit.Shell(), args[0], grace)
				if err != nil {
					return about(args[0], err)
				}
				if h.PreviousUntil.IsZero() {
					a.note("The webhook %s has a new secret; the old one signs no more. It is shown this once:", h.Slug)
				} else {
					a.note("The webhook %s has a new secret; the old one signs, too, until %s. It is shown this once:",
						h.Slug, instant(h.PreviousUntil.Time))
				}
				return a.printSecret(h, secret, asJSON)
			})
		},
	}
	c.Flags().DurationVar(&grace, "grace", grace, "`HOW LONG` the old secret signs, too, at most 168h")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	y.add(c)
	return c
}

func (a *app) removeWebhookCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use: "remove SLUG", Short: "Remove a webhook with its receipts",
		Long: `Remove a webhook with its receipts. Nothing more is told to it; what waits is dropped.`,
		Example: `  authy webhook remove siem
  authy webhook remove --yes siem`,
		Args: takes("SLUG"),
		RunE: func(c *cobra.Command, args []string) error {
			question := "Remove the webhook " + args[0] + " with its secret, its receipts and what waits for it, for good?"
			return a.ifConfirmed(c, y, question, func(s *server.Services) error {
				err := s.Webhooks.Remove(c.Context(), audit.Shell(), args[0])
				if err == nil {
					a.note("Removed the webhook %s.", args[0])
				}
				return about(args[0], err)
			})
		},
	}
	y.add(c)
	return c
}

func (a *app) listWebhooksCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List webhooks in the order of their slugs",
		Example: `  authy webhook list
  authy webhook list --json | jq -r '.[] | select(.state != "on") | .slug'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), func(s *server.Services) error { return a.listWebhooks(c.Context(), s, asJSON) })
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) listWebhooks(ctx context.Context, s *server.Services, asJSON bool) error {
	all, err := s.Webhooks.List(ctx, audit.Shell())
	if err != nil {
		return err
	}
	return a.printWebhooks(all, asJSON)
}
