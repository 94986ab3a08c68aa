package saml2

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/outbound"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// What is refused of services.
var (
	ErrNoService    = fault.New(fault.NotFound, "service_not_found", "There is no SAML service with this name.")
	ErrServiceTaken = fault.New(fault.Conflict, "service_taken", "A SAML service with this name or this entity ID exists already.")
)

const (
	maxAttributesOf = 64   // attributes that a service is told
	maxAttribute    = 512  // bytes of the name of one, and of its claim
	maxServiceName  = 100  // bytes
	maxDescribed    = 2048 // bytes of a relay state or a URL that is described
)

var serviceSlug = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Service is an application that signs people in here by SAML.
type Service = storage.Service

// Services keeps the applications that sign people in here by SAML.
type Services struct {
	db  *storage.DB
	out *outbound.Client
}

// NewServices returns the services that db keeps; out asks for their metadata.
func NewServices(db *storage.DB, out *outbound.Client) *Services { return &Services{db, out} }

// In returns s over db, such as a transaction that it takes part in ([storage.DB.In]).
func (s *Services) In(db *storage.DB) *Services { return &Services{db, s.out} }

// Description describes a service, and what can be changed of one.
type Description struct {
	Slug           string // stays as it is; "" is made of the name
	OrganizationID string // stays as it is
	Name           string // "" is what the metadata calls it
	// Metadata is the document; "" is fetched from the URL of the options.
	Metadata string
	// Typed makes the metadata of an application that has none; it is heeded where there
	// is no document and no URL.
	Typed Typed
	// Allowed says who may use it, as of clients; everyone, if it is empty.
	Allowed  []string
	Disabled bool
	Options  storage.ServiceOptions
}

// Describe returns what can be changed of a service.
func Describe(s *Service) Description {
	return Description{
		Slug: s.Slug, OrganizationID: string(s.OrganizationID), Name: s.Name, Metadata: s.Metadata,
		Allowed: slices.Clone(s.Allowed), Disabled: !s.IsActive, Options: s.Options,
	}
}

// Create adds a service for who manages its organization, or for who administers the
// server. [ErrServiceTaken] if its name or its entity id is in use.
func (s *Services) Create(ctx context.Context, by audit.Actor, d Description) (*Service, error) {
	if err := registry.MayManage(ctx, s.db.Reader, by, d.OrganizationID); err != nil {
		return nil, err
	}
	if err := s.fetch(ctx, &d); err != nil {
		return nil, err
	}
	now := steady.Now()
	made := &Service{ID: storage.NewID(), OrganizationID: storage.Ref(d.OrganizationID), CreatedAt: storage.At(now)}
	if err := d.writeTo(made, now); err != nil {
		return nil, err
	}
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := registry.MayManage(ctx, tx.Reader, by, d.OrganizationID); err != nil {
			return err
		}
		if err := tx.InsertService(ctx, made); err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, serviceEvent("service.create", made, d.facts(made)))
	})
	if err := taken(err); err != nil {
		return nil, err
	}
	return made, nil
}

func taken(err error) error {
	if errors.Is(err, storage.ErrTaken) {
		return ErrServiceTaken
	}
	return err
}

// fetch gets the metadata of a service that has only the URL of it.
func (s *Services) fetch(ctx context.Context, d *Description) (err error) {
	switch {
	case d.Metadata != "":
		return nil
	case d.Options.MetadataURL == "" && d.Typed != Typed{}:
		d.Metadata, err = d.Typed.metadata()
		return err
	case d.Options.MetadataURL == "":
		return nil
	}
	raw, err := FetchMetadata(ctx, s.out, d.Options.MetadataURL)
	d.Metadata = string(raw)
	return err
}

