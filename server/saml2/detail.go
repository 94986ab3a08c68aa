package saml2

import (
	"context"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// maxReceipts is how many receipts of logouts are shown of a service.
const maxReceipts = 10

// Query says which services are meant; its zero value means all.
type Query struct {
	Search string // in the name, the slug or the entity id, in upper or lower case
	After  string // the slug that comes before; "" for the first
	Limit  int    // at most so many
}

// Listed is a service in a list, without its metadata.
type Listed struct {
	*Service
	Organization string // the name of the organization that it belongs to, "" for none
}

// Page returns the services of an organization, or all of them for "", that a query is
// about, in the order of their slugs, and the slug of the last: "" if there are no more.
// It is for who manages them.
func (s *Services) Page(ctx context.Context, by audit.Actor, orgID string, q Query) (page []Listed, next string, err error) {
	if err := registry.MayManage(ctx, s.db.Reader, by, orgID); err != nil {
		return nil, "", err
	}
	all, err := s.db.ServicesInBrief(ctx, orgID)
	if err != nil {
		return nil, "", fmt.Errorf("list SAML services: %w", err)
	}
	for i := range all {
		if !q.is(&all[i]) {
			continue
		}
		if len(page) == q.Limit {
			return page, page[q.Limit-1].Slug, nil
		}
		home, err := s.home(ctx, &all[i])
		if err != nil {
			return nil, "", err
		}
		page = append(page, Listed{&all[i], home})
	}
	return page, "", nil
}

func (q Query) is(s *Service) bool {
	part := strings.ToLower(strings.TrimSpace(q.Search))
	return s.Slug > q.After && (strings.Contains(strings.ToLower(s.Name), part) || strings.Contains(s.Slug, part) ||
		strings.Contains(strings.ToLower(s.EntityID), part))
}

// home is the name of the organization of a service, "" for none.
func (s *Services) home(ctx context.Context, of *Service) (string, error) {
	if of.OrganizationID == "" {
		return "", nil
	}
	home, err := s.db.Organization(ctx, string(of.OrganizationID))
	if err != nil {
		return "", fmt.Errorf("look the organization of SAML service %s up: %w", of.Slug, err)
	}
	return home.Name, nil
}

// Detail is everything that there is to show of a service.
type Detail struct {
	Listed
	// Peer is what its metadata says; without endpoints and keys where that cannot be
	// used, and then Problem says why.
	Peer    *Peer
	Problem string
	// Receipts are what became of telling it of logouts, the newest first.
	Receipts []storage.Logout
}

// Detail returns a service with what belongs to it; orgID is as in [Services.Update].
func (s *Services) Detail(ctx context.Context, by audit.Actor, orgID, slug string) (*Detail, error) {
	found, err := s.Show(ctx, by, orgID, slug)
	if err != nil {
		return nil, err
	}
	d := &Detail{Listed: Listed{Service: found}}
	if d.Organization, err = s.home(ctx, found); err != nil {
		return nil, err
	}
	if d.Peer, err = ParseMetadata([]byte(found.Metadata), found.EntityID, ServiceProvider, steady.Now()); err != nil {
		d.Peer, d.Problem = &Peer{EntityID: found.EntityID}, problemOf(err)
	}
	d.Receipts, err = s.db.Logouts(ctx, storage.LogoutFilter{ServiceID: found.ID}, "", maxReceipts)
	if err != nil {
		return nil, fmt.Errorf("list what SAML service %s was told: %w", slug, err)
	}
	return d, nil
}

// Fingerprints are certificates of a peer as people compare them.
func Fingerprints(p *Peer) (all []Fingerprint) {
	now := steady.Now()
	for _, cert := range p.Signing {
		all = append(all, Fingerprint{
			Value: fingerprint(cert), Signs: true, EndsAt: cert.NotAfter.UTC(), Over: !valid(cert, now),
		})
	}
	for _, cert := range p.Encryption {
		one := Fingerprint{Value: fingerprint(cert), Opens: true, EndsAt: cert.NotAfter.UTC(), Over: !valid(cert, now)}
		i := slices.IndexFunc(all, func(f Fingerprint) bool { return f.Value == one.Value })
		if i < 0 {
			all = append(all, one)
		} else {
			all[i].Opens = true
		}
	}
	return all
}

// Fingerprint is a certificate of a peer.
type Fingerprint struct {
	Value        string // the SHA-256, in hexadecimal
	Signs, Opens bool   // what it is for
	EndsAt       time.Time
	Over         bool // it is not valid now
}

// Own is what services need to know of authy.
type Own struct {
	EntityID    string // also where the metadata is
	SSO, SLO    string
	Start       string // where people begin, and the slug of a service
	Certificate string // in PEM
	EndsAt      time.Time
}

// Own returns what services need to know, which is no secret.
func (p *IDP) Own(ctx context.Context) (*Own, error) {
	key, err := p.keys.signing(ctx)
	if err != nil {
		return nil, err
	}
	return &Own{
		EntityID: p.EntityID(), SSO: p.publicURL + SSOPath, SLO: p.publicURL + SLOPath, Start: p.publicURL + StartPath,
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: key.Certificate.Raw})),
		EndsAt:      key.Certificate.NotAfter.UTC(),
	}, nil
}
