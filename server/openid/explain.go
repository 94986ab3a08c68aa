package openid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/org"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// What cannot be explained.
var (
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
	ErrNoUser    = fault.New(fault.NotFound, "user_not_found", "There is no such user.")
)

// Verdict says whether a user may use a client, and by which rule.
type Verdict struct {
	Allowed bool
	Rule    string // a stable word
	Text    string // one sentence
}

// access is the verdict on a user and a client at now: the one that codes are
// issued by, and that everything of a grant is good by.
func (p *Provider) access(
	ctx context.Context, r storage.Reader, user *storage.User, client *storage.Client, now time.Time,
) (Verdict, error) {
	if user.Status != storage.Active && user.Status != storage.Pending {
		return Verdict{false, "user_" + string(user.Status), "The user is " + string(user.Status) + "."}, nil
	}
	err := p.clients.Usable(ctx, r, client)
	if errors.Is(err, registry.ErrDisabled) && !client.IsActive {
		return Verdict{false, "client_disabled", "The client is disabled."}, nil
	}
	if errors.Is(err, registry.ErrDisabled) {
		return Verdict{false, "organization_disabled", "The organization of the client is disabled."}, nil
	}
	if err != nil {
		return Verdict{}, err
	}
	as, err := p.clients.LetIn(ctx, r, client, user.ID)
	if errors.Is(err, registry.ErrNotAllowed) {
		return Verdict{false, "not_allowed", "The client is not for the user."}, nil
	}
	if err != nil {
		return Verdict{}, err
	}
	// While the user owes an organization a second factor everything rests.
	if limited, err := org.Limited(ctx, r, user.ID, now); err != nil {
		return Verdict{}, err
	} else if limited {
		return Verdict{false, "second_factor_owed", "The user owes an organization a second factor."}, nil
	}
	return Verdict{true, as, "The client is for the user."}, nil
}

// ExplainAccess tells who administers the server whether a user may use a client
// now, and by which rule. [ErrNoUser] and [registry.ErrNoClient] if there is none.
func (p *Provider) ExplainAccess(ctx context.Context, by audit.Actor, userID, clientID string) (Verdict, error) {
	user, client, err := p.explained(ctx, by, userID, clientID)
	if err != nil {
		return Verdict{}, err
	}
	verdict, err := p.access(ctx, p.db.Reader, user, client, steady.Now())
	switch {
	case err != nil:
		return Verdict{}, fmt.Errorf("access of %s to %s: %w", userID, clientID, err)
	case verdict.Allowed:
		verdict.Text = "The client is for " + strings.Join(client.Allowed, ", ") + "; the user is let in as " + verdict.Rule + "."
	case verdict.Rule == "not_allowed":
		verdict.Text = "The client is for " + strings.Join(client.Allowed, ", ") + ", which the user is not."
	}
	return verdict, nil
}

// explained returns the user and the client that who administers the server asks
// about.
func (p *Provider) explained(
	ctx context.Context, by audit.Actor, userID, clientID string,
) (*storage.User, *storage.Client, error) {
	if may, err := by.Administers(ctx, p.db.Reader); err != nil {
		return nil, nil, err
	} else if !may {
		return nil, nil, ErrForbidden
	}
	user, err := p.db.User(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil, ErrNoUser
	}
	if err != nil {
		return nil, nil, fmt.Errorf("explain %s: %w", userID, err)
	}
	client, err := p.clients.Of(ctx, by, "", clientID)
	return user, client, err
}

// Claims is what the tokens of a user for a client would say, as JSON. Without the
// scope openid there is an access token alone; who gets ID tokens alone has none.
type Claims struct {
	IDToken     json.RawMessage `json:"id_token,omitempty"`
	Userinfo    json.RawMessage `json:"userinfo,omitempty"`
	AccessToken json.RawMessage `json:"access_token,omitempty"`
}

// unsigned stands where a signed token has what depends on its signature.
const unsigned = "(depends on the token)"

// ExplainClaims tells who administers the server what the tokens would say that a
// user who signed in now by password gave a client. scope is what the client asks
// for, "" for all that it may. Nothing is signed, and nothing kept. Asking for nothing
// that it may have is a fault; else errors are as in [Provider.ExplainAccess].
func (p *Provider) ExplainClaims(ctx context.Context, by audit.Actor, userID, clientID, scope string) (*Claims, error) {
	user, client, err := p.explained(ctx, by, userID, clientID)
	if err != nil {
		return nil, err
	}
	return p.claimsFor(ctx, steady.Now(), user, client, scope)
}

// claimsFor is what the tokens of a user for a client would say at now.
func (p *Provider) claimsFor(
	ctx context.Context, now time.Time, user *storage.User, client *storage.Client, scope string,
) (*Claims, error) {
	if scope == "" {
		scope = client.Scopes.String()
	}
	asked := Request{ResponseType: mostOf(client)}
	if refusal := p.checkScope(ctx, client, &asked, url.Values{"scope": {scope}}); refusal != nil {
		return nil, fault.Field(refusal.Parameter, refusal.Description)
	}
	asked.dropOffline()
	grant := &storage.Grant{
		ID: storage.NewID(), UserID: user.ID, ClientID: client.ID, SessionID: storage.Ref(storage.NewID()),
		Scopes: asked.Scopes, Methods: storage.Words{"pwd"},
		Details:         storage.GrantDetails{ACR: reached(client.Options.DefaultACR, []string{"pwd"})},
		AuthenticatedAt: storage.At(now), CreatedAt: storage.At(now),
		ExpiresAt: storage.At(now.Add(p.grantLifetime(client, asked.Scopes))),
	}
	i := issued{grant: grant, client: client, scopes: asked.Scopes}
	if !asked.ResponseType.HasAccess() {
		return p.claimsAlone(ctx, now, i)
	}
	return p.claimsOf(ctx, now, i)
}

// mostOf returns the response type by which a client gets most.
func mostOf(c *storage.Client) (most registry.ResponseType) {
	for _, text := range registry.ResponseTypesOf(c) {
		kind, _ := registry.ParseResponseType(text)
		if kind.Code {
			return kind
		}
		most = kind // that with an access token stands last
	}
	return most
}

// claimsAlone is claimsOf for an ID token that comes without an access token.
func (p *Provider) claimsAlone(ctx context.Context, now time.Time, i issued) (*Claims, error) {
	id, err := p.idClaims(ctx, now, i, "")
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(id)
	if err != nil {
		return nil, fmt.Errorf("encode an ID token: %w", err)
	}
	return &Claims{IDToken: text}, nil
}

// claimsOf encodes what the tokens of a grant say, by the functions that issue them.
func (p *Provider) claimsOf(ctx context.Context, now time.Time, i issued) (*Claims, error) {
	access, err := p.accessClaims(ctx, now, i)
	if err != nil {
		return nil, err
	}
	out := new(Claims)
	if out.AccessToken, err = json.Marshal(access); err != nil {
		return nil, fmt.Errorf("encode an access token: %w", err)
	}
	if !has(i.scopes, "openid") {
		return out, nil
	}
	id, err := p.idClaims(ctx, now, i, unsigned)
	if err != nil {
		return nil, err
	}
	id.AccessHash = unsigned
	if out.IDToken, err = json.Marshal(id); err != nil {
		return nil, fmt.Errorf("encode an ID token: %w", err)
	}
	info, err := p.claims(ctx, i.client, i.grant.UserID, i.scopes, nil)
	if err != nil {
		return nil, err
	}
	if out.Userinfo, err = json.Marshal(info); err != nil {
		return nil, fmt.Errorf("encode userinfo: %w", err)
	}
	return out, nil
}
