package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// List returns at most limit clients of an organization with a client_id
// after the given one, in the order of their client_ids. orgID is "" for every
// client there is, which operators and administrators of the server see.
func (s *Service) List(ctx context.Context, by audit.Actor, orgID, after string, limit int) ([]Client, error) {
	if err := s.mayManage(ctx, s.db.Reader, by, orgID); err != nil {
		return nil, err
	}
	clients, err := s.db.Clients(ctx, orgID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	return clients, nil
}

// Search returns to who administers the server at most limit clients
// whose client_id, or any word of whose name, begins with text, after the place
// that an earlier page ended with, and where this one ends: "" if there are no
// more. orgID narrows it to an organization. Without a text it lists them all,
// by client_id.
func (s *Service) Search(
	ctx context.Context, by audit.Actor, orgID, text, after string, limit int,
) (clients []Client, next string, err error) {
	if err := mayAdminister(ctx, s.db.Reader, by); err != nil {
		return nil, "", err
	}
	return s.search(ctx, orgID, text, after, limit)
}

// Managed is [Service.Search] for who manages an organization, in it alone. orgID is as in
// [Service.List].
func (s *Service) Managed(
	ctx context.Context, by audit.Actor, orgID, text, after string, limit int,
) (clients []Client, next string, err error) {
	if err := s.mayManage(ctx, s.db.Reader, by, orgID); err != nil {
		return nil, "", err
	}
	return s.search(ctx, orgID, text, after, limit)
}

func (s *Service) search(
	ctx context.Context, orgID, text, after string, limit int,
) (clients []Client, next string, err error) {
	text = strings.TrimSpace(text)
	from, ok := storage.ParseTermKey(after)
	if text != "" && !ok {
		return nil, "", fault.Field("cursor", "Not a cursor of this list.")
	}
	key := func(i int) string { return clients[i].ClientID }
	if text == "" {
		clients, err = s.db.Clients(ctx, orgID, after, limit+1)
	} else {
		var keys []storage.TermKey
		clients, keys, err = s.db.ClientsFound(ctx, orgID, text, from, limit+1)
		key = func(i int) string { return keys[i].String() }
	}
	if err != nil {
		return nil, "", fmt.Errorf("list clients: %w", err)
	}
	if len(clients) > limit {
		clients, next = clients[:limit], key(limit-1)
	}
	return clients, next, nil
}

// Of returns a client of an organization, enabled or not. orgID is as in
// [Service.List]. [ErrNoClient] if there is none.
func (s *Service) Of(ctx context.Context, by audit.Actor, orgID, clientID string) (*Client, error) {
	if err := s.mayManage(ctx, s.db.Reader, by, orgID); err != nil {
		return nil, err
	}
	return s.find(ctx, s.db.Reader, orgID, clientID)
}

// managed returns a client that by may change. orgID is "" for who
// administers the server and knows the client alone.
func (s *Service) managed(
	ctx context.Context, r storage.Reader, by audit.Actor, orgID, clientID string,
) (*Client, error) {
	if err := s.mayManage(ctx, r, by, orgID); err != nil {
		return nil, err
	}
	return s.find(ctx, r, orgID, clientID)
}

func (s *Service) find(ctx context.Context, r storage.Reader, orgID, clientID string) (*Client, error) {
	if !isClientID(clientID) {
		return nil, ErrNoClient
	}
	c, err := r.Client(ctx, clientID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && orgID != "" && string(c.OrganizationID) != orgID {
		return nil, ErrNoClient
	}
	if err != nil {
		return nil, fmt.Errorf("look client %s up: %w", clientID, err)
	}
	return c, nil
}

// Update changes a client of an organization by change, which may be
// called more than once; it heeds what a registration must. orgID is "" for
// who administers the server and knows the client alone. It counts from the next request on: who
// may no longer use the client has no live tokens of it then.
func (s *Service) Update(
	ctx context.Context, by audit.Actor, orgID, clientID string, change func(*Registration),
) (*Client, error) {
	checked, err := s.checkSectorOf(ctx, by, orgID, clientID, change)
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	var c *Client
	var facts map[string]string
	err = s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		if c, err = s.managed(ctx, tx.Reader, by, orgID, clientID); err != nil {
			return err
		}
		facts, err = s.changeIn(ctx, tx, by, now, c, checked, change)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(facts) > 0 {
		warnOfRelaxations(ctx, c)
	}
	return c, nil
}

// changeIn changes c in tx, and returns what was changed. checked is what the
// client was to become when its sector was looked at.
func (s *Service) changeIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, c *Client,
	checked Registration, change func(*Registration),
) (map[string]string, error) {
	before := Describe(c)
	in := changed(before, change)
	if !checked.isSector(in) {
		return nil, errMeanwhile
	}
	if err := mayLetExchange(ctx, tx.Reader, by, before.Options, in.Options); err != nil {
		return nil, err
	}
	if err := fault.Fields(in.problems(before.AuthMethod)); err != nil {
		return nil, err
	}
	if err := s.checkImplicit(before, in); err != nil {
		return nil, err
	}
	if in.SkipConsent != before.SkipConsent && by.Kind != audit.Operator {
		return nil, ErrForbidden
	}
	facts := differences(before, in)
	if len(facts) == 0 {
		return nil, nil
	}
	if err := managed.Refuse(ctx, tx.Reader, by, managed.Client, c.ID); err != nil {
		return nil, err
	}
	relaxed := Relaxed(c)
	in.writeTo(c, now)
	if now := Relaxed(c); !slices.Equal(relaxed, now) {
		facts["relaxed"] = strings.Join(now, " ")
	}
	if err := tx.SaveClient(ctx, c); err != nil {
		return nil, fmt.Errorf("change client %s: %w", c.ClientID, err)
	}
	return facts, audit.Record(ctx, tx, by, now, clientEvent("client.updated", c, facts))
}

// changed is what a registration becomes by change.
func changed(before Registration, change func(*Registration)) Registration {
	in := before
	in.ResponseTypes = nil
	change(&in)
	if in.ResponseTypes == nil {
		in.ResponseTypes = fitting(before.ResponseTypes, in.GrantTypes)
	}
	in.ClientID, in.OrganizationID = before.ClientID, before.OrganizationID
	return in.normal()
}

// differences returns what changed, by field, with what it is now.
func differences(before, now Registration) map[string]string {
	old, changed := before.facts(), map[string]string{}
	for field, value := range now.facts() {
		if old[field] != value {
			changed[field] = audit.Cut(value, 512)
		}
		delete(old, field)
	}
	for field := range old {
		changed[field] = "" // it is gone
	}
	return changed
}

// facts is what can be changed of a client, as the audit log shows it.
func (in Registration) facts() map[string]string {
	facts := map[string]string{
		"name": in.Name, "application_type": in.ApplicationType,
		"redirect_uris":                strings.Join(in.RedirectURIs, " "),
		"post_logout_redirect_uris":    strings.Join(in.PostLogoutRedirectURIs, " "),
		"grant_types":                  strings.Join(in.GrantTypes, " "),
		"response_types":               strings.Join(in.ResponseTypes, ", "),
		"scopes":                       strings.Join(in.Scopes, " "),
		"allow":                        strings.Join(in.Allowed, " "),
		"token_endpoint_auth_method":   in.AuthMethod,
		"id_token_signed_response_alg": in.IDTokenAlg,
		"require_pkce":                 strconv.FormatBool(in.RequirePKCE),
		"skip_consent":                 strconv.FormatBool(in.SkipConsent),
		"is_active":                    strconv.FormatBool(!in.Disabled),
		"access_token_lifetime":        in.AccessTokenLifetime.String(),
		"refresh_token_lifetime":       in.RefreshTokenLifetime.String(),
		"id_token_lifetime":            in.IDTokenLifetime.String(),
		"logo_uri":                     in.LogoURI, "client_uri": in.ClientURI, "policy_uri": in.PolicyURI, "tos_uri": in.TOSURI,
	}
	maps.Copy(facts, optionFacts(in.Options))
	return facts
}

// optionFacts is the part of facts that [Options] holds.
func optionFacts(o Options) map[string]string {
	values := map[string]json.RawMessage{}
	text, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(text, &values)
	}
	if err != nil {
		panic("impossible: options are plain JSON: " + err.Error())
	}
	facts := map[string]string{}
	for name, value := range values {
		facts[name] = readable(value)
	}
	return facts
}

// readable returns a value of JSON as people read it: text without quotes, a list
// with spaces between its words, the rest to the letter.
func readable(value json.RawMessage) string {
	var text string
	var words []string
	switch {
	case json.Unmarshal(value, &text) == nil:
		return text
	case json.Unmarshal(value, &words) == nil:
		return strings.Join(words, " ")
	}
	return string(value)
}

// Delete deletes a client with all that it was granted: its codes and
// tokens are dead. orgID is as in [Service.Update].
func (s *Service) Delete(ctx context.Context, by audit.Actor, orgID, clientID string) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		c, err := s.managed(ctx, tx.Reader, by, orgID, clientID)
		if err != nil {
			return err
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.Client, c.ID); err != nil {
			return err
		}
		return remove(ctx, tx, by, now, c, "")
	})
}

// remove deletes c in tx.
func remove(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, c *Client, reason string) error {
	if err := tx.DeleteClient(ctx, c); err != nil {
		return fmt.Errorf("delete client %s: %w", c.ClientID, err)
	}
	event := clientEvent("client.deleted", c, nil)
	event.Reason = reason
	return audit.Record(ctx, tx, by, now, event)
}
