package openid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/audit"
	"authy/server/keyring"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// A client exchanges an access token of this server for another one (RFC 8693): for
// fewer scopes, for another audience, in the name of the user (impersonation) or as
// somebody who acts for them (delegation). What it may do is registered; a client may
// do none of it until somebody who administers the server says so.

// maxExchanges is how often what was exchanged can be exchanged again.
const maxExchanges = 8

// exchanged is the answer of RFC 8693, section 2.2.1.
type exchanged struct {
	*oidc.AccessTokenResponse
	IssuedTokenType oidc.TokenType `json:"issued_token_type"`
}

// exchanging is what a client sends to exchange a token.
type exchanging struct {
	subject, actor string   // tokens
	scopes         []string // nil for all that it may have
	targets        []string // whom the new token is for; nil for the client itself
	key            string   // the thumbprint of the key that it proves

	subjectClaims, actorClaims *accessToken
}

// TokenExchange exchanges a token (RFC 8693, section 2.1).
func (s *server) TokenExchange(
	ctx context.Context, r *op.ClientRequest[oidc.TokenExchangeRequest],
) (*op.Response, error) {
	c, key, err := s.proven(ctx, r.Header, r.Client)
	if err != nil {
		return nil, err
	}
	in, err := readExchange(r.Data)
	if err != nil {
		return nil, err
	}
	in.key = key
	out, err := s.p.swap(ctx, c, in)
	if err != nil {
		return respond(nil, err)(ctx)
	}
	return op.NewResponse(&exchanged{out, oidc.AccessTokenType}), nil
}

// readExchange reads the parameters. Only access tokens are taken and given: an ID
// token is none, and a refresh token would outlive what it was exchanged for.
func readExchange(r *oidc.TokenExchangeRequest) (*exchanging, error) {
	for _, one := range []struct {
		name string
		kind oidc.TokenType
		sent bool // is needed, and must not be otherwise
	}{
		{"subject_token_type", r.SubjectTokenType, true},
		{"actor_token_type", r.ActorTokenType, r.ActorToken != ""},
		{"requested_token_type", r.RequestedTokenType, r.RequestedTokenType != ""},
	} {
		if one.sent && one.kind != oidc.AccessTokenType || !one.sent && one.kind != "" {
			return nil, invalidExchange(one.name + " does not fit: only access tokens are exchanged, for access tokens")
		}
	}
	in := &exchanging{subject: r.SubjectToken, actor: r.ActorToken, scopes: unempty(r.Scopes)}
	for _, target := range append(slices.Clone([]string(r.Audience)), r.Resource...) {
		if target != "" && !has(in.targets, target) {
			in.targets = append(in.targets, target)
		}
	}
	return in, nil
}

// invalidExchange is the answer to a token that is not good, or that policy does not
// allow to exchange (RFC 8693, section 2.2.2).
func invalidExchange(text string) error { return oidc.ErrInvalidRequest().WithDescription("%s", text) }

// swap gives an authenticated client a token for another one.
func (p *Provider) swap(ctx context.Context, c *storage.Client, in *exchanging) (*oidc.AccessTokenResponse, error) {
	if refused := mayExchange(c, in); refused != nil {
		return p.swapRefused(ctx, c, in, refused, "not_allowed")
	}
	now := steady.Now()
	for _, one := range []struct {
		token string
		into  **accessToken
	}{{in.subject, &in.subjectClaims}, {in.actor, &in.actorClaims}} {
		if one.token == "" {
			continue
		}
		claims, _, err := p.parseAccessToken(ctx, one.token, now)
		if errors.Is(err, keyring.ErrToken) {
			err = invalidExchange("a token is not an access token of this server, or has ended")
			return p.swapRefused(ctx, c, in, err, "token_not_good")
		}
		if err != nil {
			return nil, err
		}
		*one.into = claims
	}
	if text, reason := in.unacceptable(c); reason != "" {
		return p.swapRefused(ctx, c, in, invalidExchange(text), reason)
	}
	if refused := in.narrow(c); refused != nil {
		return p.swapRefused(ctx, c, in, refused, "too_much")
	}
	return p.exchange(ctx, c, func(tx *storage.Tx, by audit.Actor, now time.Time, out *issued) (refused, err error) {
		out.jkt, out.bare = in.key, true
		return p.swapIn(ctx, tx, by, now, in, out)
	})
}

