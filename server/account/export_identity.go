package account

import (
	"context"
	"time"
)

// ExportIdentities are the accounts at other providers that are linked.
type ExportIdentities struct {
	Identities []ExportIdentity `json:"identities" doc:"Accounts at other providers by which I can sign in"`
}

// ExportIdentity is who the user is at a provider, and what it said last.
type ExportIdentity struct {
	Provider      string    `json:"provider"`
	Issuer        string    `json:"issuer"`
	Subject       string    `json:"subject"`
	Email         string    `json:"email"`
	EmailVerified bool      `json:"email_verified"`
	Name          string    `json:"name"`
	Picture       string    `json:"picture"`
	LinkedAt      time.Time `json:"linked_at"`
	LastUsedAt    time.Time `json:"last_used_at"`
}

func (e *exporter) identities(ctx context.Context) error {
	have, err := identities(ctx, e.db.Reader, e.userID)
	e.out.Identities = make([]ExportIdentity, len(have))
	for i, one := range have {
		e.out.Identities[i] = ExportIdentity{
			Provider: one.Provider.Slug, Issuer: one.Issuer, Subject: one.Subject, Email: one.Email,
			EmailVerified: one.EmailVerified, Name: one.Name, Picture: one.Picture,
			LinkedAt: one.LinkedAt.Time, LastUsedAt: one.LastUsedAt.Time,
		}
	}
	return err
}
