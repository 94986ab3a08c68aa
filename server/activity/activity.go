// Package activity decides who may read the audit log, and how much of it:
// administrators and operators all, owners and admins their organization's,
// everyone their own. It lists, exports and verifies; it refuses to know what
// an action means, and changes nothing but for noting that the log was
// exported, or begins anew.
//
// Read this file (who sees what), then entry.go (what they see) and export.go.
package activity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// What activity refuses. The messages about organizations are the contract's.
var (
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "Only administrators of the server may do this.")
	ErrWhole     = fault.New(fault.Conflict, "audit_log_whole", "Nothing is wrong with the audit log: it goes on as it is.")
	ErrNoOrg     = fault.New(fault.NotFound, "organization_not_found", "Organization not found")
	ErrRole      = fault.New(fault.Forbidden, "role_required", "Requires one of the following roles: owner, admin")
)

// Service reads the audit log for those who may.
type Service struct {
	db    *storage.DB
	chain *audit.Chain
}

// New returns the service over db.
func New(db *storage.DB) *Service { return &Service{db: db, chain: audit.NewChain(db)} }

// Filter says which events to list; what is zero lets everything through.
type Filter struct {
	Actor, Target, Action, Outcome, Organization string    // each the very text
	From, To                                     time.Time // To itself is out
}

// Page is a part of the log, the newest event first.
type Page struct {
	Entries []Entry
	Next    string // the key that the next page begins after, "" for none
}

// All lists the whole log, for administrators and operators, who may name a user by
// address.
func (s *Service) All(ctx context.Context, by audit.Actor, f Filter, after string, limit int) (Page, error) {
	if err := s.mayReadAll(ctx, by); err != nil {
		return Page{}, err
	}
	if err := s.resolve(ctx, &f); err != nil {
		return Page{}, err
	}
	return s.page(ctx, f, after, limit)
}

// OfOrganization lists what happened in an organization, for its owners,
// admins and services and for whoever may read everything. [ErrNoOrg] for those who are no
// members, [ErrRole] for the others.
func (s *Service) OfOrganization(
	ctx context.Context, by audit.Actor, orgID string, f Filter, after string, limit int,
) (Page, error) {
	if err := s.mayReadOrg(ctx, by, orgID); err != nil {
		return Page{}, err
	}
	f.Organization = orgID
	return s.page(ctx, f, after, limit)
}

// Mine lists what a user did and what was done to them. From where others did
// it is not theirs to know, unless it was nobody known, at the door.
func (s *Service) Mine(ctx context.Context, by audit.Actor, f Filter, after string, limit int) (Page, error) {
	if by.Kind != audit.User || by.ID == "" {
		return Page{}, ErrForbidden
	}
	events, err := s.around(ctx, by.ID, f, after, limit)
	if err != nil {
		return Page{}, err
	}
	for i := range events {
		hidePlace(&events[i], by.ID)
	}
	return pageOf(events, limit), nil
}

// About lists what a user did and what was done to them, for administrators and
// operators.
func (s *Service) About(ctx context.Context, by audit.Actor, userID, after string, limit int) (Page, error) {
	if err := s.mayReadAll(ctx, by); err != nil {
		return Page{}, err
	}
	events, err := s.around(ctx, userID, Filter{}, after, limit)
	if err != nil {
		return Page{}, err
	}
	return pageOf(events, limit), nil
}

// around returns what a user did and what was done to them, the newest first: one
// more than limit, if there are more.
func (s *Service) around(
	ctx context.Context, userID string, f Filter, after string, limit int,
) (events []storage.Event, err error) {
	did, suffered := f, f
	did.Actor, did.Target, suffered.Actor, suffered.Target = userID, "", "", userID
	for _, one := range []Filter{did, suffered} {
		some, err := s.events(ctx, one, after, limit+1)
		if err != nil {
			return nil, err
		}
		events = append(events, some...)
	}
	slices.SortFunc(events, func(a, b storage.Event) int {
		if order := b.At.Compare(a.At.Time); order != 0 {
			return order
		}
		return strings.Compare(b.ID, a.ID)
	})
	return slices.CompactFunc(events, func(a, b storage.Event) bool { return a.ID == b.ID }), nil
}

// hidePlace blanks from where somebody else than userID acted.
func hidePlace(e *storage.Event, userID string) {
	if e.ActorKind == string(audit.Anonymous) || e.ActorKind == string(audit.User) && e.ActorID == userID {
		return
	}
	e.IPAddress, e.UserAgent, e.RequestID, e.SessionID = "", "", "", ""
}

