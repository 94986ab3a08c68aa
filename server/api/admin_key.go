package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/keyring"
	"authy/server/session"
)

// adminKeyRoutes are for administrators of the server.
func (a *API) adminKeyRoutes() {
	const all = "/api/v1/admin/keys"
	signed(a, "GET "+all, 200, "Keys retrieved successfully", "The keys that sign tokens", a.keys)
	signed(a, "POST "+all+"/rotate", 200, "Keys rotated successfully", "Publish new keys, which sign later or now", a.rotateKeys)
	signed(a, "DELETE "+all+"/{kid}", 200, "Key retired successfully", "Take a key out of the published ones", a.retireKey)
}

// keyView is a key without what is private.
type keyView struct {
	ID         string     `json:"id" doc:"The kid in tokens"`
	Algorithm  string     `json:"algorithm" example:"ES256"`
	State      string     `json:"state" enum:"published,signing,retired"`
	Thumbprint string     `json:"thumbprint" doc:"Of the public key: RFC 7638, SHA-256"`
	SignsAt    time.Time  `json:"signs_at" doc:"When it began to sign, or will"`
	EndsAt     *time.Time `json:"ends_at" nullable:"true" doc:"When a retired one is deleted"`
	NextAt     *time.Time `json:"next_at" nullable:"true" doc:"When another signs in the place of one that does"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

type keysOut struct {
	Keys  []keyView `json:"keys"`
	Count int       `json:"count"`
}

func keysOutOf(keys []keyring.Info) *keysOut {
	out := &keysOut{Keys: make([]keyView, len(keys)), Count: len(keys)}
	for i, k := range keys {
		out.Keys[i] = keyView{
			ID: k.ID, Algorithm: k.Algorithm, State: k.State, Thumbprint: k.Thumbprint,
			SignsAt: k.SignsAt, EndsAt: timeOrNull(k.EndsAt), NextAt: timeOrNull(k.NextAt),
			CreatedAt: k.CreatedAt, UpdatedAt: k.UpdatedAt,
		}
	}
	return out
}

func (a *API) keys(ctx context.Context, _ *session.Identity, by audit.Actor, _ *struct{}) (*keysOut, error) {
	keys, err := a.Keys.List(ctx, by)
	if err != nil {
		return nil, err
	}
	return keysOutOf(keys), nil
}

type rotateKeysIn struct {
	Body struct {
		Algorithm string `json:"algorithm,omitempty" maxLength:"16" doc:"Only this one; else all" example:"ES256"`
		Now       bool   `json:"now,omitempty" doc:"Sign at once, because the old key has leaked: who has cached the keys meets an unknown one"`
	}
}

func (a *API) rotateKeys(ctx context.Context, _ *session.Identity, by audit.Actor, in *rotateKeysIn) (*keysOut, error) {
	keys, err := a.Keys.Rotate(ctx, by, in.Body.Algorithm, in.Body.Now)
	if err != nil {
		return nil, err
	}
	return keysOutOf(keys), nil
}

type retireKeyIn struct {
	ID string `path:"kid" doc:"The id of the key"`
}

func (a *API) retireKey(ctx context.Context, _ *session.Identity, by audit.Actor, in *retireKeyIn) (*nothing, error) {
	return nil, a.Keys.Retire(ctx, by, in.ID)
}
