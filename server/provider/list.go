package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"authy/server/audit"
	"authy/storage"
)

// List returns the providers of an organization in the order of their slugs.
// orgID is "" for every provider there is, which who administers the server sees.
func (s *Service) List(ctx context.Context, by audit.Actor, orgID string) ([]storage.Provider, error) {
	if err := s.mayManage(ctx, s.db.Reader, by, orgID); err != nil {
		return nil, err
	}
	read := s.db.AllProviders
	if orgID != "" {
		read = func(ctx context.Context) ([]storage.Provider, error) { return s.db.Providers(ctx, orgID) }
	}
	list, err := read(ctx)
	if err != nil {
		return nil, fmt.Errorf("list providers: %w", err)
	}
	slices.SortFunc(list, func(a, b storage.Provider) int { return strings.Compare(a.Slug, b.Slug) })
	return list, nil
}

// Show returns a provider of an organization, enabled or not. orgID is "" for who
// administers the server and knows the slug alone. [ErrNoProvider] if there is
// none.
func (s *Service) Show(ctx context.Context, by audit.Actor, orgID, slug string) (*storage.Provider, error) {
	return s.shown(ctx, s.db.Reader, by, orgID, slug)
}

func (s *Service) shown(
	ctx context.Context, r storage.Reader, by audit.Actor, orgID, slug string,
) (*storage.Provider, error) {
	if err := s.mayManage(ctx, r, by, orgID); err != nil {
		return nil, err
	}
	p, err := find(ctx, r, slug)
	if err == nil && orgID != "" && string(p.OrganizationID) != orgID {
		return nil, ErrNoProvider
	}
	return p, err
}

// event is an event about a provider.
func event(action string, p *storage.Provider, details map[string]string) audit.Event {
	facts := map[string]string{"slug": p.Slug}
	maps.Copy(facts, details)
	return audit.Event{
		Action: action, TargetKind: "provider", TargetID: p.ID, OrgID: string(p.OrganizationID), Details: facts,
	}
}

// differences returns what changed, by field, with what it is now. Of secrets and
// metadata it says only that they did.
func differences(before, now Description) map[string]string {
	old, changed := before.facts(), map[string]string{}
	for field, value := range now.facts() {
		if old[field] != value {
			changed[field] = audit.Cut(value, 512)
		}
	}
	for field, same := range map[string]bool{
		"client_secret": before.Secret == now.Secret,
		"metadata":      before.Options.Metadata == now.Options.Metadata,
	} {
		if !same {
			changed[field] = "changed"
		}
	}
	return changed
}

// facts is what can be changed of a provider, as the audit log shows it.
func (d Description) facts() map[string]string {
	o := d.Options
	attributes, err := json.Marshal(o.Attributes)
	if err != nil {
		panic("impossible: a map of texts is plain JSON: " + err.Error())
	}
	facts := map[string]string{
		"kind": d.Kind, "name": d.Name, "issuer": d.Issuer, "client_id": d.ClientID,
		"is_active":   strconv.FormatBool(!d.Disabled && d.Slug != ""),
		"auth_method": o.AuthMethod,
		"scopes":      strings.Join(o.Scopes, " "), "tenants": strings.Join(o.Tenants, " "),
		"domains": strings.Join(o.Domains, " "), "registration": o.Registration,
		"trusted_methods":  strings.Join(o.TrustedMethods, " "),
		"trusted_contexts": strings.Join(o.TrustedContexts, " "),
		"groups":           o.Groups, "metadata_url": o.MetadataURL, "name_id_format": o.NameIDFormat,
		"subject_attribute": o.SubjectAttribute,
		"keep_profile":      flag(o.KeepProfile), "logout": flag(o.Logout), "unsolicited": flag(o.Unsolicited),
	}
	if len(o.Attributes) > 0 {
		facts["attributes"] = string(attributes)
	}
	lines := make([]string, len(o.Roles))
	for i, role := range o.Roles {
		lines[i] = role.Group + "=" + role.OrganizationID + ":" + role.Role
	}
	facts["roles"] = strings.Join(lines, " ")
	return facts
}

// flag is a fact about something that is off as a rule.
func flag(set bool) string {
	if set {
		return "true"
	}
	return ""
}
