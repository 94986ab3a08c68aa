package cmd

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
	"authy/server/mail"
)

func (a *app) mailCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "mail",
		Short: "See whether mail gets away",
		Long: `See whether mail gets away. It is set up in [mail] of the configuration; what is
to be sent waits in the database until the relay has taken it.`,
		Example: `  authy mail test me@example.com
  authy mail list`,
	}
	c.AddCommand(a.testMailCommand(), a.listMailsCommand())
	return c
}

func (a *app) testMailCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test ADDRESS",
		Short: "Send a mail now, and print what the relay says",
		Long: `Send a mail now, by the configuration in force, and print what the relay says.
It does not go through the queue. The audit log records it as mail.test.`,
		Example: `  authy mail test me@example.com`,
		Args:    takes("ADDRESS"),
		RunE: func(c *cobra.Command, args []string) error {
			address, err := account.ParseEmail(args[0])
			if err != nil {
				return err
			}
			return a.with(c.Context(), func(s *server.Services) error {
				return a.testMail(c.Context(), s, address)
			})
		},
	}
}

func (a *app) testMail(ctx context.Context, s *server.Services, address string) error {
	if !s.Mail.Enabled() {
		return fmt.Errorf("mail is not set up; set mail.host and mail.from")
	}
	sent, err := s.Self.SendTest(ctx, audit.Shell(), address)
	if err != nil {
		return err
	}
	if !sent.OK {
		return fmt.Errorf("%s:%d did not take it: %s", s.Config.Mail.Host, s.Config.Mail.Port, sent.Said)
	}
	a.note("%s:%d took it for %s, and said:", s.Config.Mail.Host, s.Config.Mail.Port, address)
	return a.printLine(printable(sent.Said))
}

// mailOut is a mail that waits, as programs see it.
type mailOut struct {
	ID        string     `json:"id"`
	To        string     `json:"to"`
	Kind      string     `json:"kind"`
	Attempts  int64      `json:"attempts"`
	LastError string     `json:"last_error"`
	CreatedAt *time.Time `json:"created_at"`
	NextAt    *time.Time `json:"next_at"`
	ExpiresAt *time.Time `json:"expires_at"`
}

func (a *app) listMailsCommand() *cobra.Command {
	var l listing
	c := &cobra.Command{
		Use: "list", Aliases: []string{"queue"},
		Short: "List the mails that wait to be sent",
		Long: `List the mails that wait to be sent, the oldest first, and why they do. What they
say is sealed. A mail is tried again, more and more rarely, until it is of no use
any more; then it is given up, which the audit log records as mail.failed.`,
		Example: `  authy mail list
  authy mail list --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := l.check(c); err != nil {
				return err
			}
			return a.with(c.Context(), func(s *server.Services) error {
				return a.listMails(c.Context(), s, l)
			})
		},
	}
	l.add(c, listed, "begin after the mail with this `ID`")
	return c
}

func (a *app) listMails(ctx context.Context, s *server.Services, l listing) error {
	// One more tells whether there are more.
	mails, err := s.Mail.List(ctx, l.after, l.limit+1)
	if err != nil {
		return err
	}
	next := ""
	if len(mails) > l.limit {
		mails = mails[:l.limit]
		next = mails[l.limit-1].ID
	}
	if err := a.printMails(mails, l.asJSON); err != nil {
		return err
	}
	a.noteMore(next, false)
	return nil
}

func (a *app) printMails(mails []mail.Waiting, asJSON bool) error {
	out, rows := make([]mailOut, len(mails)), make([][]string, len(mails))
	for i, m := range mails {
		out[i] = mailOut{
			ID: m.ID, To: m.Recipient, Kind: m.Kind, Attempts: m.Attempts, LastError: m.LastError,
			CreatedAt: instantOrNull(m.CreatedAt.Time), NextAt: instantOrNull(m.NextAt.Time),
			ExpiresAt: instantOrNull(m.ExpiresAt.Time),
		}
		rows[i] = []string{
			m.Recipient, m.Kind, strconv.FormatInt(m.Attempts, 10), instant(m.CreatedAt.Time), instant(m.NextAt.Time),
			instant(m.ExpiresAt.Time), m.LastError, m.ID,
		}
	}
	head := []string{"TO", "KIND", "ATTEMPTS", "CREATED", "NEXT", "UNTIL", "LAST ERROR", "ID"}
	return a.printList(asJSON, out, head, rows, "No mail waits to be sent.")
}
