package servertest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"authy/server/audit"
	"authy/server/org"
	"authy/storage"
)

func orgRaces() []race {
	return []race{
		{"a slug", raceForASlug},
		{"an invitation accepted", raceToAccept},
		{"the last owners leave", raceToLeave},
		{"an owner leaves twice", raceToLeaveTwice},
		{"ownership handed to who leaves", raceToHandOver},
		{"owners who lower each other", raceToLower},
		{"a role lowered while it grants", raceToGrant},
	}
}

func raceForASlug(k *track) func() heat {
	return func() heat {
		slug := fmt.Sprintf("slug-%d", k.round)
		var asks []ask
		for _, name := range []string{"one", "two"} {
			token := k.session(k.user(name))
			asks = append(asks, same(2, ask{token, "POST", orgsPath, object{"name": name, "slug": slug}})...)
		}
		return heat{asks, k.oneOf(201, conflict, func(_ int, o outcome) {
			found, err := k.s().Orgs.BySlug(k.t.Context(), slug)
			k.must(err)
			if got := k.roles(found.ID); found.ID != o.text("organization", "id") || !slices.Equal(got, []org.Role{org.Owner}) {
				k.t.Errorf("%s, but the slug is of %s with %v", o.Raw, found.ID, got)
			}
		})}
	}
}

// house makes an organization with an owner and others, and is its path.
func (k *track) house(owner *storage.User, others map[*storage.User]org.Role) (id, path string) {
	k.t.Helper()
	slug := strings.TrimSuffix(k.email("house"), "@example.com")
	o, err := k.s().Orgs.Create(k.t.Context(), audit.Shell(), org.NewOrg{
		Slug: slug[:min(len(slug), 63)], Name: "House", OwnerID: owner.ID,
	})
	k.must(err)
	for u, role := range others {
		k.must(k.s().Orgs.AddMember(k.t.Context(), audit.Shell(), o.ID, u.ID, role))
	}
	return o.ID, orgsPath + "/" + o.ID
}

// raze deletes an organization, so that nobody comes to be in thousands.
func (k *track) raze(id string) {
	k.t.Helper()
	k.must(k.s().Orgs.Delete(k.t.Context(), audit.Shell(), id))
}

// roles are those of the members of an organization, in order.
func (k *track) roles(id string) []org.Role {
	k.t.Helper()
	places, err := k.s().Orgs.Members(k.t.Context(), audit.Shell(), id, "", 100)
	k.must(err)
	roles := make([]org.Role, len(places))
	for i, p := range places {
		roles[i] = p.Member.Role
	}
	slices.Sort(roles)
	return roles
}

// role is that of a user, "" for none.
func (k *track) role(id string, u *storage.User) org.Role {
	k.t.Helper()
	m, err := k.s().DB.Member(k.t.Context(), id, u.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return ""
	}
	k.must(err)
	return m.Role
}

// holds wants an organization to have members of just these roles.
func (k *track) holds(id string, want ...org.Role) {
	k.t.Helper()
	slices.Sort(want)
	if got := k.roles(id); !slices.Equal(got, want) {
		k.t.Errorf("the roles are %v, want %v", got, want)
	}
}

func raceToAccept(k *track) func() heat {
	owner, guest := k.user("owner"), k.user("invited")
	tokens := []string{k.session(guest), k.session(guest)}
	return func() heat {
		id, _ := k.house(owner, nil)
		_, secret, err := k.s().Orgs.Invite(k.t.Context(), audit.Shell(), id, guest.Email, org.Member)
		k.must(err)
		var asks []ask
		for _, token := range tokens {
			asks = append(asks, same(2, ask{token, "POST", "/api/v1/invitations/accept", object{"token": secret}})...)
		}
		return heat{asks, k.oneOf(200, []string{"404 NOT_FOUND"}, func(int, outcome) {
			k.holds(id, org.Owner, org.Member)
			if _, err := k.s().DB.InvitationByHash(k.t.Context(), storage.Hash(secret)); !errors.Is(err, storage.ErrNotFound) {
				k.t.Errorf("the invitation is still there: %v", err)
			}
			k.raze(id)
		})}
	}
}

