package mail

import (
	"context"
	"fmt"

	"authy/server/steady"
)

// Check asks the relay whether it would take mail: it connects, begins TLS, signs in
// and names the sender, all as for a mail, and goes before there is one. [ErrOff] if
// mail is not set up.
func (q *Queue) Check(ctx context.Context) error {
	if !q.Enabled() {
		return ErrOff
	}
	hurried := *q.relay
	if at, ok := ctx.Deadline(); ok {
		hurried.config.Timeout.Duration = min(hurried.config.Timeout.Duration, steady.Until(at))
	}
	return hurried.check(ctx)
}

func (r *relay) check(ctx context.Context) error {
	client, err := r.client()
	if err != nil {
		return err
	}
	dialog, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return err
	}
	defer client.CloseWithSMTPClient(dialog) //nolint:errcheck // however it says goodbye
	if err := dialog.Mail(r.from.Address); err != nil {
		return fmt.Errorf("the sender %s: %w", r.from.Address, err)
	}
	return dialog.Reset()
}
