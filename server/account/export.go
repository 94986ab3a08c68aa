package account

import (
	"context"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/steady"
	"authy/storage"
)

// Export is all that is kept about a user, as a document for them. It holds
// nothing that opens anything, and of others no more than that they acted.
type Export struct {
	ExportedAt        time.Time          `json:"exported_at"`
	User              ExportUser         `json:"user"`
	Picture           []byte             `json:"picture" nullable:"true" doc:"JPEG in base64, if one is kept here"`
	PasswordChangedAt *time.Time         `json:"password_changed_at" nullable:"true"`
	TOTPConfirmedAt   *time.Time         `json:"totp_confirmed_at" nullable:"true" doc:"Since when an authenticator app is set up"`
	Passkeys          []ExportPasskey    `json:"passkeys"`
	Sessions          []ExportSession    `json:"sessions"`
	Tokens            []ExportToken      `json:"tokens" doc:"API tokens, without what opens anything"`
	Memberships       []ExportMembership `json:"memberships"`
	Consents          []ExportConsent    `json:"consents" doc:"What applications may have"`
	Grants            []ExportGrant      `json:"grants" doc:"What applications were given"`

	ExportLogouts
	ExportIdentities
	InvitationsReceived []ExportInvitation `json:"invitations_received" doc:"To my address, if it is verified; not answered yet"`
	InvitationsMade     []ExportInvitation `json:"invitations_made" doc:"By me, not answered yet"`
	Mails               []ExportMail       `json:"mails" doc:"To my address, if it is verified, that wait to be sent"`

	Events        []ExportEvent `json:"events" doc:"Rows of the audit log, the newest first"`
	EventsLeftOut bool          `json:"events_left_out" doc:"Whether there are older events"`
}

// Export returns all that is kept about a user, and records that it was asked
// for. Users may ask for their own, and whoever administers for anyone's.
func (s *Service) Export(ctx context.Context, by audit.Actor, userID string) (*Export, error) {
	if err := s.mayChange(ctx, by, userID); err != nil {
		return nil, err
	}
	now := steady.Now()
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		if _, err := load(ctx, tx, userID); err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, audit.Event{Action: "user.export", TargetKind: "user", TargetID: userID})
	})
	if err != nil {
		return nil, err
	}
	e := &exporter{db: s.db, userID: userID, out: &Export{ExportedAt: storage.At(now).Time}, clients: map[string]*storage.Client{}}
	for _, part := range []func(context.Context) error{
		e.user, e.picture, e.password, e.totp, e.passkeys, e.sessions, e.tokens, e.memberships, e.consents, e.grants,
		e.invitationsMade, e.sent, e.logouts, e.identities, e.events,
	} {
		if err := part(ctx); err != nil {
			return nil, fmt.Errorf("export what is kept about %s: %w", userID, err)
		}
	}
	return e.out, nil
}

// exporter gathers an export part by part.
type exporter struct {
	db      *storage.DB
	userID  string
	out     *Export
	clients map[string]*storage.Client // by row
}

// moment is nil for no time.
func moment(t storage.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t.Time
}
