package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// What is refused of domains.
var (
	ErrNoDomain = fault.New(fault.NotFound, "domain_not_found", "The organization does not have this domain.")
	ErrGranted  = fault.New(fault.Conflict, "domain_taken", "An organization has this domain already.")
)

// publicMail are domains at which anybody gets an address: no organization
// answers for those who have one there.
var publicMail = strings.Fields(`
	aol.com duck.com fastmail.com free.fr gmail.com gmx.at gmx.ch gmx.de gmx.net googlemail.com hey.com
	hotmail.co.uk hotmail.com hotmail.de hotmail.fr icloud.com inbox.com laposte.net libero.it live.com mac.com
	mail.com mail.ru mailbox.org me.com msn.com naver.com orange.fr outlook.com outlook.de pm.me posteo.de
	proton.me protonmail.com qq.com rediffmail.com rocketmail.com runbox.com t-online.de tuta.com tutanota.com
	wanadoo.fr web.de yahoo.co.jp yahoo.co.uk yahoo.com yahoo.de yahoo.fr yandex.com yandex.ru ymail.com
	zoho.com 126.com 163.com`)

// Domain is a domain of addresses that was granted to an organization.
type Domain = storage.Domain

// Domains returns the domains of an organization, to who manages its providers.
func (s *Service) Domains(ctx context.Context, by audit.Actor, orgID string) ([]Domain, error) {
	if err := s.mayManage(ctx, s.db.Reader, by, orgID); err != nil {
		return nil, err
	}
	domains, err := s.db.Domains(ctx, orgID)
	if err != nil {
		return nil, fmt.Errorf("domains of %s: %w", orgID, err)
	}
	slices.SortFunc(domains, func(a, b Domain) int { return strings.Compare(a.Domain, b.Domain) })
	return domains, nil
}

// AddDomain grants a domain to an organization, on behalf of who administers the
// server: its providers are believed about addresses there from now on.
// [ErrGranted] if an organization has it.
func (s *Service) AddDomain(ctx context.Context, by audit.Actor, orgID, domain string) (*Domain, error) {
	domain = strings.ToLower(strings.TrimSpace(domain))
	if err := s.mayManage(ctx, s.db.Reader, by, ""); err != nil {
		return nil, err
	}
	switch {
	case !isDomain(domain):
		return nil, fault.Field("domain", "Give a domain such as example.com, in letters of ASCII.")
	case slices.Contains(publicMail, domain):
		return nil, fault.Field("domain", "Anybody gets an address at "+domain+": it cannot be one organization's.")
	}
	now := steady.Now()
	d := &Domain{Domain: domain, OrganizationID: orgID, CreatedAt: storage.At(now)}
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := s.mayManage(ctx, tx.Reader, by, ""); err != nil {
			return err
		}
		if _, err := findOrg(ctx, tx.Reader, orgID); err != nil {
			return err
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.Organization, orgID, "domains"); err != nil {
			return err
		}
		err := tx.InsertDomain(ctx, d)
		if errors.Is(err, storage.ErrTaken) {
			return ErrGranted
		}
		if err != nil {
			return fmt.Errorf("grant %s to %s: %w", domain, orgID, err)
		}
		return audit.Record(ctx, tx, by, now, domainEvent("org.domain_add", d))
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// RemoveDomain takes a domain from an organization, on behalf of who administers
// the server. Its providers are no longer believed about addresses there.
func (s *Service) RemoveDomain(ctx context.Context, by audit.Actor, orgID, domain string) error {
	now, domain := steady.Now(), strings.ToLower(strings.TrimSpace(domain))
	if err := s.mayManage(ctx, s.db.Reader, by, ""); err != nil {
		return err
	}
	if !isDomain(domain) {
		return ErrNoDomain
	}
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := s.mayManage(ctx, tx.Reader, by, orgID); err != nil {
			return err
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.Organization, orgID, "domains"); err != nil {
			return err
		}
		err := tx.DeleteDomain(ctx, domain, orgID)
		if errors.Is(err, storage.ErrNotFound) {
			return ErrNoDomain
		}
		if err != nil {
			return fmt.Errorf("take %s from %s: %w", domain, orgID, err)
		}
		if err := forget(ctx, tx, by, now, orgID, domain); err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, domainEvent("org.domain_remove", &Domain{Domain: domain, OrganizationID: orgID}))
	})
}

// forget takes a domain out of the providers of an organization. One that let
// people of its domains register lets nobody register if none is left.
func forget(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, orgID, domain string) error {
	list, err := tx.Providers(ctx, orgID)
	if err != nil {
		return fmt.Errorf("providers of %s: %w", orgID, err)
	}
	for i := range list {
		if !slices.Contains(list[i].Options.Domains, domain) {
			continue
		}
		p, err := tx.Provider(ctx, list[i].ID) // with its secret, which is written again
		if err != nil {
			return fmt.Errorf("look provider %s up: %w", list[i].Slug, err)
		}
		d := describe(p)
		d.Options.Domains = slices.DeleteFunc(slices.Clone(d.Options.Domains), func(other string) bool { return other == domain })
		if len(d.Options.Domains) == 0 && d.Options.Registration == RegistrationDomains {
			d.Options.Registration = RegistrationOff
		}
		if err := save(ctx, tx, by, now, p, d); err != nil {
			return err
		}
	}
	return nil
}

func domainEvent(action string, d *Domain) audit.Event {
	return audit.Event{
		Action: action, TargetKind: "organization", TargetID: d.OrganizationID, OrgID: d.OrganizationID,
		Details: map[string]string{"domain": d.Domain},
	}
}

// domainOf returns the domain of an address in lower case, "" if it has none that
// could be granted.
func domainOf(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 0 {
		return ""
	}
	if domain := strings.ToLower(email[at+1:]); isDomain(domain) {
		return domain
	}
	return ""
}