// Update changes a service by change, for who manages it; orgID is "" for who
// administers the server. Its entity id stays as it is. fetch asks for its metadata anew.
func (s *Services) Update(
	ctx context.Context, by audit.Actor, orgID, slug string, fetch bool, change func(*Description),
) (*Service, error) {
	old, err := s.Show(ctx, by, orgID, slug)
	if err != nil {
		return nil, err
	}
	fetched, err := s.fetched(ctx, old, fetch, change)
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	var changed *Service
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if changed, err = find(ctx, tx.Reader, by, orgID, slug); err != nil {
			return err
		}
		d := Describe(changed)
		before, entityID := d.facts(changed), changed.EntityID
		change(&d)
		d.Slug = slug
		if fetched != "" {
			d.Metadata = fetched
		}
		if err := d.writeTo(changed, now); err != nil {
			return err
		}
		if changed.EntityID != entityID {
			return badMetadata("Must describe " + entityID + ", as before.")
		}
		facts := maps.Clone(d.facts(changed))
		maps.DeleteFunc(facts, func(name, value string) bool { return before[name] == value })
		if len(facts) == 0 {
			return nil
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.SAMLService, changed.ID); err != nil {
			return err
		}
		if err := tx.SaveService(ctx, changed); err != nil {
			return fmt.Errorf("change service %s: %w", slug, err)
		}
		return audit.Record(ctx, tx, by, now, serviceEvent("service.update", changed, facts))
	})
	if err := taken(err); err != nil {
		return nil, err
	}
	return changed, nil
}

// fetched returns the metadata that a change needs fetched, "" if it needs none.
func (s *Services) fetched(ctx context.Context, old *Service, anew bool, change func(*Description)) (string, error) {
	d := Describe(old)
	change(&d)
	moved := d.Options.MetadataURL != old.Options.MetadataURL && d.Metadata == old.Metadata
	if d.Options.MetadataURL == "" || !anew && !moved {
		return "", nil
	}
	d.Metadata = ""
	err := s.fetch(ctx, &d)
	return d.Metadata, err
}

// Remove deletes a service, for who manages it; orgID is as in [Services.Update].
func (s *Services) Remove(ctx context.Context, by audit.Actor, orgID, slug string) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		gone, err := find(ctx, tx.Reader, by, orgID, slug)
		if err != nil {
			return err
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.SAMLService, gone.ID); err != nil {
			return err
		}
		if err := tx.DeleteService(ctx, gone.ID); err != nil {
			return fmt.Errorf("delete service %s: %w", slug, err)
		}
		return audit.Record(ctx, tx, by, now, serviceEvent("service.delete", gone, nil))
	})
}

// List returns the services of an organization to who manages them, or all of them,
// "", to who administers the server.
func (s *Services) List(ctx context.Context, by audit.Actor, orgID string) ([]Service, error) {
	if err := registry.MayManage(ctx, s.db.Reader, by, orgID); err != nil {
		return nil, err
	}
	all, err := s.db.Services(ctx, orgID)
	if err != nil {
		return nil, fmt.Errorf("list SAML services: %w", err)
	}
	return all, nil
}

// Show returns a service to who manages it; orgID is as in [Services.Update].
func (s *Services) Show(ctx context.Context, by audit.Actor, orgID, slug string) (*Service, error) {
	return find(ctx, s.db.Reader, by, orgID, slug)
}

func find(ctx context.Context, r storage.Reader, by audit.Actor, orgID, slug string) (*Service, error) {
	if err := registry.MayManage(ctx, r, by, orgID); err != nil {
		return nil, err
	}
	if !serviceSlug.MatchString(slug) {
		return nil, ErrNoService
	}
	found, err := r.ServiceBySlug(ctx, slug)
	if errors.Is(err, storage.ErrNotFound) || err == nil && orgID != "" && string(found.OrganizationID) != orgID {
		return nil, ErrNoService
	}
	if err != nil {
		return nil, fmt.Errorf("look service %s up: %w", slug, err)
	}
	return found, nil
}

func serviceEvent(action string, s *Service, details map[string]string) audit.Event {
	return audit.Event{
		Action: action, TargetKind: "saml_service", TargetID: s.Slug, OrgID: string(s.OrganizationID), Details: details,
	}
}

// facts is what the audit log shows of a service.
func (d Description) facts(s *Service) map[string]string {
	o := d.Options
	attributes := make([]string, 0, len(o.Attributes))
	for _, name := range slices.Sorted(maps.Keys(o.Attributes)) {
		attributes = append(attributes, name+"="+o.Attributes[name])
	}
	facts := map[string]string{
		"entity_id": s.EntityID, "name": s.Name, "allow": strings.Join(s.Allowed, " "),
		"is_active": strconv.FormatBool(s.IsActive), "metadata": storage.Hash(s.Metadata), "metadata_url": o.MetadataURL,
		"preset": o.Preset, "name_id_format": o.NameIDFormat, "attributes": strings.Join(attributes, " "),
		"unsolicited": strconv.FormatBool(o.Unsolicited), "relay_state": o.RelayState, "plain": strconv.FormatBool(o.Plain),
	}
	for name, value := range facts {
		facts[name] = audit.Cut(value, maxAttribute)
	}
	return facts
}

