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
	OldSecretHash          string // works beside the other until its end; "" for none
	OldSecretExpiresAt     Time
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
	Allowed                Words  // who may use it; nobody if empty
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

// Clients returns at most limit clients with a client_id after the given one,
// in the order of their client_ids: those of an organization, or all if orgID
// is "".
func (r Reader) Clients(ctx context.Context, orgID, after string, limit int) ([]Client, error) {
	var clients []Client
	query := r.bun.NewSelect().Conn(r.conn).Model(&clients).Where("client_id > ?", after)
	if orgID != "" {
		query = query.Where("organization_id = ?", orgID)
	}
	err := query.OrderExpr("client_id").Limit(int64(limit)).Scan(ctx)
	return clients, translate(err)
}

// ClientsFound returns at most limit clients whose client_id, or any word of
// whose name, begins with text, after a place, and where each is. orgID is as
// in [Reader.Clients].
func (r Reader) ClientsFound(
	ctx context.Context, orgID, text string, after TermKey, limit int,
) ([]Client, []TermKey, error) {
	found, err := r.search(ctx, clientTerms, text, after, limit, func(q *bun.SelectQuery) {
		if orgID != "" {
			q.Join("JOIN clients AS c ON c.id = t.client_id AND c.organization_id = ?", orgID)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return gather(ctx, r, found, func(c *Client) string { return c.ID })
}

// InsertClient adds a client; [ErrTaken] says that its client_id is in use.
func (tx *Tx) InsertClient(ctx context.Context, c *Client) error {
	if err := insert(ctx, tx, c); err != nil {
		return err
	}
	return tx.index(ctx, clientTerms, c.ID, c.ClientID, c.Name)
}

// SaveClient writes every column of c, whose client_id stays what it was.
func (tx *Tx) SaveClient(ctx context.Context, c *Client) error {
	tx.changeClient(c)
	if err := tx.reindex(ctx, clientTerms, c.ID, c.ClientID, c.Name); err != nil {
		return err
	}
	return save(ctx, tx, c)
}

// DeleteClient deletes a client with every grant and consent that it was given.
func (tx *Tx) DeleteClient(ctx context.Context, c *Client) error {
	if err := tx.changeGrants(ctx, "client_id = ?", c.ID); err != nil {
		return err
	}
	tx.changeClient(c)
	n, err := remove[Client](ctx, tx, "id = ?", c.ID)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

func (tx *Tx) changeClient(c *Client) {
	tx.change(clientKey, c.ClientID)
	tx.change(clientRowKey, c.ID)
}
