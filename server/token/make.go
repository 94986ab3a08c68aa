package token

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/mail"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// What is refused about tokens.
var (
	ErrNotFound  = fault.New(fault.NotFound, "token_not_found", "Token not found")
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
	// ErrByToken keeps a token that has leaked from making others.
	ErrByToken = fault.New(fault.Forbidden, "token_by_token", "A token cannot manage tokens: sign in.")
	ErrTooMany = fault.New(fault.Conflict, "too_many_tokens", "There are 50 tokens already; revoke one first.")
)

const (
	// DefaultDays is how long a token lasts unless told otherwise.
	DefaultDays = 90
	// MaxDays is how long a token lasts at most, unless it never expires.
	MaxDays = 366
	// MaxTokens is how many live tokens an owner has at most.
	MaxTokens = 50
	maxName   = 100 // characters
)

// Owner is whose tokens are meant: a user's or an organization's. An operator
// may leave both out to revoke anyone's.
type Owner struct{ UserID, OrgID string }

// NewToken describes a token to be made.
type NewToken struct {
	Name   string
	Scopes []string
	Days   int  // how long it lasts: 1 to [MaxDays]
	Never  bool // it does not expire, which is logged; it has no Days then
}

// check says what is wrong with a token that owner o wants, field by field.
func (n NewToken) check(o Owner) error {
	problems, known := map[string][]string{}, Scopes
	if o.OrgID != "" {
		known = ServiceScopes
	}
	if count := utf8.RuneCountInString(n.Name); count < 1 || count > maxName {
		problems["name"] = []string{"Length must be between 1 and 100."}
	} else if audit.Cut(n.Name, len(n.Name)) != n.Name {
		problems["name"] = []string{"Not a valid string."}
	}
	if problem := scopesProblem(n.Scopes, known); problem != "" {
		problems["scopes"] = []string{problem}
	}
	switch {
	case n.Never && n.Days != 0:
		problems["expires_in_days"] = []string{"A token that never expires has no lifetime."}
	case !n.Never && (n.Days < 1 || n.Days > MaxDays):
		problems["expires_in_days"] = []string{"Must be between 1 and 366."}
	}
	return fault.Fields(problems)
}

// mayManage is nil for who may make, see and revoke the tokens of o: the user,
// or the owners and admins of the organization, in a session; and operators.
func (s *Service) mayManage(ctx context.Context, r storage.Reader, by audit.Actor, o Owner) error {
	switch {
	case by.TokenID != "":
		return ErrByToken
	case o.OrgID != "":
		return s.orgs.Manages(ctx, r, by, o.OrgID)
	case by.Kind == audit.Operator, by.Kind == audit.User && o.UserID != "" && by.ID == o.UserID:
		return nil
	}
	return ErrForbidden
}

// Make makes a token and returns it with its text, which is not kept: it is
// shown this once. [ErrTooMany] if the owner has [MaxTokens] that are good.
func (s *Service) Make(ctx context.Context, by audit.Actor, o Owner, in NewToken) (*Token, string, error) {
	in.Name = strings.TrimSpace(in.Name)
	if err := in.check(o); err != nil {
		return nil, "", err
	}
	text, now := newText(), steady.Now()
	t := in.token(by, o, text, now)
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		if by.SessionID != "" {
			if err := session.Still(ctx, tx, by.SessionID); err != nil {
				return err
			}
		}
		if err := s.mayManage(ctx, tx.Reader, by, o); err != nil {
			return err
		}
		if err := s.mayAdminister(ctx, tx.Reader, o, in.Scopes); err != nil {
			return err
		}
		if err := s.makeRoom(ctx, tx, o, now); err != nil {
			return err
		}
		if err := tx.InsertAPIToken(ctx, t); err != nil {
			return fmt.Errorf("make API token %s: %w", t.ID, err)
		}
		if err := s.tell(ctx, tx, by, now, t); err != nil {
			return err
		}
		return audit.Record(ctx, tx, by, now, event("token.create", t))
	})
	if err != nil {
		return nil, "", err
	}
	if in.Never {
		slog.WarnContext(ctx, "an API token was made that never expires", "token_id", t.ID,
			"user_id", o.UserID, "org_id", o.OrgID)
	}
	return t, text, nil
}

// tell tells the user in whose name a token was made.
func (s *Service) tell(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, t *Token) error {
	if t.UserID == "" {
		return nil
	}
	user, err := tx.User(ctx, string(t.UserID))
	if err != nil {
		return fmt.Errorf("look user %s up: %w", t.UserID, err)
	}
	return s.Mail.Notice(ctx, tx, by, now, user, mail.TokenMade, t.Name)
}

func (n NewToken) token(by audit.Actor, o Owner, text string, now time.Time) *Token {
	t := &Token{
		ID: storage.NewID(), UserID: storage.Ref(o.UserID), OrganizationID: storage.Ref(o.OrgID),
		Kind: storage.PersonalToken, Name: n.Name, TokenHash: storage.Hash(text), Scopes: inOrder(n.Scopes),
		CreatedAt: storage.At(now),
	}
	if o.OrgID != "" {
		t.Kind = storage.ServiceToken
	}
	if by.Kind == audit.User {
		t.CreatedByID = storage.Ref(by.ID)
	}
	if !n.Never {
		t.ExpiresAt = storage.At(now.AddDate(0, 0, n.Days))
	}
	return t
}