// Two owners, each twice: one may go.
func raceToLeave(k *track) func() heat {
	one, two := k.user("one"), k.user("two")
	first, second := k.session(one), k.session(two)
	return func() heat {
		id, path := k.house(one, map[*storage.User]org.Role{two: org.Owner})
		asks := []ask{
			{first, "POST", path + "/leave", nil},
			{second, "POST", path + "/leave", nil},
			{first, "POST", path + "/leave", nil},
			{second, "POST", path + "/leave", nil},
		}
		return heat{asks, k.oneOf(200, []string{"404 NOT_FOUND", "409 CONFLICT"}, func(winner int, _ outcome) {
			k.holds(id, org.Owner)
			if stays := []*storage.User{two, one}[winner%2]; k.role(id, stays) != org.Owner {
				k.t.Errorf("%s, who stays, is no owner", stays.Email)
			}
			k.raze(id)
		})}
	}
}

func raceToLeaveTwice(k *track) func() heat {
	one, two := k.user("one"), k.user("two")
	token := k.session(two)
	return func() heat {
		id, path := k.house(one, map[*storage.User]org.Role{two: org.Owner})
		return heat{same(4, ask{token, "POST", path + "/leave", nil}), k.oneOf(200, []string{"404 NOT_FOUND"}, func(int, outcome) {
			k.holds(id, org.Owner)
			k.raze(id)
		})}
	}
}

// Either the heir has gone before they could be made an owner, or they are the
// only owner and cannot go.
func raceToHandOver(k *track) func() heat {
	owner, heir := k.user("owner"), k.user("heir")
	token, leaving := k.session(owner), k.session(heir)
	return func() heat {
		id, path := k.house(owner, map[*storage.User]org.Role{heir: org.Member})
		asks := []ask{
			{token, "POST", path + "/transfer", object{"user_id": heir.ID}}, {leaving, "POST", path + "/leave", nil},
		}
		return heat{asks, k.oneOf(200, []string{"404 NOT_FOUND", "409 CONFLICT"}, func(winner int, _ outcome) {
			if winner == 0 {
				k.holds(id, org.Owner, org.Admin)
			} else {
				k.holds(id, org.Owner)
			}
			k.raze(id)
		})}
	}
}

func raceToLower(k *track) func() heat {
	one, two := k.user("one"), k.user("two")
	first, second := k.session(one), k.session(two)
	return func() heat {
		id, path := k.house(one, map[*storage.User]org.Role{two: org.Owner})
		lower := func(token string, u *storage.User) ask {
			return ask{token, "PATCH", path + "/members/" + u.ID + "/role", object{"role": "member"}}
		}
		asks := []ask{lower(first, two), lower(second, one)}
		return heat{asks, k.oneOf(200, []string{"403 AUTHORIZATION_ERROR"}, func(int, outcome) {
			k.holds(id, org.Owner, org.Member)
			k.raze(id)
		})}
	}
}

// An admin grants roles while an owner makes them a guest. What was granted
// before stays; what was refused is not there; afterwards nothing is granted.
func raceToGrant(k *track) func() heat {
	owner, admin := k.user("owner"), k.user("admin")
	guests := []*storage.User{k.user("guest0"), k.user("guest1"), k.user("guest2")}
	token, granting := k.session(owner), k.session(admin)
	return func() heat {
		others := map[*storage.User]org.Role{admin: org.Admin}
		for _, u := range guests {
			others[u] = org.Guest
		}
		id, path := k.house(owner, others)
		set := func(token string, u *storage.User, role string) ask {
			return ask{token, "PATCH", path + "/members/" + u.ID + "/role", object{"role": role}}
		}
		asks := []ask{
			set(granting, guests[0], "member"), set(token, admin, "guest"), set(granting, guests[1], "member"),
		}
		return heat{asks, func(answers []outcome) {
			if answers[1].Code != 200 || k.role(id, admin) != org.Guest {
				k.t.Errorf("the admin is %s: %s", k.role(id, admin), answers[1].Raw)
			}
			for i, at := range []int{0, 2} {
				want := map[int]org.Role{200: org.Member, 403: org.Guest}[answers[at].Code]
				if got := k.role(id, guests[i]); got != want {
					k.t.Errorf("guest %d is %s: %s", i, got, answers[at].Raw)
				}
			}
			late := k.answers([]ask{set(granting, guests[2], "member")})
			late[0].failed(403, "AUTHORIZATION_ERROR", "")
			k.raze(id)
		}}
	}
}