// writeTo checks a description and writes it to the record of a service.
func (d Description) writeTo(s *Service, now time.Time) error {
	if d.Metadata == "" {
		return badMetadata("Give the metadata of the service, or its URL.")
	}
	peer, err := ParseMetadata([]byte(d.Metadata), s.EntityID, ServiceProvider, now)
	if err != nil {
		return err
	}
	if d.Name = strings.TrimSpace(d.Name); d.Name == "" {
		d.Name = peer.Name
	}
	if d.Name == "" {
		d.Name = cmp.Or(PresetName(d.Options.Preset), hostOf(peer.EntityID), audit.Cut(peer.EntityID, maxServiceName))
	}
	if d.Slug == "" {
		d.Slug = slugOf(d.Name)
	}
	if len(d.Allowed) == 0 {
		d.Allowed = []string{registry.AllowEveryone}
	}
	if err := fault.Fields(d.problems(peer)); err != nil {
		return err
	}
	s.Slug, s.EntityID, s.Name, s.Metadata, s.Allowed = d.Slug, peer.EntityID, d.Name, d.Metadata, d.Allowed
	s.Options, s.IsActive, s.UpdatedAt = d.Options, !d.Disabled, storage.At(now)
	return nil
}

// slugOf makes the name of a service fit for URLs.
func slugOf(name string) string {
	slug := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	slug = strings.Join(strings.FieldsFunc(slug, func(r rune) bool { return r == '-' }), "-")
	return strings.Trim(slug[:min(len(slug), 63)], "-")
}

// problems says what is wrong with a description, by field.
func (d Description) problems(peer *Peer) map[string][]string {
	problems := map[string][]string{}
	note := func(field, problem string) {
		if problem != "" {
			problems[field] = append(problems[field], problem)
		}
	}
	if !serviceSlug.MatchString(d.Slug) {
		note("slug", "Use 1 to 63 lower-case letters, digits and hyphens, no hyphen at either end.")
	}
	if len(d.Name) > maxServiceName || !registry.IsPlain(d.Name) {
		note("name", "Must be at most 100 bytes of plain text.")
	}
	note("allow", registry.AllowedProblem(d.Allowed, d.OrganizationID))
	if _, is := presets[d.Options.Preset]; !is && d.Options.Preset != "" {
		note("preset", "Must be one of "+strings.Join(Presets(), ", ")+".")
	}
	if !slices.Contains([]string{"", "persistent", "email", "transient"}, d.Options.NameIDFormat) {
		note("name_id_format", "Must be persistent, email or transient.")
	}
	if len(d.Options.RelayState) > maxRelayState || !registry.IsPlain(d.Options.RelayState) {
		note("relay_state", "Must be at most 80 bytes of plain text.")
	}
	if len(d.Options.MetadataURL) > maxDescribed || !registry.IsPlain(d.Options.MetadataURL) {
		note("metadata_url", "Must be at most 2,048 bytes of plain text.")
	}
	note("attributes", attributesProblem(d.Options.Attributes))
	if _, _, err := peer.sealing(); err != nil && !d.Options.Plain {
		note("plain", "Nothing can be encrypted to the keys of the metadata: set it, or give the service an RSA key.")
	}
	return problems
}

func attributesProblem(all map[string]string) string {
	if len(all) > maxAttributesOf {
		return "Must be at most 64."
	}
	for name, claim := range all {
		if name == "" || len(name) > maxAttribute || len(claim) > maxAttribute || !registry.IsPlain(name+claim) {
			return "Each has a name and a claim of at most 512 bytes of plain text."
		}
		if !slices.Contains(claimNames, claim) && !strings.HasPrefix(claim, constant) {
			return "Each is one of the claims " + strings.Join(claimNames, ", ") + ", or text: and what everybody gets."
		}
	}
	return ""
}