func newText() string {
	secret := make([]byte, secretBytes)
	rand.Read(secret)
	return Prefix + base64.RawURLEncoding.EncodeToString(secret)
}

// mayAdminister refuses the scopes of administrators to everyone else. Whoever
// has them and is an administrator no more can do nothing with them, either.
func (s *Service) mayAdminister(ctx context.Context, r storage.Reader, o Owner, scopes []string) error {
	if o.UserID == "" || !slices.ContainsFunc(scopes, ForAdmin) {
		return nil
	}
	u, err := r.User(ctx, o.UserID)
	if err != nil {
		return fmt.Errorf("look user %s up: %w", o.UserID, err)
	}
	if !u.IsAdmin {
		return fault.Field("scopes", "admin:read and admin:write are for administrators of the server.")
	}
	return nil
}

// makeRoom deletes the tokens of o that are good for nothing any more, and is
// [ErrTooMany] if there is no room for another then.
func (s *Service) makeRoom(ctx context.Context, tx *storage.Tx, o Owner, now time.Time) error {
	all, err := tokensOf(ctx, tx.Reader, o)
	if err != nil {
		return err
	}
	live, err := s.live(ctx, tx.Reader, all, now)
	if err != nil {
		return err
	}
	for i := range all {
		if slices.ContainsFunc(live, func(t Token) bool { return t.ID == all[i].ID }) {
			continue
		}
		if err := tx.DeleteAPIToken(ctx, &all[i]); err != nil {
			return fmt.Errorf("forget API token %s: %w", all[i].ID, err)
		}
	}
	if len(live) >= MaxTokens {
		return ErrTooMany
	}
	return nil
}

func tokensOf(ctx context.Context, r storage.Reader, o Owner) ([]Token, error) {
	find, id := r.APITokensOfUser, o.UserID
	if o.OrgID != "" {
		find, id = r.APITokensOfOrganization, o.OrgID
	}
	tokens, err := find(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("list the API tokens of %s: %w", id, err)
	}
	return tokens, nil
}

// live returns those of the tokens of one owner that are good at now.
func (s *Service) live(ctx context.Context, r storage.Reader, tokens []Token, now time.Time) ([]Token, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	owner, err := s.ownerOf(ctx, r, &tokens[0])
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(tokens), func(t Token) bool { return !owner.keeps(&t, now) }), nil
}

// List returns at most limit tokens of o that are good, the oldest first, after
// the one with the given id.
func (s *Service) List(ctx context.Context, by audit.Actor, o Owner, after string, limit int) ([]Token, error) {
	if err := s.mayManage(ctx, s.db.Reader, by, o); err != nil {
		return nil, err
	}
	all, err := tokensOf(ctx, s.db.Reader, o)
	if err != nil {
		return nil, err
	}
	live, err := s.live(ctx, s.db.Reader, all, steady.Now())
	if err != nil {
		return nil, err
	}
	live = slices.DeleteFunc(live, func(t Token) bool { return t.ID <= after })
	live = live[:min(limit, len(live))]
	for i, t := range live {
		live[i].LastUsedAt = storage.At(s.seen.Latest(t.ID, t.LastUsedAt.Time))
	}
	return live, nil
}

// Revoke ends a token of o at once. [ErrNotFound] if it is not theirs.
func (s *Service) Revoke(ctx context.Context, by audit.Actor, o Owner, id string) error {
	if strings.ContainsRune(id, 0) {
		id = "" // storage refuses such text
	}
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := s.mayManage(ctx, tx.Reader, by, o); err != nil {
			return err
		}
		t, err := tx.APIToken(ctx, id)
		if errors.Is(err, storage.ErrNotFound) || err == nil && o != (Owner{}) && o != ownerID(t) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("look API token %s up: %w", id, err)
		}
		if err := tx.DeleteAPIToken(ctx, t); err != nil {
			return fmt.Errorf("revoke API token %s: %w", id, err)
		}
		return audit.Record(ctx, tx, by, now, event("token.revoke", t))
	})
}

func ownerID(t *Token) Owner { return Owner{UserID: string(t.UserID), OrgID: string(t.OrganizationID)} }

// event describes what happened to t.
func event(action string, t *Token) audit.Event {
	expires := "never"
	if !t.ExpiresAt.IsZero() {
		expires = t.ExpiresAt.Format(time.RFC3339)
	}
	e := audit.Event{
		Action: action, TargetKind: "token", TargetID: t.ID, OrgID: string(t.OrganizationID),
		Details: map[string]string{"name": t.Name, "kind": t.Kind, "scopes": t.Scopes.String(), "expires": expires},
	}
	if t.UserID != "" {
		e.Details["user_id"] = string(t.UserID)
	}
	return e
}
