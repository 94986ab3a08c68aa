package org_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/org"
	"authy/storage"
	"authy/storage/storagetest"
)

// house is an organization and somebody for each role.
type house struct {
	t  *testing.T
	db *storage.DB
	s  *org.Service
	id string
	// by id of the role
	users map[org.Role]string
}

func newHouse(t *testing.T, db *storage.DB) *house {
	t.Helper()
	h := &house{t: t, db: db, s: org.New(db), users: map[org.Role]string{}}
	for _, role := range []org.Role{org.Owner, org.Admin, org.Member, org.Guest} {
		h.users[role] = addUser(t, db, string(role)+"@example.com")
	}
	o, err := h.s.Create(t.Context(), audit.Shell(), org.NewOrg{Slug: "house", Name: "House", OwnerID: h.users[org.Owner]})
	if err != nil {
		t.Fatal(err)
	}
	h.id = o.ID
	for _, role := range []org.Role{org.Admin, org.Member, org.Guest} {
		h.add(h.users[role], role)
	}
	return h
}

func (h *house) add(userID string, role org.Role) {
	h.t.Helper()
	if err := h.s.AddMember(h.t.Context(), audit.Shell(), h.id, userID, role); err != nil {
		h.t.Fatal(err)
	}
}

// as is the holder of a role as an actor.
func (h *house) as(role org.Role) audit.Actor { return audit.Actor{}.As(h.users[role]) }

// owners counts the owners there are.
func (h *house) owners() (n int) {
	h.t.Helper()
	places, err := h.s.Members(h.t.Context(), audit.Shell(), h.id, "", 100)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range places {
		if p.Member.Role == org.Owner {
			n++
		}
	}
	return n
}

// together runs the functions at once and counts who succeeds; the others must
// be refused for one of the reasons.
func together(t *testing.T, fns []func() error, reasons ...error) int64 {
	t.Helper()
	var done atomic.Int64
	var all sync.WaitGroup
	start := make(chan struct{})
	for _, fn := range fns {
		all.Go(func() {
			<-start
			err := fn()
			if err == nil {
				done.Add(1)
				return
			}
			for _, reason := range reasons {
				if errors.Is(err, reason) {
					return
				}
			}
			t.Errorf("refused with %v", err)
		})
	}
	close(start)
	all.Wait()
	return done.Load()
}

func TestOneOwnerStaysWhenAllGoAtOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		first := h.users[org.Owner]
		for round := range 12 {
			second := h.users[org.Admin]
			if _, err := h.s.SetRole(ctx, audit.Shell(), h.id, second, org.Owner); err != nil {
				t.Fatal(err)
			}
			step := func(userID string, demote bool) func() error {
				me := audit.Actor{}.As(userID)
				return func() error {
					if demote {
						_, err := h.s.SetRole(ctx, me, h.id, userID, org.Admin)
						return err
					}
					return h.s.Leave(ctx, me, h.id)
				}
			}
			gone := together(t, []func() error{step(first, round%2 == 0), step(second, round%3 == 0)}, org.ErrLastOwner)
			if n := h.owners(); n != 1 || gone != 1 {
				t.Fatalf("round %d: %d went, %d owners are left", round, gone, n)
			}
			for _, id := range []string{first, second} { // all back in their places
				err := h.s.AddMember(ctx, audit.Shell(), h.id, id, org.Owner)
				if errors.Is(err, org.ErrMember) {
					_, err = h.s.SetRole(ctx, audit.Shell(), h.id, id, org.Owner)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestAnOwnerWhoCannotSignInIsNone(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		if _, err := h.s.SetRole(ctx, audit.Shell(), h.id, h.users[org.Admin], org.Owner); err != nil {
			t.Fatal(err)
		}
		set := func(status storage.Status) {
			t.Helper()
			err := db.Update(ctx, func(tx *storage.Tx) error {
				u, err := tx.User(ctx, h.users[org.Admin])
				if err != nil {
					return err
				}
				u.Status = status
				return tx.SaveUser(ctx, u)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		set(storage.Suspended)
		if err := h.s.Leave(ctx, h.as(org.Owner), h.id); !errors.Is(err, org.ErrLastOwner) {
			t.Errorf("Leave: %v, want ErrLastOwner", err)
		}
		if alone, err := db.OwnsAlone(ctx, h.users[org.Owner]); !alone || err != nil {
			t.Errorf("OwnsAlone = %v, %v, want true", alone, err)
		}
		set(storage.Active)
		if err := h.s.Leave(ctx, h.as(org.Owner), h.id); err != nil {
			t.Errorf("Leave: %v", err)
		}
	})
}

func TestARemovedMemberCanComeBack(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		for range 3 {
			if err := h.s.Remove(ctx, h.as(org.Owner), h.id, h.users[org.Member]); err != nil {
				t.Fatal(err)
			}
			if err := h.s.Remove(ctx, h.as(org.Owner), h.id, h.users[org.Member]); !errors.Is(err, org.ErrNoMember) {
				t.Errorf("Remove again: %v, want ErrNoMember", err)
			}
			added, err := h.s.Add(ctx, h.as(org.Admin), h.id, "member@example.com", org.Guest)
			if err != nil || added.Place == nil || added.Place.Member.Role != org.Guest || added.Secret != "" {
				t.Fatalf("Add = %+v, %v", added, err)
			}
			if of, err := h.s.Of(ctx, h.users[org.Member]); err != nil || len(of) != 1 || of[0].Role != org.Guest {
				t.Errorf("Of = %+v, %v", of, err)
			}
		}
	})
}

func TestOnlyRolesThatExistAreGiven(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storagetest.New(t))
	ctx, by := t.Context(), h.as(org.Owner)
	for _, role := range []org.Role{"", "Owner", "root", "owner ", "owner\x00"} {
		_, add := h.s.Add(ctx, by, h.id, "new@example.com", role)
		_, _, invite := h.s.Invite(ctx, by, h.id, "new@example.com", role)
		_, set := h.s.SetRole(ctx, by, h.id, h.users[org.Guest], role)
		for what, err := range map[string]error{
			"add": add, "invite": invite, "set": set,
			"add a user": h.s.AddMember(ctx, by, h.id, addUser(t, h.db, storage.NewID()), role),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), "role: ") {
				t.Errorf("%s %q: %v, want a refusal of the role", what, role, err)
			}
		}
	}
}

func TestAnInvitationIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		me := audit.Actor{}.As(addUser(t, db, "new@example.com"))
		for range 5 {
			i, secret, err := h.s.Invite(ctx, h.as(org.Admin), h.id, "new@example.com", org.Member)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(i.Hash, secret) || len(secret) < 26 {
				t.Fatalf("hash %q of secret %q", i.Hash, secret)
			}
			accept := func() error { _, err := h.s.Accept(ctx, me, secret); return err }
			decline := func() error { return h.s.Decline(ctx, me, secret) }
			fns := []func() error{accept, decline, accept, decline, accept, accept}
			if n := together(t, fns, org.ErrNoInvitation, org.ErrMember); n != 1 {
				t.Errorf("%d answers counted, want 1", n)
			}
			if err := h.s.Remove(ctx, audit.Shell(), h.id, me.ID); err != nil && !errors.Is(err, org.ErrNoMember) {
				t.Fatal(err)
			}
		}
	})
}

func TestOneOfManyInvitationsToAnAddressIsMade(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		var fns []func() error
		for range 10 {
			fns = append(fns, func() error {
				_, _, err := h.s.Invite(ctx, h.as(org.Owner), h.id, "new@example.com", org.Member)
				return err
			})
		}
		if n := together(t, fns, org.ErrInvited); n != 1 {
			t.Errorf("%d were made, want 1", n)
		}
	})
}

func TestAnInvitationEndsWithTheRightsOfWhoMadeIt(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		for name, end := range map[string]func(h *house) error{
			"removed": func(h *house) error { return h.s.Remove(ctx, h.as(org.Owner), h.id, h.users[org.Admin]) },
			"left":    func(h *house) error { return h.s.Leave(ctx, h.as(org.Admin), h.id) },
			"demoted": func(h *house) error {
				_, err := h.s.SetRole(ctx, h.as(org.Owner), h.id, h.users[org.Admin], org.Member)
				return err
			},
		} {
			h := newHouseIn(t, db, name)
			_, secret, err := h.s.Invite(ctx, h.as(org.Admin), h.id, "new-"+name+"@example.com", org.Member)
			if err != nil {
				t.Fatal(err)
			}
			if err := end(h); err != nil {
				t.Fatal(err)
			}
			me := audit.Actor{}.As(addUser(t, db, "new-"+name+"@example.com"))
			if _, err := h.s.Accept(ctx, me, secret); !errors.Is(err, org.ErrNoInvitation) {
				t.Errorf("%s: Accept: %v, want ErrNoInvitation", name, err)
			}
		}
	})
}

// newHouseIn is another house in the same database.
func newHouseIn(t *testing.T, db *storage.DB, name string) *house {
	t.Helper()
	h := &house{t: t, db: db, s: org.New(db), users: map[org.Role]string{}}
	for _, role := range []org.Role{org.Owner, org.Admin} {
		h.users[role] = addUser(t, db, name+"-"+string(role)+"@example.com")
	}
	o, err := h.s.Create(t.Context(), audit.Shell(), org.NewOrg{Slug: name, Name: name, OwnerID: h.users[org.Owner]})
	if err != nil {
		t.Fatal(err)
	}
	h.id = o.ID
	h.add(h.users[org.Admin], org.Admin)
	return h
}

func TestAnInvitationLastsSevenDays(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, ctx := newHouse(t, db), t.Context()
		i, secret, err := h.s.Invite(ctx, h.as(org.Owner), h.id, "new@example.com", org.Admin)
		if err != nil {
			t.Fatal(err)
		}
		if d := i.ExpiresAt.Sub(i.CreatedAt.Time); d != 7*24*time.Hour {
			t.Errorf("it lasts %v", d)
		}
		i.ExpiresAt = storage.At(time.Now())
		err = db.Update(ctx, func(tx *storage.Tx) error {
			if err := tx.DeleteInvitation(ctx, i.ID); err != nil {
				return err
			}
			return tx.InsertInvitation(ctx, i)
		})
		if err != nil {
			t.Fatal(err)
		}
		me := audit.Actor{}.As(addUser(t, db, "new@example.com"))
		if _, err := h.s.Accept(ctx, me, secret); !errors.Is(err, org.ErrNoInvitation) {
			t.Errorf("Accept: %v, want ErrNoInvitation", err)
		}
		if err := h.s.Decline(ctx, me, secret); !errors.Is(err, org.ErrNoInvitation) {
			t.Errorf("Decline: %v, want ErrNoInvitation", err)
		}
		// What has expired is listed no more, and stands in nobody's way.
		if list, err := h.s.Invitations(ctx, h.as(org.Owner), h.id, "", 10); err != nil || len(list) > 0 {
			t.Errorf("Invitations = %v, %v", list, err)
		}
		if _, _, err := h.s.Invite(ctx, h.as(org.Owner), h.id, "new@example.com", org.Admin); err != nil {
			t.Errorf("Invite again: %v", err)
		}
	})
}