// mayExchange is nil for a client that may exchange tokens in the way that it wants to.
func mayExchange(c *storage.Client, in *exchanging) error {
	mode := in.mode()
	if registry.IsPublic(c) || !has(c.Options.Exchange, mode) {
		return oidc.ErrUnauthorizedClient().WithDescription("the client is not registered for %s", mode)
	}
	return nil
}

// mode is how a token is exchanged.
func (in *exchanging) mode() string {
	if in.actor != "" {
		return registry.Delegation
	}
	return registry.Impersonation
}

// unacceptable says why tokens that are good may not be exchanged by c: to the client,
// and for the audit log; "" if they may.
func (in *exchanging) unacceptable(c *storage.Client) (text, reason string) {
	subject, actor := in.subjectClaims, in.actorClaims
	from := func(t *accessToken) bool {
		return t.ClientID == c.ClientID || has(c.Options.ExchangeFor, t.ClientID) ||
			slices.ContainsFunc(t.Audience, func(a string) bool { return has(c.Options.ExchangeFor, a) })
	}
	proved := func(t *accessToken) bool {
		return t == nil || t.Confirmation == nil || t.Confirmation.JKT == in.key
	}
	switch {
	case subject.GrantID == "":
		return "the subject_token is a client's own, and speaks for no user", "token_of_no_user"
	case !from(subject):
		return "the client may not exchange tokens of the client that the subject_token belongs to", "subject_not_allowed"
	case actor != nil && actor.ClientID != c.ClientID:
		return "the actor_token belongs to another client", "actor_of_another_client"
	case !proved(subject) || !proved(actor):
		return "a token is bound to a key of which there is no proof", "key_mismatch"
	}
	return "", ""
}

// narrow leaves the scopes that both the subject token and the client may have, and
// refuses what was asked beyond (RFC 8693, section 2.2.2).
func (in *exchanging) narrow(c *storage.Client) error {
	var most []string
	for scope := range strings.FieldsSeq(in.subjectClaims.Scope) {
		if has(c.Scopes, scope) && scope != "offline_access" {
			most = append(most, scope)
		}
	}
	if len(in.scopes) == 0 {
		in.scopes = most
	}
	if len(in.scopes) == 0 || slices.ContainsFunc(in.scopes, func(s string) bool { return !has(most, s) }) {
		return oidc.ErrInvalidScope().WithDescription("the scope goes beyond that of the subject_token, or of the client")
	}
	for _, target := range in.targets {
		if target != c.ClientID && !has(c.Options.Resources, target) {
			return oidc.ErrInvalidTarget().WithDescription("the client may not have tokens for this audience or resource")
		}
	}
	return nil
}

// swapRefused tells a client why a token may not be exchanged, and records it.
func (p *Provider) swapRefused(
	ctx context.Context, c *storage.Client, in *exchanging, told error, reason string,
) (*oidc.AccessTokenResponse, error) {
	by, now := actor(ctx).AsClient(c.ClientID), steady.Now()
	event := audit.Event{
		Action: "token.exchanged", Failed: true, Reason: reason, TargetKind: "client", TargetID: c.ClientID,
		OrgID: string(c.OrganizationID), Details: map[string]string{"mode": in.mode()},
	}
	if in.subjectClaims != nil {
		event.TargetKind, event.TargetID = "user", in.subjectClaims.Subject
		event.Details["subject_client"] = in.subjectClaims.ClientID
	}
	err := p.db.Update(ctx, func(tx *storage.Tx) error { return audit.Record(ctx, tx, by, now, event) })
	if err != nil {
		return nil, err
	}
	return nil, told
}

