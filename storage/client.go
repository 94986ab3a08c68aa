package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// Client is a relying party: an application that signs its users in here.
type Client struct {
	bun.BaseModel          `bun:"table:clients"`
	ID                     string `bun:",pk"`
	ClientID               string // what the client calls itself; unique
	OrganizationID         Ref
	Name                   string
	SecretHash             string // "" for a public client
	AuthMethod             string // "" is either way of sending the secret
	ApplicationType        string // "web" or "native"
	RequirePKCE            bool   `bun:"require_pkce"`
	IsActive               bool
	SkipConsent            bool
	RedirectURIs           Words `bun:"redirect_uris"`
	PostLogoutRedirectURIs Words `bun:"post_logout_redirect_uris"`
	GrantTypes             Words
	ResponseTypes          Words
	Scopes                 Words
	IDTokenAlg             string `bun:"id_token_alg"`
	AccessTokenLifetime    Seconds
	RefreshTokenLifetime   Seconds
	IDTokenLifetime        Seconds `bun:"id_token_lifetime"`
	LogoURI                string  `bun:"logo_uri"`
	ClientURI              string  `bun:"client_uri"`
	PolicyURI              string  `bun:"policy_uri"`
	TOSURI                 string  `bun:"tos_uri"`
	CreatedAt              Time
	UpdatedAt              Time
}

// Client returns the client that calls itself clientID.
func (r Reader) Client(ctx context.Context, clientID string) (*Client, error) {
	return cached(r, clientKey, clientID, func() (*Client, error) {
		return find[Client](ctx, r, "client_id = ?", clientID)
	})
}

// ClientByRow returns the client with the id of its row.
func (r Reader) ClientByRow(ctx context.Context, id string) (*Client, error) {
	return cached(r, clientRowKey, id, func() (*Client, error) {
		return find[Client](ctx, r, "id = ?", id)
	})
}

// Clients returns every client in the order of their names.
func (r Reader) Clients(ctx context.Context) ([]Client, error) {
	return list[Client](ctx, r, "name, client_id", "TRUE")
}

// InsertClient adds a client; [ErrTaken] says that its client_id is in use.
func (tx *Tx) InsertClient(ctx context.Context, c *Client) error {
	return insert(ctx, tx, c)
}
