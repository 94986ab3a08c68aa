package org

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// Sought says which members are looked for; its zero value means all.
type Sought struct {
	// Text is how their address, or any word of their name, begins.
	Text string
	Role Role
}

// Person is a member as a list of people shows them.
type Person struct {
	Place
	// Factors are what they can sign in with beside a password, for who manages
	// the organization; others are told of none.
	Factors Factors
}

// SearchMembers returns at most limit members of an organization that are sought,
// after the place that an earlier page ended with, and where this one ends: ""
// if there are no more. Without a text the oldest member is first. Guests do
// not see them.
func (s *Service) SearchMembers(
	ctx context.Context, by audit.Actor, orgID string, sought Sought, after string, limit int,
) (page []Person, next string, err error) {
	_, role, err := s.admit(ctx, s.db.Reader, by, orgID, insiders)
	if err != nil {
		return nil, "", err
	}
	if sought.Role != "" {
		if _, err := ParseRole(string(sought.Role)); err != nil {
			return nil, "", err
		}
	}
	page, next, err = s.sought(ctx, orgID, sought, after, limit)
	if err != nil || !slices.Contains(managers, role) {
		return page, next, err
	}
	return page, next, s.addFactors(ctx, orgID, page)
}

// sought finds the members of a page, and where it ends.
func (s *Service) sought(
	ctx context.Context, orgID string, sought Sought, after string, limit int,
) (page []Person, next string, err error) {
	text := strings.TrimSpace(sought.Text)
	from, ok := storage.ParseTermKey(after)
	if text == "" && after != "" && !isID(after) || text != "" && !ok {
		return nil, "", fault.Field("cursor", "Not a cursor of this list.")
	}
	var members []storage.Member
	var users map[string]*storage.User
	key := func(i int) string { return members[i].ID }
	if text == "" {
		members, users, err = s.db.MembersAs(ctx, orgID, sought.Role, after, limit+1)
	} else {
		var keys []storage.TermKey
		members, keys, users, err = s.db.MembersFound(ctx, orgID, sought.Role, text, from, limit+1)
		key = func(i int) string { return keys[i].String() }
	}
	if err != nil {
		return nil, "", fmt.Errorf("search members of %s: %w", orgID, err)
	}
	if len(members) > limit {
		members, next = members[:limit], key(limit-1)
	}
	for i := range members {
		if user := users[members[i].UserID]; user != nil { // else deleted between the two reads
			page = append(page, Person{Place: Place{Member: &members[i], User: user}})
		}
	}
	return page, next, nil
}

// addFactors says of each of a page what they can sign in with.
func (s *Service) addFactors(ctx context.Context, orgID string, page []Person) error {
	ids := make([]string, len(page))
	for i := range page {
		ids[i] = page[i].User.ID
	}
	states, err := s.db.MFAStatesOf(ctx, orgID, ids)
	if err != nil {
		return fmt.Errorf("look up the second factors of members of %s: %w", orgID, err)
	}
	for i := range page {
		if st := states[ids[i]]; st != nil {
			page[i].Factors = factorsOf(st)
		}
	}
	return nil
}

// Detail is a member as who manages the organization sees them.
type Detail struct {
	Person
	// Found is how they meet what is asked of them, Override what is asked of them
	// beside the policy.
	Found    Found
	Override Override
	// May says that the caller may alter what they are, and take it away.
	May bool
}

// ShowMember returns a member to who manages the organization.
func (s *Service) ShowMember(ctx context.Context, by audit.Actor, orgID, userID string) (*Detail, error) {
	_, mine, err := s.admit(ctx, s.db.Reader, by, orgID, managers)
	if err != nil {
		return nil, err
	}
	if !isID(userID) {
		return nil, ErrNoMember
	}
	m, err := s.db.Member(ctx, orgID, userID)
	if err != nil {
		return nil, lookedUp(err, ErrNoMember, "look up member "+userID+" of "+orgID)
	}
	user, err := s.db.User(ctx, userID)
	if err != nil {
		return nil, lookedUp(err, ErrNoMember, "look up user "+userID)
	}
	st, err := s.db.MFAState(ctx, orgID, userID)
	if err != nil {
		return nil, lookedUp(err, ErrNoMember, "read what "+orgID+" asks of "+userID)
	}
	out := &Detail{
		Person: Person{Place: Place{Member: m, User: user}, Factors: factorsOf(st)},
		Found:  find(st, steady.Now()), May: mayGrant(mine, m.Role),
		Override: Override{Mode: st.OverrideMode, ForceTOTP: st.ForceTOTP, ForceWebAuthn: st.ForceWebAuthn},
	}
	out.Found.User = user
	if out.Override.Mode == "" {
		out.Override.Mode = OverrideInherit
	}
	return out, nil
}

// Names returns the addresses of those of the users who are members of an
// organization, by their ids, to who manages it.
func (s *Service) Names(ctx context.Context, by audit.Actor, orgID string, userIDs []string) (map[string]string, error) {
	if err := s.Manages(ctx, s.db.Reader, by, orgID); err != nil {
		return nil, err
	}
	ids := slices.DeleteFunc(slices.Clone(userIDs), func(id string) bool { return !isID(id) })
	states, err := s.db.MFAStatesOf(ctx, orgID, ids)
	if err != nil {
		return nil, fmt.Errorf("look up members of %s: %w", orgID, err)
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return states[id] == nil })
	users, err := s.db.UsersByID(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look up members of %s: %w", orgID, err)
	}
	names := make(map[string]string, len(users))
	for id, u := range users {
		names[id] = u.Email
	}
	return names, nil
}

// Grantable are the roles that someone with the role mine may give, from the
// highest.
func Grantable(mine Role) []Role {
	return slices.DeleteFunc(slices.Clone(roles), func(r Role) bool { return !mayGrant(mine, r) })
}

// Roles are all roles, from the highest.
func Roles() []Role { return slices.Clone(roles) }
