package account

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"authy/server/audit"
	"authy/storage"
)

// maxExportEvents is how many events of each sort an export holds at most: the
// newest ones.
const maxExportEvents = 10_000

// Export is all that is kept about a user, as a document for them. It holds
// nothing that opens anything, and of others no more than that they acted.
type Export struct {
	ExportedAt        time.Time          `json:"exported_at"`
	User              ExportUser         `json:"user"`
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

// ExportUser is the user's own record.
type ExportUser struct {
	ID                string     `json:"id"`
	Email             string     `json:"email"`
	EmailVerifiedAt   *time.Time `json:"email_verified_at" nullable:"true"`
	FullName          string     `json:"full_name"`
	AvatarURL         string     `json:"avatar_url"`
	GivenName         string     `json:"given_name"`
	FamilyName        string     `json:"family_name"`
	Nickname          string     `json:"nickname"`
	PreferredUsername string     `json:"preferred_username"`
	Website           string     `json:"website"`
	Gender            string     `json:"gender"`
	Birthdate         string     `json:"birthdate"`
	PhoneNumber       string     `json:"phone_number"`
	Locale            string     `json:"locale"`
	Zoneinfo          string     `json:"zoneinfo"`
	MiddleName        string     `json:"middle_name"`
	ProfileURL        string     `json:"profile_url"`
	StreetAddress     string     `json:"street_address"`
	Locality          string     `json:"locality"`
	Region            string     `json:"region"`
	PostalCode        string     `json:"postal_code"`
	Country           string     `json:"country"`
	Status            string     `json:"status"`
	Admin             bool       `json:"admin"`
	CreatedAt         time.Time  `json:"created_at"`
	UpdatedAt         time.Time  `json:"updated_at"`
	LastLoginAt       *time.Time `json:"last_login_at" nullable:"true"`
	LastLoginIP       string     `json:"last_login_ip"`
	SignedOutAt       *time.Time `json:"signed_out_at" nullable:"true"`
}

// ExportPasskey is a passkey, without its key.
type ExportPasskey struct {
	Name       string     `json:"name"`
	Transports []string   `json:"transports"`
	BackedUp   bool       `json:"backed_up"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at" nullable:"true"`
}

// ExportSession is a session, live or not.
type ExportSession struct {
	ID              string     `json:"id"`
	Kind            string     `json:"kind"`
	Methods         []string   `json:"methods" doc:"How the user proved who they are (RFC 8176)"`
	IPAddress       string     `json:"ip_address"`
	UserAgent       string     `json:"user_agent"`
	CreatedAt       time.Time  `json:"created_at"`
	AuthenticatedAt time.Time  `json:"authenticated_at"`
	LastActivityAt  time.Time  `json:"last_activity_at"`
	ExpiresAt       time.Time  `json:"expires_at"`
	RevokedAt       *time.Time `json:"revoked_at" nullable:"true"`
	RevokedReason   string     `json:"revoked_reason"`
}

// ExportToken is a personal API token.
type ExportToken struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at" nullable:"true"`
	LastUsedAt *time.Time `json:"last_used_at" nullable:"true"`
}

// ExportMembership is a place in an organization.
type ExportMembership struct {
	OrganizationID   string     `json:"organization_id"`
	OrganizationName string     `json:"organization_name"`
	Role             string     `json:"role"`
	InvitedAt        *time.Time `json:"invited_at" nullable:"true"`
	JoinedAt         *time.Time `json:"joined_at" nullable:"true"`
	MFAOverride      string     `json:"mfa_override" doc:"What is asked of me in the place of the policy"`
	MFAStatus        string     `json:"mfa_status" doc:"How I was last found to meet the policy"`
	MFADeadlineAt    *time.Time `json:"mfa_deadline_at" nullable:"true"`
	MFAReminders     int64      `json:"mfa_reminders" doc:"How often I was told of it"`
}

