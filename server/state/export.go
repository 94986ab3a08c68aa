package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// page is how many records are read at once.
const page = 500

const head = `# The state of an authy server, as 'authy export' wrote it; 'authy apply' reads it.
# Secrets are not in here: has_secret says where there is one. Passwords, authenticators,
# passkeys and sessions of users are not in here either.
`

// secretComment stands over what has a secret.
const secretComment = "Its secret is not in here: name it with client_secret_file or client_secret_env."

// Export writes the file of the server as it is, with no secret in it. The same server
// gives the same file to the letter.
func (s *State) Export(ctx context.Context, by audit.Actor) (file []byte, err error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	d := new(Document)
	var itself int
	// In a transaction, so that all of it is of one moment.
	err = s.db.UpdateAll(ctx, func(tx *storage.Tx) error {
		*d, itself = Document{}, 0
		r := s.reading(tx)
		for _, read := range []func(context.Context, *Document) error{
			r.readBranding, r.readUsers, r.readOrgs, r.readProviders, r.readServices, r.readWebhooks,
		} {
			if err := read(ctx, d); err != nil {
				return err
			}
		}
		if itself, err = r.readClients(ctx, d); err != nil {
			return err
		}
		return errOnly
	})
	if !errors.Is(err, errOnly) {
		return nil, err
	}
	text := head
	if itself > 0 {
		text += fmt.Sprintf("# Clients that have registered themselves are left out: %d.\n", itself)
	}
	return append([]byte(text+"\n"), encode(d)...), nil
}

// reading is a run that only reads.
func (s *State) reading(tx *storage.Tx) *run {
	return &run{
		tx: tx, rules: s.rules.in(s.db.In(tx)), doc: new(Document), source: &source{at: map[string]position{}},
		by: audit.Shell(), now: steady.Now(), plan: new(Plan),
	}
}

func (r *run) readBranding(ctx context.Context, d *Document) error {
	known, err := r.tx.Branding(ctx)
	if err != nil {
		return fmt.Errorf("read the branding: %w", err)
	}
	if !known.UpdatedAt.IsZero() {
		d.Branding = describeBranding(known)
	}
	return nil
}

func (r *run) readUsers(ctx context.Context, d *Document) error {
	for after := ""; ; {
		users, err := r.tx.Users(ctx, storage.UserFilter{}, after, page)
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		for i := range users {
			d.Users = append(d.Users, r.describeUser(&users[i]))
			after = users[i].Email
		}
		if len(users) < page {
			return nil
		}
	}
}

func (r *run) readOrgs(ctx context.Context, d *Document) error {
	for after := ""; ; {
		orgs, err := r.tx.Organizations(ctx, storage.OrganizationFilter{}, after, page)
		if err != nil {
			return fmt.Errorf("list organizations: %w", err)
		}
		for i := range orgs {
			o, err := r.describeOrg(ctx, &orgs[i])
			if err != nil {
				return err
			}
			if o.Members, err = r.readMembers(ctx, orgs[i].ID); err != nil {
				return err
			}
			if o.Exceptions, err = r.readExceptions(ctx, orgs[i].ID, o.Members); err != nil {
				return err
			}
			d.Organizations = append(d.Organizations, o)
			after = o.Slug
		}
		if len(orgs) < page {
			return nil
		}
	}
}

// readMembers leaves out who is there by the groups of a provider, which gives them their
// places at each sign-in, unless nobody else owns the organization: it needs an owner.
func (r *run) readMembers(ctx context.Context, orgID string) (map[string]string, error) {
	out, given := map[string]string{}, map[string]string{}
	owned := false
	for after := ""; ; {
		members, users, err := r.tx.Members(ctx, orgID, after, page)
		if err != nil {
			return nil, fmt.Errorf("list members of %s: %w", orgID, err)
		}
		for _, m := range members {
			after = m.ID
			switch user := users[m.UserID]; {
			case user == nil:
			case m.ProviderID == "":
				out[user.Email] = string(m.Role)
				owned = owned || m.Role == storage.RoleOwner
			case m.Role == storage.RoleOwner:
				given[user.Email] = string(m.Role)
			}
		}
		if len(members) == page {
			continue
		}
		if !owned {
			maps.Copy(out, given)
		}
		return out, nil
	}
}

func (r *run) readProviders(ctx context.Context, d *Document) error {
	all, err := r.tx.AllProviders(ctx)
	if err != nil {
		return fmt.Errorf("list providers: %w", err)
	}
	for i := range all {
		if all[i].IsManaged {
			continue // the configuration has it
		}
		p, err := r.describeProvider(ctx, &all[i])
		if err != nil {
			return err
		}
		if p.HasSecret {
			p.comments = []string{secretComment}
		}
		d.Providers = append(d.Providers, p)
	}
	return nil
}

// readClients returns how many clients have registered themselves, and are left out.
func (r *run) readClients(ctx context.Context, d *Document) (itself int, err error) {
	for after := ""; ; {
		clients, err := r.tx.Clients(ctx, "", after, page)
		if err != nil {
			return itself, fmt.Errorf("list clients: %w", err)
		}
		for i := range clients {
			after = clients[i].ClientID
			if clients[i].RegistrationHash != "" {
				itself++
				continue
			}
			c, err := r.describeClient(ctx, &clients[i])
			if err != nil {
				return itself, err
			}
			if c.HasSecret {
				c.comments = []string{secretComment}
			}
			d.Clients = append(d.Clients, c)
		}
		if len(clients) < page {
			return itself, nil
		}
	}
}

func (r *run) readServices(ctx context.Context, d *Document) error {
	all, err := r.tx.Services(ctx, "")
	if err != nil {
		return fmt.Errorf("list SAML services: %w", err)
	}
	for i := range all {
		s, err := r.describeService(ctx, &all[i])
		if err != nil {
			return err
		}
		d.Services = append(d.Services, s)
	}
	return nil
}

// named is an object of a kind that people know by a name.
func named(ctx context.Context, r *run, kind, name string) (entry, error) {
	switch kind {
	case managed.Webhook:
		return &Webhook{Slug: name}, nil
	case managed.SAMLService:
		return &Service{Slug: name}, nil
	case managed.Client:
		return &Client{ClientID: name}, nil
	case managed.Provider:
		return &Provider{Slug: name}, nil
	case managed.Organization:
		return &Organization{Slug: name}, nil
	case managed.Branding:
		return new(Branding), nil
	case managed.Member:
		email, org, _ := strings.Cut(name, " of ")
		return &member{org: org, Email: strings.ToLower(email)}, nil
	}
	user, err := r.rules.Accounts.Find(ctx, name)
	if errors.Is(err, account.ErrNoUser) {
		return &User{Email: name}, nil
	}
	if err != nil {
		return nil, err
	}
	return &User{Email: user.Email}, nil
}

func joined(words []string) string { return strings.Join(words, ", ") }