// Verify checks that the log is whole, for administrators and operators, with all
// that is written so far. See [audit.Chain.Verify].
func (s *Service) Verify(ctx context.Context, by audit.Actor, noted audit.Note) (*audit.Report, error) {
	if err := s.mayReadAll(ctx, by); err != nil {
		return nil, err
	}
	if err := s.chain.CatchUp(ctx); err != nil {
		return nil, fmt.Errorf("link the audit log: %w", err)
	}
	report, err := s.chain.Verify(ctx, noted)
	if err != nil {
		return nil, fmt.Errorf("verify the audit log: %w", err)
	}
	return report, nil
}

// maxReason is how long the reason for a new chain is at most, in bytes.
const maxReason = 500

// Restart begins a new chain after the log was damaged, for operators, and says
// why. [ErrWhole] if it was not. See [audit.Chain.Restart].
func (s *Service) Restart(ctx context.Context, by audit.Actor, reason string) (*audit.Seam, error) {
	if by.Kind != audit.Operator {
		return nil, ErrForbidden
	}
	if reason = strings.TrimSpace(reason); reason == "" || audit.Cut(reason, maxReason) != reason {
		return nil, fault.Field("reason", "Give a line of 1 to 500 bytes.")
	}
	seam, err := s.chain.Restart(ctx, by, reason)
	if errors.Is(err, audit.ErrWhole) {
		return nil, ErrWhole
	}
	return seam, err
}

func (s *Service) mayReadAll(ctx context.Context, by audit.Actor) error {
	may, err := by.Administers(ctx, s.db.Reader)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}

func (s *Service) mayReadOrg(ctx context.Context, by audit.Actor, orgID string) error {
	if !legible(orgID) {
		return ErrNoOrg
	}
	o, err := s.db.Organization(ctx, orgID)
	if errors.Is(err, storage.ErrNotFound) {
		return ErrNoOrg
	}
	if err != nil {
		return fmt.Errorf("look organization %s up: %w", orgID, err)
	}
	if err := s.mayReadAll(ctx, by); !errors.Is(err, ErrForbidden) {
		return err
	}
	if by.Kind == audit.Service && by.OrgID == orgID && o.IsActive {
		return nil
	}
	if by.Kind != audit.User || !o.IsActive {
		return ErrNoOrg
	}
	m, err := s.db.Member(ctx, orgID, by.ID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return ErrNoOrg
	case err != nil:
		return fmt.Errorf("look the role of %s in %s up: %w", by.ID, orgID, err)
	case m.Role != storage.RoleOwner && m.Role != storage.RoleAdmin:
		return ErrRole
	}
	return nil
}

func (s *Service) page(ctx context.Context, f Filter, after string, limit int) (Page, error) {
	events, err := s.events(ctx, f, after, limit+1) // one more tells whether there are more
	if err != nil {
		return Page{}, err
	}
	return pageOf(events, limit), nil
}

func pageOf(events []storage.Event, limit int) Page {
	next := ""
	if len(events) > limit {
		events = events[:limit]
		next = keyOf(&events[limit-1])
	}
	page := Page{Entries: make([]Entry, len(events)), Next: next}
	for i := range events {
		page.Entries[i] = EntryOf(&events[i])
	}
	return page
}

func (s *Service) events(ctx context.Context, f Filter, after string, limit int) ([]storage.Event, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	key, err := parseKey(after)
	if err != nil {
		return nil, err
	}
	events, err := s.db.EventsMatching(ctx, storage.EventFilter(f), key, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return events, nil
}

func (f Filter) check() error {
	problems := map[string][]string{}
	for name, value := range map[string]string{
		"actor": f.Actor, "target": f.Target, "action": f.Action, "organization": f.Organization,
	} {
		if !legible(value) {
			problems[name] = []string{"Not a valid string."}
		}
	}
	if f.Outcome != "" && f.Outcome != audit.Success && f.Outcome != audit.Failure {
		problems["outcome"] = []string{"Must be success or failure."}
	}
	return fault.Fields(problems)
}

// legible says whether a text can stand in the log at all: storage refuses
// some that cannot.
func legible(s string) bool {
	return len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool {
		return r == unicode.ReplacementChar || unicode.IsControl(r)
	})
}

// keyOf returns the place of an event in lists, as a text.
func keyOf(e *storage.Event) string { return strconv.FormatInt(e.At.UnixMilli(), 10) + "." + e.ID }

func parseKey(text string) (storage.EventKey, error) {
	if text == "" {
		return storage.EventKey{}, nil
	}
	millis, id, _ := strings.Cut(text, ".")
	at, err := strconv.ParseInt(millis, 10, 64)
	if err != nil || id == "" || !legible(id) {
		return storage.EventKey{}, fault.Field("cursor", "Not a cursor of this list.")
	}
	return storage.EventKey{At: storage.At(time.UnixMilli(at)), ID: id}, nil
}
