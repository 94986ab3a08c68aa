package token

import (
	"context"
	"errors"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/org"
	"authy/storage"
	"authy/storage/storagetest"
)

// bench is a service over a database with a user who owns an organization.
type bench struct {
	*Service
	t      *testing.T
	userID string
	orgID  string
}

// each runs fn on both engines.
func each(t *testing.T, fn func(b bench)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		orgs := org.New(db)
		b := bench{Service: New(db, orgs), t: t, userID: storage.NewID()}
		long := storage.At(time.Now().Add(-time.Hour))
		b.update(func(tx *storage.Tx) error {
			return errors.Join(tx.InsertUser(t.Context(), &storage.User{
				ID: b.userID, Email: "bob@example.com", Status: storage.Active, CreatedAt: long, UpdatedAt: long,
			}), tx.SavePassword(t.Context(), &storage.Password{UserID: b.userID, Hash: "x", ChangedAt: long}))
		})
		o, err := orgs.Create(t.Context(), audit.Shell(), org.NewOrg{Slug: "own", Name: "Own", OwnerID: b.userID})
		if err != nil {
			t.Fatal(err)
		}
		b.orgID = o.ID
		fn(b)
	})
}

// update runs fn in a transaction that must succeed.
func (b bench) update(fn func(tx *storage.Tx) error) {
	b.t.Helper()
	if err := b.db.Update(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

// changeUser changes the user behind the back of every rule.
func (b bench) changeUser(change func(u *storage.User)) {
	b.t.Helper()
	b.update(func(tx *storage.Tx) error {
		u, err := tx.User(b.t.Context(), b.userID)
		if err != nil {
			return err
		}
		change(u)
		return tx.SaveUser(b.t.Context(), u)
	})
}

// owners are the user and the organization.
func (b bench) owners() []Owner { return []Owner{{UserID: b.userID}, {OrgID: b.orgID}} }

func (b bench) make(o Owner, in NewToken) (*Token, string) {
	b.t.Helper()
	in.Name, in.Scopes = "Test", []string{AuditRead}
	t, text, err := b.Make(b.t.Context(), audit.Shell(), o, in)
	if err != nil {
		b.t.Fatal(err)
	}
	return t, text
}

func (b bench) wants(what, text string, want error) {
	b.t.Helper()
	if id, err := b.Authenticate(b.t.Context(), text); !errors.Is(err, want) || (err == nil) != (id != nil) {
		b.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestATokenExpires(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		for _, o := range b.owners() {
			made, text := b.make(o, NewToken{Days: 1})
			never, forever := b.make(o, NewToken{Never: true})
			if !never.ExpiresAt.IsZero() || !made.ExpiresAt.Equal(made.CreatedAt.AddDate(0, 0, 1)) {
				b.t.Errorf("one expires at %v, never at %v", made.ExpiresAt, never.ExpiresAt)
			}
			b.wants("at first", text, nil)
			made.ExpiresAt = storage.At(time.Now())
			b.update(func(tx *storage.Tx) error { // there is no other way to hurry it
				return errors.Join(tx.DeleteAPIToken(b.t.Context(), made), tx.InsertAPIToken(b.t.Context(), made))
			})
			b.wants("at its end", text, ErrInvalid)
			b.wants("without an end", forever, nil)
			list, err := b.List(b.t.Context(), audit.Shell(), o, "", MaxTokens)
			if err != nil || len(list) != 1 || list[0].ID != never.ID {
				b.t.Errorf("the list is %v, %v, want the good one alone", list, err)
			}
		}
	})
}

func TestATokenIsAsGoodAsItsOwner(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		_, text := b.make(Owner{UserID: b.userID}, NewToken{Days: 1})
		for status, want := range map[storage.Status]error{
			storage.Suspended: ErrInvalid, storage.Inactive: ErrInvalid, storage.Pending: nil, storage.Active: nil, "unheard of": ErrInvalid,
		} {
			b.changeUser(func(u *storage.User) { u.Status = status })
			b.wants(string(status), text, want)
		}
		_, service := b.make(Owner{OrgID: b.orgID}, NewToken{Days: 1})
		for _, active := range []bool{true, false, true} {
			b.update(func(tx *storage.Tx) error {
				o, err := tx.Organization(b.t.Context(), b.orgID)
				if err != nil {
					return err
				}
				o.IsActive = active
				return tx.SaveOrganization(b.t.Context(), o)
			})
			want := error(nil)
			if !active {
				want = ErrInvalid
			}
			b.wants("of the organization", service, want)
		}
	})
}