// ExportConsent is what the user lets an application have.
type ExportConsent struct {
	ClientID   string    `json:"client_id"`
	ClientName string    `json:"client_name"`
	Scopes     []string  `json:"scopes"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// ExportGrant is one authorization of an application.
type ExportGrant struct {
	ID              string     `json:"id"`
	ClientID        string     `json:"client_id"`
	ClientName      string     `json:"client_name"`
	Scopes          []string   `json:"scopes"`
	AuthenticatedAt time.Time  `json:"authenticated_at"`
	CreatedAt       time.Time  `json:"created_at"`
	ExpiresAt       time.Time  `json:"expires_at"`
	RevokedAt       *time.Time `json:"revoked_at" nullable:"true"`
	RevokedReason   string     `json:"revoked_reason"`
}

// ExportEvent is a row of the audit log. Where somebody else acted, it does
// not say who, nor from where.
type ExportEvent struct {
	ID             string            `json:"id"`
	At             time.Time         `json:"at"`
	Action         string            `json:"action"`
	Outcome        string            `json:"outcome"`
	Reason         string            `json:"reason"`
	ActorKind      string            `json:"actor_kind"`
	ActorID        string            `json:"actor_id"`
	TargetKind     string            `json:"target_kind"`
	TargetID       string            `json:"target_id"`
	OrganizationID string            `json:"organization_id"`
	IPAddress      string            `json:"ip_address"`
	UserAgent      string            `json:"user_agent"`
	RequestID      string            `json:"request_id"`
	SessionID      string            `json:"session_id"`
	Details        map[string]string `json:"details"`
}

// Export returns all that is kept about a user, and records that it was asked
// for. Users may ask for their own, and whoever administers for anyone's.
func (s *Service) Export(ctx context.Context, by audit.Actor, userID string) (*Export, error) {
	if err := s.mayChange(ctx, by, userID); err != nil {
		return nil, err
	}
	now := time.Now()
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
		e.user, e.password, e.totp, e.passkeys, e.sessions, e.tokens, e.memberships, e.consents, e.grants,
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

func (e *exporter) user(ctx context.Context) error {
	u, err := e.db.User(ctx, e.userID)
	if errors.Is(err, storage.ErrNotFound) {
		return ErrNoUser
	}
	if err != nil {
		return err
	}
	e.out.User = ExportUser{
		ID: u.ID, Email: u.Email, EmailVerifiedAt: moment(u.EmailVerifiedAt), FullName: u.FullName, AvatarURL: u.AvatarURL,
		GivenName: u.GivenName, FamilyName: u.FamilyName, Nickname: u.Nickname, PreferredUsername: u.PreferredUsername,
		Website: u.Website, Gender: u.Gender, Birthdate: u.Birthdate, PhoneNumber: u.PhoneNumber, Locale: u.Locale,
		Zoneinfo: u.Zoneinfo, MiddleName: u.MiddleName, ProfileURL: u.ProfileURL, StreetAddress: u.StreetAddress,
		Locality: u.Locality, Region: u.Region, PostalCode: u.PostalCode, Country: u.Country,
		Status: string(u.Status), Admin: u.IsAdmin, CreatedAt: u.CreatedAt.Time, UpdatedAt: u.UpdatedAt.Time,
		LastLoginAt: moment(u.LastLoginAt), LastLoginIP: u.LastLoginIP, SignedOutAt: moment(u.SignedOutAt),
	}
	return nil
}

func (e *exporter) password(ctx context.Context) error {
	p, err := e.db.Password(ctx, e.userID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	e.out.PasswordChangedAt = moment(p.ChangedAt)
	return nil
}

func (e *exporter) totp(ctx context.Context) error {
	t, err := e.db.TOTP(ctx, e.userID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	e.out.TOTPConfirmedAt = moment(t.ConfirmedAt)
	return nil
}

func (e *exporter) passkeys(ctx context.Context) error {
	have, err := e.db.Passkeys(ctx, e.userID)
	e.out.Passkeys = make([]ExportPasskey, len(have))
	for i, p := range have {
		e.out.Passkeys[i] = ExportPasskey{
			Name: p.Name, Transports: append([]string{}, p.Transports...), BackedUp: p.BackedUp,
			CreatedAt: p.CreatedAt.Time, LastUsedAt: moment(p.LastUsedAt),
		}
	}
	return err
}

func (e *exporter) sessions(ctx context.Context) error {
	sessions, err := e.db.Sessions(ctx, e.userID)
	e.out.Sessions = make([]ExportSession, len(sessions))
	for i, one := range sessions {
		e.out.Sessions[i] = ExportSession{
			ID: one.ID, Kind: one.Kind, Methods: one.Methods, IPAddress: one.IPAddress, UserAgent: one.UserAgent,
			CreatedAt: one.CreatedAt.Time, AuthenticatedAt: one.AuthenticatedAt.Time, LastActivityAt: one.LastActivityAt.Time,
			ExpiresAt: one.ExpiresAt.Time, RevokedAt: moment(one.RevokedAt), RevokedReason: one.RevokedReason,
		}
	}
	return err
}

func (e *exporter) tokens(ctx context.Context) error {
	tokens, err := e.db.APITokensOfUser(ctx, e.userID)
	e.out.Tokens = make([]ExportToken, len(tokens))
	for i, one := range tokens {
		e.out.Tokens[i] = ExportToken{
			ID: one.ID, Name: one.Name, Scopes: one.Scopes, CreatedAt: one.CreatedAt.Time,
			ExpiresAt: moment(one.ExpiresAt), LastUsedAt: moment(one.LastUsedAt),
		}
	}
	return err
}

func (e *exporter) memberships(ctx context.Context) error {
	members, err := e.db.Memberships(ctx, e.userID)
	if err != nil {
		return err
	}
	states, err := e.db.MFAStates(ctx, e.userID)
	if err != nil {
		return err
	}
	asked := make(map[string]storage.MFAState, len(states))
	for _, st := range states {
		asked[st.OrganizationID] = st
	}
	e.out.Memberships = make([]ExportMembership, 0, len(members))
	for _, m := range members {
		o, err := e.db.Organization(ctx, m.OrganizationID)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted between the two reads
		}
		if err != nil {
			return err
		}
		e.out.Memberships = append(e.out.Memberships, ExportMembership{
			OrganizationID: o.ID, OrganizationName: o.Name, Role: string(m.Role),
			InvitedAt: moment(m.InvitedAt), JoinedAt: moment(m.JoinedAt),
			MFAOverride: asked[o.ID].OverrideMode, MFAStatus: asked[o.ID].Status,
			MFADeadlineAt: moment(asked[o.ID].DeadlineAt), MFAReminders: asked[o.ID].NotificationCount,
		})
	}
	return nil
}

func (e *exporter) consents(ctx context.Context) error {
	consents, err := e.db.Consents(ctx, e.userID)
	e.out.Consents = make([]ExportConsent, 0, len(consents))
	for _, one := range consents {
		client, err := e.client(ctx, one.ClientID)
		if err != nil {
			return err
		}
		e.out.Consents = append(e.out.Consents, ExportConsent{
			ClientID: client.ClientID, ClientName: client.Name, Scopes: one.Scopes,
			CreatedAt: one.CreatedAt.Time, UpdatedAt: one.UpdatedAt.Time,
		})
	}
	return err
}

func (e *exporter) grants(ctx context.Context) error {
	grants, err := e.db.Grants(ctx, e.userID)
	e.out.Grants = make([]ExportGrant, 0, len(grants))
	for _, g := range grants {
		client, err := e.client(ctx, g.ClientID)
		if err != nil {
			return err
		}
		e.out.Grants = append(e.out.Grants, ExportGrant{
			ID: g.ID, ClientID: client.ClientID, ClientName: client.Name, Scopes: g.Scopes,
			AuthenticatedAt: g.AuthenticatedAt.Time, CreatedAt: g.CreatedAt.Time, ExpiresAt: g.ExpiresAt.Time,
			RevokedAt: moment(g.RevokedAt), RevokedReason: g.RevokedReason,
		})
	}
	return err
}

// client returns a client by its row; one that was deleted just now is nameless.
func (e *exporter) client(ctx context.Context, row string) (*storage.Client, error) {
	if known := e.clients[row]; known != nil {
		return known, nil
	}
	c, err := e.db.ClientByRow(ctx, row)
	if errors.Is(err, storage.ErrNotFound) {
		c, err = new(storage.Client), nil
	}
	e.clients[row] = c
	return c, err
}

func (e *exporter) events(ctx context.Context) error {
	by, err := e.db.EventsBy(ctx, e.userID, maxExportEvents+1)
	if err != nil {
		return err
	}
	about, err := e.db.EventsAbout(ctx, e.userID, maxExportEvents+1)
	if err != nil {
		return err
	}
	e.out.EventsLeftOut = len(by) > maxExportEvents || len(about) > maxExportEvents
	all := slices.Concat(by[:min(len(by), maxExportEvents)], about[:min(len(about), maxExportEvents)])
	slices.SortFunc(all, func(a, b storage.Event) int {
		if c := b.At.Compare(a.At.Time); c != 0 {
			return c
		}
		return cmp.Compare(b.ID, a.ID)
	})
	e.out.Events = make([]ExportEvent, len(all))
	for i := range all {
		if e.out.Events[i], err = e.event(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) event(row *storage.Event) (ExportEvent, error) {
	out := ExportEvent{
		ID: row.ID, At: row.At.Time, Action: row.Action, Outcome: row.Outcome, Reason: row.Reason,
		ActorKind: row.ActorKind, ActorID: row.ActorID, TargetKind: row.TargetKind, TargetID: row.TargetID,
		OrganizationID: row.OrganizationID, IPAddress: row.IPAddress, UserAgent: row.UserAgent,
		RequestID: row.RequestID, SessionID: row.SessionID, Details: map[string]string{},
	}
	others := row.ActorKind == string(audit.User) || row.ActorKind == string(audit.Service)
	if others && row.ActorID != e.userID {
		out.ActorID, out.IPAddress, out.UserAgent, out.RequestID, out.SessionID = "", "", "", "", ""
	}
	if row.Details == "" {
		return out, nil
	}
	return out, json.Unmarshal([]byte(row.Details), &out.Details)
}

// moment is nil for no time.
func moment(t storage.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t.Time
}