// swapIn makes the grant of the new token, which ends with those of the tokens that it
// was exchanged for and does not last longer than either token.
func (p *Provider) swapIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, in *exchanging, out *issued,
) (refused, err error) {
	parent, err := tx.Grant(ctx, in.subjectClaims.GrantID)
	if errors.Is(err, storage.ErrNotFound) {
		return invalidExchange("the subject_token has ended"), nil
	}
	if err != nil {
		return nil, fmt.Errorf("exchange a token: %w", err)
	}
	if out.actor, err = in.act(); err != nil {
		return nil, err
	}
	out.grant, out.scopes, out.resources = in.child(out, parent, now), in.scopes, in.targets
	if deep, err := p.exchanges(ctx, tx.Reader, out.grant); err != nil {
		return nil, err
	} else if deep > maxExchanges {
		return invalidExchange("the subject_token and the actor_token were exchanged too often"), nil
	}
	if err := p.live(ctx, tx.Reader, out.grant, now); errors.Is(err, errEnded) {
		_, err = p.refused(ctx, tx, by, now, out.client, "token.exchanged", "grant_ended")
		return invalidExchange("the subject_token has ended, or its user may not use the client"), err
	} else if err != nil {
		return nil, err
	}
	if err := tx.InsertGrant(ctx, out.grant); err != nil {
		return nil, fmt.Errorf("exchange a token: %w", err)
	}
	return nil, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "token.exchanged", TargetKind: "user", TargetID: out.grant.UserID,
		OrgID: string(out.client.OrganizationID), Details: in.details(),
	})
}

// child is the grant of the new token.
func (in *exchanging) child(out *issued, parent *storage.Grant, now time.Time) *storage.Grant {
	g := &storage.Grant{
		ID: storage.NewID(), UserID: parent.UserID, ClientID: out.client.ID, SessionID: parent.SessionID,
		Scopes: in.scopes, Methods: parent.Methods, AuthenticatedAt: parent.AuthenticatedAt,
		CreatedAt: storage.At(now), ExpiresAt: parent.ExpiresAt,
		Details: storage.GrantDetails{
			ACR: parent.Details.ACR, Resources: in.targets, JKT: in.key, Actor: string(out.actor),
			Parent: parent.ID, Token: tokenRef(in.subject, in.subjectClaims),
		},
	}
	in.actOn(&g.Details)
	if has(parent.Scopes, "offline_access") {
		g.SessionID = "" // it outlives its session
	}
	for _, token := range []*accessToken{in.subjectClaims, in.actorClaims} {
		if token != nil && token.Expires < g.ExpiresAt.Unix() {
			g.ExpiresAt = storage.At(time.Unix(token.Expires, 0))
		}
	}
	return g
}

// act is who acts for the user now, and who did before (RFC 8693, section 4.1). Who
// comes without an actor_token hides nobody who acted before.
func (in *exchanging) act() (json.RawMessage, error) {
	before := in.subjectClaims.Actor
	if in.actorClaims == nil {
		return before, nil
	}
	text, err := json.Marshal(struct {
		Subject  string          `json:"sub"`
		ClientID string          `json:"client_id"`
		Before   json.RawMessage `json:"act,omitempty"`
	}{in.actorClaims.Subject, in.actorClaims.ClientID, before})
	if err != nil {
		return nil, fmt.Errorf("encode who acts: %w", err)
	}
	return text, nil
}

func (in *exchanging) details() map[string]string {
	d := map[string]string{
		"mode": in.mode(), "subject_client": in.subjectClaims.ClientID, "scope": strings.Join(in.scopes, " "),
	}
	if in.actorClaims != nil {
		d["actor"] = in.actorClaims.Subject
	}
	if len(in.targets) > 0 {
		d["audience"] = strings.Join(in.targets, " ")
	}
	return d
}
