package account

import (
	"context"
	"errors"
	"time"

	"authy/storage"
)

// ExportConsent is what the user lets an application have.
type ExportConsent struct {
	ClientID   string    `json:"client_id"`
	ClientName string    `json:"client_name"`
	Scopes     []string  `json:"scopes"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// ExportGrant is one authorization of an application.
type ExportGrant struct {
	ID              string     `json:"id"`
	ClientID        string     `json:"client_id"`
	ClientName      string     `json:"client_name"`
	Scopes          []string   `json:"scopes"`
	AuthenticatedAt time.Time  `json:"authenticated_at"`
	CreatedAt       time.Time  `json:"created_at"`
	ExpiresAt       time.Time  `json:"expires_at"`
	RevokedAt       *time.Time `json:"revoked_at" nullable:"true"`
	RevokedReason   string     `json:"revoked_reason"`
}

func (e *exporter) consents(ctx context.Context) error {
	consents, err := e.db.Consents(ctx, e.userID)
	e.out.Consents = make([]ExportConsent, 0, len(consents))
	for _, one := range consents {
		client, err := e.client(ctx, one.ClientID)
		if err != nil {
			return err
		}
		e.out.Consents = append(e.out.Consents, ExportConsent{
			ClientID: client.ClientID, ClientName: client.Name, Scopes: one.Scopes,
			CreatedAt: one.CreatedAt.Time, UpdatedAt: one.UpdatedAt.Time,
		})
	}
	return err
}

func (e *exporter) grants(ctx context.Context) error {
	grants, err := e.db.Grants(ctx, e.userID)
	e.out.Grants = make([]ExportGrant, 0, len(grants))
	for _, g := range grants {
		client, err := e.client(ctx, g.ClientID)
		if err != nil {
			return err
		}
		e.out.Grants = append(e.out.Grants, ExportGrant{
			ID: g.ID, ClientID: client.ClientID, ClientName: client.Name, Scopes: g.Scopes,
			AuthenticatedAt: g.AuthenticatedAt.Time, CreatedAt: g.CreatedAt.Time, ExpiresAt: g.ExpiresAt.Time,
			RevokedAt: moment(g.RevokedAt), RevokedReason: g.RevokedReason,
		})
	}
	return err
}

// client returns a client by its row; one that was deleted just now is nameless.
func (e *exporter) client(ctx context.Context, row string) (*storage.Client, error) {
	if known := e.clients[row]; known != nil {
		return known, nil
	}
	c, err := e.db.ClientByRow(ctx, row)
	if errors.Is(err, storage.ErrNotFound) {
		c, err = new(storage.Client), nil
	}
	e.clients[row] = c
	return c, err
}
