package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/session"
)

// adminKeyRoutes are for administrators of the server.
func (a *API) adminKeyRoutes() {
	signed(a, "GET /api/v1/admin/keys", 200, "Keys retrieved successfully", "The keys that sign tokens", a.keys)
}

// keyView is a key without what is private.
type keyView struct {
	ID         string    `json:"id" doc:"The kid in tokens"`
	Algorithm  string    `json:"algorithm" example:"ES256"`
	State      string    `json:"state" example:"signing"`
	Thumbprint string    `json:"thumbprint" doc:"Of the public key: RFC 7638, SHA-256"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

type keysOut struct {
	Keys  []keyView `json:"keys"`
	Count int       `json:"count"`
}

func (a *API) keys(ctx context.Context, _ *session.Identity, by audit.Actor, _ *struct{}) (*keysOut, error) {
	keys, err := a.Keys.List(ctx, by)
	if err != nil {
		return nil, err
	}
	out := &keysOut{Keys: make([]keyView, len(keys)), Count: len(keys)}
	for i, k := range keys {
		out.Keys[i] = keyView(k)
	}
	return out, nil
}
