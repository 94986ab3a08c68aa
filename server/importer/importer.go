// Package importer brings what another server has here: users with their ids and ways to sign
// in, organizations, members, clients. It knows no other server: a reader of one, such as
// server/importer/gatehouse, makes neutral [Records] of what it finds, and everything about
// what may be here is decided by the services that own it.
//
// Nothing is ever overwritten, and all is brought in one transaction: it is there as a whole or
// not at all, and may be done again, which changes nothing.
//
// Read importer.go (what is brought, and the one transaction), report.go (what is said of
// it), rivals.go (who cannot come beside another), then user.go, method.go, org.go and client.go.
package importer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// Records are what another server has, in nobody's words.
type Records struct {
	// Source is what the server is called, in one word; From where it was read.
	Source, From  string
	Users         []User
	Organizations []Organization
	Members       []Member
	Clients       []Client
	// Left is what its reader found and has no place here.
	Left []Item
	// Notes are what its reader could not find out.
	Notes []string
}

// User is a person, and how they sign in.
type User struct {
	ID, Email, FullName, AvatarURL string
	EmailVerified                  bool
	Status                         storage.Status
	CreatedAt, UpdatedAt           time.Time
	LastLoginAt                    time.Time
	LastLoginIP                    string
	PasswordHash                   string
	TOTP                           *TOTP
	Passkeys                       []Passkey
	Links                          []Link
	Notes                          []string
}

// TOTP is an authenticator that its owner has confirmed.
type TOTP struct {
	Secret      string // base32
	CodeHashes  []string
	ConfirmedAt time.Time
}

// Passkey is a passkey; the ids and keys are base64url.
type Passkey struct {
	ID, CredentialID, PublicKey, AAGUID, Name string
	SignCount                                 int64
	Transports                                []string
	CreatedAt, LastUsedAt                     time.Time
}

// Link says who a user is at a provider of a kind. Tenant is that of Microsoft, if it is known.
type Link struct {
	ID, Kind, Subject, Tenant string
	Email, Name, Picture      string
	Verified                  bool
	LinkedAt, LastUsedAt      time.Time
}

// Organization is an organization.
type Organization struct {
	ID, Slug, Name, Description, LogoURL string
	Disabled                             bool
	CreatedAt, UpdatedAt                 time.Time
}

// Member is a user's place in an organization.
type Member struct {
	ID, OrganizationID, UserID, Role, InvitedByID string
	InvitedAt, JoinedAt, CreatedAt, UpdatedAt     time.Time
}

// Client is a relying party: its id in the other database, what it may do, and the hash of
// its secret, "" for a public one.
type Client struct {
	ID, SecretHash string
	Public         bool
	registry.Registration
	CreatedAt time.Time
}

// Importer brings records here.
type Importer struct {
	db       *storage.DB
	accounts *account.Service
	orgs     *org.Service
	clients  *registry.Service
}

// New returns the importer into db.
func New(db *storage.DB, accounts *account.Service, orgs *org.Service, clients *registry.Service) *Importer {
	return &Importer{db: db, accounts: accounts, orgs: orgs, clients: clients}
}

// Options say how records are brought.
type Options struct {
	// DryRun finds out what would come of it, and changes nothing.
	DryRun bool
	// EmailsVerified takes every address for verified, whatever the other server says.
	EmailsVerified bool
}

// errDryRun undoes what was only tried.
var errDryRun = errors.New("importer: dry run")

// Import brings records here for an operator, and says what became of each.
func (i *Importer) Import(ctx context.Context, by audit.Actor, in *Records, o Options) (*Report, error) {
	if by.Kind != audit.Operator {
		return nil, account.ErrForbidden
	}
	now := steady.Now()
	drafts, err := i.drafts(ctx, in.Clients, now)
	if err != nil {
		return nil, err
	}
	var r *run
	err = i.db.UpdateAll(ctx, func(tx *storage.Tx) error {
		r = &run{Importer: i, tx: tx, by: by, now: now, in: in, options: o}
		r.report.From, r.report.DryRun = in.From, o.DryRun
		if err := r.all(ctx, drafts); err != nil {
			return err
		}
		if o.DryRun {
			return errDryRun
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return nil, fmt.Errorf("import from %s, which has changed nothing: %w", in.From, err)
	}
	r.report.Items = append(r.report.Items, in.Left...)
	r.report.Notes = in.Notes
	return &r.report, nil
}

// run is one attempt to bring records here.
type run struct {
	*Importer
	tx      *storage.Tx
	by      audit.Actor
	now     time.Time
	in      *Records
	options Options
	report  Report

	users     map[string]arrival // by their ids
	orgs      map[string]arrival
	owned     map[string]bool    // organizations that an owner came for
	members   map[[2]string]bool // that came, by organization and user
	memberIDs map[string]bool
	providers []storage.Provider
}

// arrival is what became of a user or an organization that others refer to.
type arrival struct {
	name  string // the address, or the slug
	state State
}

func (r *run) all(ctx context.Context, drafts []draft) error {
	r.users, r.orgs, r.owned = map[string]arrival{}, map[string]arrival{}, map[string]bool{}
	r.members, r.memberIDs = map[[2]string]bool{}, map[string]bool{}
	var err error
	if r.providers, err = r.tx.AllProviders(ctx); err != nil {
		return fmt.Errorf("list the identity providers: %w", err)
	}
	if err := r.allUsers(ctx); err != nil {
		return err
	}
	if err := r.allOrgs(ctx); err != nil {
		return err
	}
	for i := range r.in.Members {
		if err := r.member(ctx, &r.in.Members[i]); err != nil {
			return err
		}
	}
	r.noteOrphans()
	return r.allClients(ctx, drafts)
}

func (r *run) allUsers(ctx context.Context) error {
	for i, reason := range rivals(userClaims(r.in.Users)) {
		u := &r.in.Users[i]
		if reason != "" {
			r.leaveUser(u, u.Email, reason)
			continue
		}
		if err := r.user(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) allOrgs(ctx context.Context) error {
	for i, reason := range rivals(orgClaims(r.in.Organizations)) {
		o := &r.in.Organizations[i]
		if reason != "" {
			r.leaveOrg(o, reason)
			continue
		}
		if err := r.organization(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) allClients(ctx context.Context, drafts []draft) error {
	for i, reason := range rivals(clientClaims(drafts)) {
		d := &drafts[i]
		if reason != "" {
			r.leave(aClient, d.ClientID, d.ID, reason)
			continue
		}
		if err := r.client(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// at returns an instant of the other server, or that of the import where it has none.
func (r *run) at(t time.Time) storage.Time {
	if t.IsZero() {
		t = r.now
	}
	return storage.At(t)
}
