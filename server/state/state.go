// Package state has a server be what one file says: its users, organizations,
// memberships, providers, clients, SAML services, webhooks and branding. It reads such a file,
// tells what would change, changes it, and writes the file of a server. It decides about
// no object itself: every change goes through the service that does, and so heeds its
// rules and is recorded by it.
//
// Read document.go for what a file can say, source.go and decode.go for how it is read
// and mistakes in it are told, check.go for what is refused by itself; run.go for how a
// file is applied, in one transaction of all services, and then a file for each kind of
// object; export.go and encode.go for the way back.
package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/brand"
	"authy/server/fault"
	"authy/server/org"
	"authy/server/outbound"
	"authy/server/provider"
	"authy/server/registry"
	"authy/server/saml2"
	"authy/server/steady"
	"authy/server/webhook"
	"authy/storage"
)

// ErrForbidden is the answer to who does not administer the server.
var ErrForbidden = fault.New(fault.Forbidden, "forbidden", "Only administrators of the server may do this.")

// Rules are the services that decide about the objects of a file.
type Rules struct {
	Accounts  *account.Service
	Orgs      *org.Service
	Providers *provider.Service
	Clients   *registry.Service
	Services  *saml2.Services
	Webhooks  *webhook.Service
	// Outbound asks for the metadata of SAML peers.
	Outbound *outbound.Client

	brand *brand.Service
}

// in returns the services over a transaction.
func (r Rules) in(db *storage.DB) Rules {
	return Rules{
		Accounts: r.Accounts.In(db), Orgs: r.Orgs.In(db), Providers: r.Providers.In(db),
		Clients: r.Clients.In(db), Services: r.Services.In(db), Webhooks: r.Webhooks.In(db), brand: brand.New(db),
	}
}

// State makes a server what a file says.
type State struct {
	db    *storage.DB
	rules Rules
}

// New returns the state that db keeps and rules decide about.
func New(db *storage.DB, rules Rules) *State { return &State{db, rules} }

// Options say how a file is applied.
type Options struct {
	// Prune removes what the file has set before and says no more.
	Prune bool
	// Take takes what another file sets, and what may be a stranger's.
	Take bool
	// Only says what would change, and changes nothing.
	Only bool
	// Shown is the plan that somebody has agreed to: nothing else is removed.
	Shown *Plan
}

// errOther is the answer where what would be removed is not what was agreed to.
var errOther = errors.New("what would be removed is no longer what was shown: nothing was changed; look at it again")

// errOnly takes a transaction back that was there to see what it would change.
var errOnly = errors.New("state: nothing is to change")

// Apply has the server be what a document says, in one transaction: all of it, or
// nothing where anything is refused. It returns what has changed.
func (s *State) Apply(ctx context.Context, by audit.Actor, d *Document, o Options) (plan *Plan, err error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	file, err := nameOf(d)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, d); err != nil {
		return nil, err
	}
	now := steady.Now()
	apply := func() error {
		err := s.db.UpdateAll(ctx, func(tx *storage.Tx) error {
			r := &run{
				tx: tx, rules: s.rules.in(s.db.In(tx)), doc: d, source: d.source, options: o,
				by: audit.StateFile(file), now: now, kept: map[[2]string]bool{}, fresh: map[[2]string]bool{},
				plan: &Plan{File: file, Changes: []Change{}, Left: []string{}, Notes: []string{}},
			}
			plan = r.plan
			if err := r.apply(ctx); err != nil {
				return err
			}
			switch {
			case o.Only:
				return errOnly
			case o.Shown != nil && !slices.Equal(plan.removals(), o.Shown.removals()):
				return errOther
			}
			return r.record(ctx, by)
		})
		if errors.Is(err, errOnly) {
			return nil
		}
		return err
	}
	if o.Only {
		err = apply()
	} else {
		err = s.db.Alone(ctx, apply)
	}
	if err != nil {
		return nil, err
	}
	return plan, nil
}

// ApplyFile is [State.Apply] for the server itself; what has changed is logged.
func (s *State) ApplyFile(ctx context.Context, path string, prune bool) error {
	d, err := Read(path)
	if err != nil {
		return err
	}
	plan, err := s.Apply(ctx, audit.Shell(), d, Options{Prune: prune})
	if err != nil {
		return err
	}
	for _, c := range plan.Changes {
		slog.InfoContext(ctx, "set by the state file", "file", path, "change", c.String())
	}
	for _, left := range plan.Left {
		slog.InfoContext(ctx, "no longer in the state file, and left", "file", path, "left", left)
	}
	for _, note := range plan.Notes {
		slog.WarnContext(ctx, "state file applied, but something is left to do", "file", path, "todo", note)
	}
	slog.InfoContext(ctx, "state file applied", "file", path, "changes", len(plan.Changes))
	return nil
}

// nameOf is what a file is known by: the name that it gives itself, or its path.
func nameOf(d *Document) (string, error) {
	path, err := filepath.Abs(d.source.file)
	if err != nil {
		return "", fmt.Errorf("look where %s is: %w", d.source.file, err)
	}
	return cmp.Or(d.Name, path), nil
}

func (s *State) mayAdminister(ctx context.Context, by audit.Actor) error {
	may, err := by.Administers(ctx, s.db.Reader)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}

// prepare reads, outside of the transaction, all that a document names: secrets,
// pictures, metadata.
func (s *State) prepare(ctx context.Context, d *Document) error {
	from := d.source
	from.mistakes = nil
	if d.Branding != nil {
		from.picture(d.Branding)
	}
	for _, u := range d.Users {
		u.hash = from.secret(u.path, "password_hash", u.HashFile, u.HashEnv)
	}
	for _, p := range d.Providers {
		p.secret = from.secret(p.path, "client_secret", p.SecretFile, p.SecretEnv)
		if err := s.prepareProvider(ctx, from, p); err != nil {
			return err
		}
	}
	for _, c := range d.Clients {
		c.secret = from.secret(c.path, "client_secret", c.SecretFile, c.SecretEnv)
		if c.SectorIdentifierURI == nil {
			continue
		}
		if err := from.refused(c.path, nil, s.rules.Clients.CheckSector(ctx, c.registration(""))); err != nil {
			return err
		}
	}
	for _, o := range d.Services {
		if err := s.prepareService(ctx, from, o); err != nil {
			return err
		}
	}
	for _, h := range d.Webhooks {
		h.secret = from.secret(h.path, "secret", h.SecretFile, h.SecretEnv)
	}
	return from.err()
}
