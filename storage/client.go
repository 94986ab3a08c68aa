package storage

import (
	"context"
	"database/sql/driver"
	"time"

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
	AuthMethod             string // how it authenticates; "" is either way of sending the secret
	ApplicationType        string // "web" or "native"
	RequirePKCE            bool   `bun:"require_pkce"`
	IsActive               bool
	SkipConsent            bool
	RedirectURIs           Words `bun:"redirect_uris"`
	PostLogoutRedirectURIs Words `bun:"post_logout_redirect_uris"`
	GrantTypes             Words
	ResponseTypes          Phrases
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
	Options                ClientOptions
	SealedSecret           string
	Secret                 []byte `bun:"-"` // where an HMAC needs it; sealed in the database
	RegistrationHash       string // of its registration access token (RFC 7592); "" for none
	RegistrationBefore     string // of the token before, since when it is that:
	RegistrationRenewedAt  Time
	ExpiresAt              Time // deleted then if nobody has used it; zero for never
	CreatedAt              Time
	UpdatedAt              Time
}

// ClientOptions is what a client has registered beyond its first fields, in the
// words of RFC 7591 and its kin; what is missing is the default.
type ClientOptions struct {
	Profile string `json:"profile,omitempty"`  // "" or "legacy"
	AuthAlg string `json:"auth_alg,omitempty"` // of client assertions; "" for any

	JWKS    string `json:"jwks,omitempty"` // the JSON document
	JWKSURI string `json:"jwks_uri,omitempty"`

	SubjectType         string `json:"subject_type,omitempty"` // "" or "pairwise"
	SectorIdentifierURI string `json:"sector_identifier_uri,omitempty"`

	UserinfoAlg string `json:"userinfo_alg,omitempty"` // "" for plain JSON
	// IntrospectionAlg is of answers that it asks to be signed; "" for RS256.
	IntrospectionAlg string   `json:"introspection_alg,omitempty"`
	RequestAlg       string   `json:"request_alg,omitempty"` // of request objects; "" for any
	RequestURIs      []string `json:"request_uris,omitempty"`
	SignedRequest    bool     `json:"signed_request,omitempty"` // requests must be signed objects
	PushedRequest    bool     `json:"pushed_request,omitempty"` // requests must be pushed

	LeanIDToken   bool     `json:"lean_id_token,omitempty"` // claims of scopes are at userinfo alone
	OpaqueTokens  bool     `json:"opaque_tokens,omitempty"` // access tokens are not JWTs
	DPoPTokens    bool     `json:"dpop_tokens,omitempty"`   // access tokens must be bound to a key
	Resources     []string `json:"resources,omitempty"`     // that its tokens may be for
	Exchange      []string `json:"exchange,omitempty"`      // how it may exchange tokens
	ExchangeFor   []string `json:"exchange_for,omitempty"`  // whose tokens beside its own
	CodeLifetime  Seconds  `json:"code_lifetime,omitempty"` // 0 for the server's
	DefaultMaxAge *Seconds `json:"default_max_age,omitempty"`
	DefaultACR    []string `json:"default_acr,omitempty"`

	BackChannelURI      string `json:"back_channel_uri,omitempty"`
	BackChannelSession  bool   `json:"back_channel_session,omitempty"`
	FrontChannelURI     string `json:"front_channel_uri,omitempty"`
	FrontChannelSession bool   `json:"front_channel_session,omitempty"`

	InitiateLoginURI string   `json:"initiate_login_uri,omitempty"`
	Contacts         []string `json:"contacts,omitempty"`
	SoftwareID       string   `json:"software_id,omitempty"`
	SoftwareVersion  string   `json:"software_version,omitempty"`
}

// Value implements [driver.Valuer].
func (o ClientOptions) Value() (driver.Value, error) { return toJSON(o) }

// Scan implements [database/sql.Scanner].
func (o *ClientOptions) Scan(src any) error { return fromJSON(o, src) }

// Client returns the client that calls itself clientID.
func (r Reader) Client(ctx context.Context, clientID string) (*Client, error) {
	return cached(r, clientKey, clientID, func() (*Client, error) {
		return r.openClient(find[Client](ctx, r, "client_id = ?", clientID))
	})
}

// ClientByRow returns the client with the id of its row.
func (r Reader) ClientByRow(ctx context.Context, id string) (*Client, error) {
	return cached(r, clientRowKey, id, func() (*Client, error) {
		return r.openClient(find[Client](ctx, r, "id = ?", id))
	})
}

// openClient opens the secret of a client that was found.
func (r Reader) openClient(c *Client, err error) (*Client, error) {
	if err != nil || c.SealedSecret == "" {
		return c, err
	}
	c.Secret, err = r.seals.open(secretCell(c.ID), c.SealedSecret)
	return c, err
}

// sealSecret keeps the secret of c for [Reader.Client].
func (tx *Tx) sealSecret(c *Client) {
	if len(c.Secret) > 0 {
		c.SealedSecret = tx.seals.seal(secretCell(c.ID), c.Secret)
	}
}

func secretCell(id string) string { return "clients.secret." + id }

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

// ExpiredClients returns at most limit clients whose time to be used was over at
// now, those whose time was over first.
func (r Reader) ExpiredClients(ctx context.Context, now time.Time, limit int) ([]Client, error) {
	var clients []Client
	err := r.bun.NewSelect().Conn(r.conn).Model(&clients).
		Where("expires_at < ?", At(now)).OrderExpr("expires_at").Limit(int64(limit)).Scan(ctx)
	return clients, translate(err)
}

// IsUsedClient says whether anybody lets a client (by its row) have anything.
func (r Reader) IsUsedClient(ctx context.Context, client string) (bool, error) {
	for _, model := range []any{(*Grant)(nil), (*Consent)(nil)} {
		used, err := r.bun.NewSelect().Conn(r.conn).Model(model).Where("client_id = ?", client).Exists(ctx)
		if err != nil || used {
			return used, translate(err)
		}
	}
	return false, nil
}

// InsertClient adds a client; [ErrTaken] says that its client_id is in use.
func (tx *Tx) InsertClient(ctx context.Context, c *Client) error {
	tx.sealSecret(c)
	if err := insert(ctx, tx, c); err != nil {
		return err
	}
	return tx.index(ctx, clientTerms, c.ID, c.ClientID, c.Name)
}

// SaveClient writes every column of c, whose client_id stays what it was.
func (tx *Tx) SaveClient(ctx context.Context, c *Client) error {
	tx.changeClient(c)
	tx.sealSecret(c)
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
