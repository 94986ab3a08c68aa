package storage

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/uptrace/bun"
)

// Service is an application that signs people in here by SAML 2.0.
type Service struct {
	bun.BaseModel  `bun:"table:services"`
	ID             string `bun:",pk"`
	Slug           string // its name in URLs; unique
	EntityID       string // unique
	Name           string
	OrganizationID Ref
	Metadata       string // as it was registered
	Allowed        Words  // who may use it; nobody if empty
	Options        ServiceOptions
	IsActive       bool
	CreatedAt      Time
	UpdatedAt      Time
	LastUsedAt     Time // to the minute; zero if it never was
}

// ServiceOptions is how a service is dealt with; what is missing is the default.
type ServiceOptions struct {
	MetadataURL string `json:"metadata_url,omitempty"`
	Preset      string `json:"preset,omitempty"`
	// NameIDFormat is what it gets where it does not ask; "" for persistent.
	NameIDFormat string `json:"name_id_format,omitempty"`
	// Attributes are what it is told, by the name of the attribute: a claim.
	Attributes map[string]string `json:"attributes,omitempty"`
	// Unsolicited lets people begin at a link of authy's.
	Unsolicited bool `json:"unsolicited,omitempty"`
	// RelayState is what such a link sends with it.
	RelayState string `json:"relay_state,omitempty"`
	// Plain does not encrypt, although the service has a key for that.
	Plain bool `json:"plain,omitempty"`
}

// Value implements [driver.Valuer].
func (o ServiceOptions) Value() (driver.Value, error) { return toJSON(o) }

// Scan implements [database/sql.Scanner].
func (o *ServiceOptions) Scan(src any) error { return fromJSON(o, src) }

// Service returns the service with an id.
func (r Reader) Service(ctx context.Context, id string) (*Service, error) {
	return find[Service](ctx, r, "id = ?", id)
}

// ServiceBySlug returns the service with a name in URLs.
func (r Reader) ServiceBySlug(ctx context.Context, slug string) (*Service, error) {
	return find[Service](ctx, r, "slug = ?", slug)
}

// ServiceByEntity returns the service with an entity id.
func (r Reader) ServiceByEntity(ctx context.Context, entityID string) (*Service, error) {
	return find[Service](ctx, r, "entity_id = ?", entityID)
}

// Services returns every service in the order of their slugs, those of an
// organization, or all if orgID is "".
func (r Reader) Services(ctx context.Context, orgID string) ([]Service, error) {
	if orgID == "" {
		return list[Service](ctx, r, "slug", "TRUE")
	}
	return list[Service](ctx, r, "slug", "organization_id = ?", orgID)
}

// ServicesInBrief is [Reader.Services] without the metadata.
func (r Reader) ServicesInBrief(ctx context.Context, orgID string) ([]Service, error) {
	var services []Service
	q := r.bun.NewSelect().Conn(r.conn).Model(&services).ExcludeColumn("metadata")
	if orgID != "" {
		q.Where("organization_id = ?", orgID)
	}
	err := q.OrderExpr("slug").Scan(ctx)
	return services, translate(err)
}

// InsertService adds a service; [ErrTaken] says that its slug or its entity id is
// in use.
func (tx *Tx) InsertService(ctx context.Context, s *Service) error { return insert(ctx, tx, s) }

// SaveService writes every column of s but when it was last used.
func (tx *Tx) SaveService(ctx context.Context, s *Service) error {
	return save(ctx, tx, s, "last_used_at")
}

// UseService notes that somebody has signed in to a service at a time, unless another
// has within a minute before: then nothing is written.
func (tx *Tx) UseService(ctx context.Context, id string, at time.Time) error {
	_, err := tx.conn.hot(ctx, "UPDATE services SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)",
		At(at).UnixMilli(), id, At(at.Add(-time.Minute)).UnixMilli())
	return translate(err)
}

// DeleteService deletes a service.
func (tx *Tx) DeleteService(ctx context.Context, id string) error {
	n, err := remove[Service](ctx, tx, "id = ?", id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// ServiceVisit is a service that a session has been to, and by what name.
type ServiceVisit struct {
	bun.BaseModel `bun:"table:service_visits"`
	ID            string `bun:",pk"` // the SAML SessionIndex
	SessionID     string
	ServiceID     string
	NameID        string `bun:"name_id"`
	NameIDFormat  string `bun:"name_id_format"`
	CreatedAt     Time
	// CheckAt is when the session is looked at next; zero once it has ended.
	CheckAt Time
}

// ServiceVisit returns the visit with an id.
func (r Reader) ServiceVisit(ctx context.Context, id string) (*ServiceVisit, error) {
	return find[ServiceVisit](ctx, r, "id = ?", id)
}

// ServiceVisits returns the services that a session has been to, without those that
// know of its end.
func (r Reader) ServiceVisits(ctx context.Context, sessionID string) ([]ServiceVisit, error) {
	return list[ServiceVisit](ctx, r, "service_id", "session_id = ?", sessionID)
}

// VisitsByName returns the visits to a service under a name.
func (r Reader) VisitsByName(ctx context.Context, serviceID, nameID string) ([]ServiceVisit, error) {
	return list[ServiceVisit](ctx, r, "id", "service_id = ? AND name_id = ?", serviceID, nameID)
}

// ServiceVisitsOf returns the services that the sessions of a user have been to, without
// those that know of their end.
func (r Reader) ServiceVisitsOf(ctx context.Context, userID string) ([]ServiceVisit, error) {
	return list[ServiceVisit](ctx, r, "session_id, service_id", "session_id IN (SELECT id FROM sessions WHERE user_id = ?)", userID)
}

// SaveServiceVisit notes a visit; that of the same session to the same service is
// replaced.
func (tx *Tx) SaveServiceVisit(ctx context.Context, v *ServiceVisit) error {
	_, err := remove[ServiceVisit](ctx, tx, "session_id = ? AND service_id = ?", v.SessionID, v.ServiceID)
	if err != nil {
		return err
	}
	return insert(ctx, tx, v)
}

// TakeServiceVisits returns the visits of a session that has ended, and to nobody else
// again: each stays until its service knows.
func (tx *Tx) TakeServiceVisits(ctx context.Context, sessionID string) ([]ServiceVisit, error) {
	return tx.takeServiceVisits(ctx, "session_id = ?", sessionID)
}

// TakeServiceVisitsOf is [Tx.TakeServiceVisits] for every session of a user but one,
// which may be "".
func (tx *Tx) TakeServiceVisitsOf(ctx context.Context, userID, except string) ([]ServiceVisit, error) {
	return tx.takeServiceVisits(ctx, "session_id IN (SELECT id FROM sessions WHERE user_id = ? AND id <> ?)", userID, except)
}

func (tx *Tx) takeServiceVisits(ctx context.Context, where string, args ...any) ([]ServiceVisit, error) {
	var taken []ServiceVisit
	_, err := tx.bun.NewUpdate().Conn(tx.conn).Model((*ServiceVisit)(nil)).Set("check_at = NULL").
		Where("check_at IS NOT NULL").Where(where, args...).
		Returning("id, session_id, service_id, name_id, name_id_format, created_at").Exec(ctx, &taken)
	return taken, translate(err)
}

// DeleteServiceVisit forgets a visit; one that is forgotten is no error.
func (tx *Tx) DeleteServiceVisit(ctx context.Context, id string) error {
	_, err := remove[ServiceVisit](ctx, tx, "id = ?", id)
	return err
}