// What was made in the millisecond of an end is over: it may have been before.
func TestATokenIsYoungerThanWhatItsUserEnded(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		for _, after := range []time.Duration{0, time.Millisecond} {
			for name, end := range map[string]func(at storage.Time){
				"signed out": func(at storage.Time) {
					b.update(func(tx *storage.Tx) error { return tx.RevokeUser(b.t.Context(), b.userID, at.Time) })
				},
				"another password": func(at storage.Time) {
					b.update(func(tx *storage.Tx) error {
						return tx.SavePassword(b.t.Context(), &storage.Password{UserID: b.userID, Hash: "y", ChangedAt: at})
					})
				},
			} {
				made, text := b.make(Owner{UserID: b.userID}, NewToken{Days: 1})
				b.wants("made after the end before it", text, nil)
				end(storage.At(made.CreatedAt.Add(after)))
				b.wants(name+" "+after.String()+" after", text, ErrInvalid)
				time.Sleep(3 * time.Millisecond) // times are kept in milliseconds
			}
		}
	})
}

func TestUseIsWrittenWithinSeconds(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		made, text := b.make(Owner{OrgID: b.orgID}, NewToken{Days: 1})
		b.wants("use", text, nil)
		list, err := b.List(b.t.Context(), audit.Shell(), Owner{OrgID: b.orgID}, "", 1)
		if err != nil || time.Since(list[0].LastUsedAt.Time) > time.Minute {
			b.t.Errorf("the list says %v, %v, want now", list[0].LastUsedAt, err)
		}
		ctx, stop := context.WithCancel(b.t.Context())
		stop()
		b.Run(ctx) // which ends at once, and writes before it does
		kept, err := b.db.APIToken(b.t.Context(), made.ID)
		if err != nil || time.Since(kept.LastUsedAt.Time) > time.Minute {
			b.t.Errorf("written %v, %v, want now", kept.LastUsedAt, err)
		}
	})
}

func TestOnlyWhoMayManagesTokens(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		mine, ours := Owner{UserID: b.userID}, Owner{OrgID: b.orgID}
		user := audit.Actor{Kind: audit.User, ID: b.userID}
		byToken, stranger := user, audit.Actor{Kind: audit.User, ID: storage.NewID()}
		byToken.TokenID = "a token"
		service := audit.Actor{}.AsService("a token", b.orgID)
		in := NewToken{Name: "x", Scopes: []string{AuditRead}, Days: 1}
		for _, c := range []struct {
			what string
			by   audit.Actor
			o    Owner
			want error
		}{
			{"the user", user, mine, nil},
			{"the owner", user, ours, nil},
			{"an operator", audit.Shell(), mine, nil},
			{"an operator", audit.Shell(), ours, nil},
			{"a stranger", stranger, mine, ErrForbidden},
			{"a stranger", stranger, ours, org.ErrNoOrg},
			{"the user's token", byToken, mine, ErrByToken},
			{"the owner's token", byToken, ours, ErrByToken},
			{"a service of its own", service, ours, ErrByToken},
			{"nobody", audit.Actor{Kind: audit.Anonymous}, mine, ErrForbidden},
			{"a client", audit.Actor{Kind: audit.Client, ID: b.userID}, mine, ErrForbidden},
			{"the user for everybody", user, Owner{}, ErrForbidden},
		} {
			if _, _, err := b.Make(b.t.Context(), c.by, c.o, in); !errors.Is(err, c.want) {
				b.t.Errorf("%s makes one of %+v: %v, want %v", c.what, c.o, err, c.want)
			}
			if _, err := b.List(b.t.Context(), c.by, c.o, "", 1); !errors.Is(err, c.want) {
				b.t.Errorf("%s lists those of %+v: %v, want %v", c.what, c.o, err, c.want)
			}
			want := c.want
			if want == nil {
				want = ErrNotFound
			}
			if err := b.Revoke(b.t.Context(), c.by, c.o, storage.NewID()); !errors.Is(err, want) {
				b.t.Errorf("%s revokes one of %+v: %v, want %v", c.what, c.o, err, want)
			}
		}
	})
}
