package state

import (
	"context"
	"errors"
	"fmt"

	"authy/server/fault"
	"authy/server/managed"
	"authy/storage"
)

// goners are the kinds of objects in the order in which they are removed, which is that
// of what needs what. The places in an organization go with it, so that the last owner of
// one that goes is none that has to stay.
var goners = []string{
	managed.Webhook, managed.SAMLService, managed.Client, managed.Provider, managed.Organization, managed.Member, managed.User,
	managed.Branding,
}

// blank is an object of a kind of which nothing is known.
func blank(kind string) entry {
	switch kind {
	case managed.Webhook:
		return new(Webhook)
	case managed.SAMLService:
		return new(Service)
	case managed.Client:
		return new(Client)
	case managed.Provider:
		return new(Provider)
	case managed.Organization:
		return new(Organization)
	case managed.Member:
		return new(member)
	case managed.User:
		return new(User)
	}
	return new(Branding)
}

// prune removes what the file has set before and says no more, or notes that it is left.
func (r *run) prune(ctx context.Context) error {
	marks, err := r.tx.ManagedBy(ctx, r.by.File)
	if err != nil {
		return fmt.Errorf("look up what %s sets: %w", r.by.File, err)
	}
	for _, kind := range goners {
		for _, m := range marks {
			if m.Kind != kind || r.kept[[2]string{m.Kind, m.ID}] {
				continue
			}
			if err := r.dismiss(ctx, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// dismiss removes an object, or notes that it is left. A mark of what is not there any
// more goes.
func (r *run) dismiss(ctx context.Context, m managed.Mark) error {
	e, err := blank(m.Kind).describe(ctx, r, m.ID)
	if errors.Is(err, storage.ErrNotFound) {
		_, err := managed.Forget(ctx, r.tx, m.Kind, m.ID)
		return err
	}
	if err != nil {
		return err
	}
	c := Change{Action: Removed, Kind: m.Kind}
	_, c.Name = e.label()
	if !r.options.Prune {
		r.plan.Left = append(r.plan.Left, c.text())
		return nil
	}
	if o, ok := e.(*Organization); ok {
		if err := r.dismissWithin(ctx, o, m.ID); err != nil {
			return err
		}
	}
	err = r.remove(ctx, e, m.ID)
	if f, ok := fault.As(err); ok && !f.Kind.IsOurs() {
		r.source.note("", "%s cannot be removed: %s", c.text(), f.Message)
		return errRefused
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", c.text(), err)
	}
	r.plan.Changes = append(r.plan.Changes, c)
	_, err = managed.Forget(ctx, r.tx, m.Kind, m.ID)
	return err
}

// dismissWithin tells what goes with an organization, and refuses to if another file sets it.
func (r *run) dismissWithin(ctx context.Context, o *Organization, id string) error {
	within, err := r.within(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range within {
		mark, err := managed.Find(ctx, r.tx.Reader, c.kind, c.id)
		if err != nil {
			return err
		}
		gone := Change{Action: Removed, Kind: c.kind, Name: c.name}
		if mark != nil && mark.File != r.by.File && !r.options.Take {
			r.source.note("", "organization %q cannot be removed: %s sets the %s in it; take it out of that file first, or add --take",
				o.Slug, mark.File, gone.text())
			return errRefused
		}
		if _, err := managed.Forget(ctx, r.tx, c.kind, c.id); err != nil {
			return err
		}
		r.plan.Changes = append(r.plan.Changes, gone)
	}
	return nil
}

// part is an object in an organization.
type part struct{ kind, id, name string }

// within are the clients, providers, SAML services and webhooks of an organization.
func (r *run) within(ctx context.Context, orgID string) (parts []part, err error) {
	for after := ""; ; {
		clients, err := r.tx.Clients(ctx, orgID, after, page)
		if err != nil {
			return nil, fmt.Errorf("list clients: %w", err)
		}
		for i := range clients {
			after = clients[i].ClientID
			parts = append(parts, part{managed.Client, clients[i].ID, after})
		}
		if len(clients) < page {
			break
		}
	}
	providers, err := r.tx.Providers(ctx, orgID)
	if err != nil {
		return nil, fmt.Errorf("list providers: %w", err)
	}
	for i := range providers {
		parts = append(parts, part{managed.Provider, providers[i].ID, providers[i].Slug})
	}
	services, err := r.tx.Services(ctx, orgID)
	if err != nil {
		return nil, fmt.Errorf("list SAML services: %w", err)
	}
	for i := range services {
		parts = append(parts, part{managed.SAMLService, services[i].ID, services[i].Slug})
	}
	webhooks, err := r.tx.Webhooks(ctx)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	for i := range webhooks {
		if string(webhooks[i].OrganizationID) == orgID {
			parts = append(parts, part{managed.Webhook, webhooks[i].ID, webhooks[i].Slug})
		}
	}
	return parts, nil
}

func (r *run) remove(ctx context.Context, e entry, id string) error {
	switch o := e.(type) {
	case *Webhook:
		return r.rules.Webhooks.Remove(ctx, r.by, o.Slug)
	case *Service:
		return r.rules.Services.Remove(ctx, r.by, "", o.Slug)
	case *Client:
		return r.rules.Clients.Delete(ctx, r.by, "", o.ClientID)
	case *Provider:
		return r.rules.Providers.Remove(ctx, r.by, "", o.Slug)
	case *Organization:
		return r.rules.Orgs.Delete(ctx, r.by, id)
	case *member:
		place, err := r.tx.MemberByID(ctx, id)
		if err != nil {
			return err
		}
		return r.rules.Orgs.Remove(ctx, r.by, place.OrganizationID, place.UserID)
	case *User:
		return r.rules.Accounts.Delete(ctx, r.by, id)
	}
	return r.rules.brand.Reset(ctx, r.by)
}
