package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"authy/server/managed"
	"authy/server/org"
	"authy/storage"
)

// What an exception for a member is, in words that "+" joins. One of the policy alone is none.
const (
	forceTOTP     = "totp"
	forceWebAuthn = "webauthn"
)

// exceptionWords are those that there are, of which the first and the second stand alone.
var exceptionWords = []string{org.OverrideInherit, org.OverrideExempt, org.OverrideRequired, forceTOTP, forceWebAuthn}

// exceptionOf reads the words of an exception; it says whether they are some.
func exceptionOf(text string) (o org.Override, ok bool) {
	o.Mode = org.OverrideInherit
	words := strings.Split(text, "+")
	for i, word := range words {
		switch {
		case slices.Contains(words[:i], word):
			return o, false
		case word == forceTOTP:
			o.ForceTOTP = true
		case word == forceWebAuthn:
			o.ForceWebAuthn = true
		case word == org.OverrideRequired && i == 0, slices.Contains(exceptionWords[:2], word) && len(words) == 1:
			o.Mode = word
		default:
			return o, false
		}
	}
	return o, true
}

func isException(text string) bool { _, ok := exceptionOf(text); return ok }

// exceptionText is the words of an exception.
func exceptionText(o org.Override) string {
	var words []string
	if o.Mode != org.OverrideInherit {
		words = append(words, o.Mode)
	}
	if o.ForceTOTP {
		words = append(words, forceTOTP)
	}
	if o.ForceWebAuthn {
		words = append(words, forceWebAuthn)
	}
	if len(words) == 0 {
		return org.OverrideInherit
	}
	return strings.Join(words, "+")
}

// exceptions has what is asked of single members be what the document says. They are those of
// their organization, which the file sets.
func (r *run) exceptions(ctx context.Context) error {
	for _, o := range r.doc.Organizations {
		var fields []Field
		for _, email := range slices.Sorted(maps.Keys(o.Exceptions)) {
			f, err := r.settleException(ctx, o, email)
			if err != nil && !errors.Is(err, errRefused) {
				return err
			}
			if f != nil {
				fields = append(fields, *f)
			}
		}
		for _, email := range o.dropped {
			f, err := r.dropException(ctx, o, email)
			if err != nil {
				return err
			}
			if f != nil {
				fields = append(fields, *f)
			}
		}
		r.addFields(managed.Organization, o.Slug, fields)
	}
	return nil
}

// settleException returns what changes, nil for nothing. Who was a member when the exception was
// set, and has gone since, is no mistake of the file: it would stop the next start.
func (r *run) settleException(ctx context.Context, o *Organization, email string) (*Field, error) {
	if slices.Contains(o.excepted, email) {
		if is, err := r.isMember(ctx, o, email); err != nil {
			return nil, err
		} else if !is {
			r.plan.Notes = append(r.plan.Notes, fmt.Sprintf(
				"Nobody with the address %s is a member of %s any more: the exception waits until they are; take it out if they do not come back.", email, o.Slug))
			return nil, nil //nolint:nilnil // nothing changes
		}
	}
	path := join(join(o.path, "exceptions"), email)
	m := &member{object: object{path: path}, org: o.Slug, Email: email}
	orgID, user, err := m.place(ctx, r)
	if err != nil {
		return nil, err
	}
	userID := user.ID
	if _, err := r.tx.Member(ctx, orgID, userID); errors.Is(err, storage.ErrNotFound) {
		r.source.note(path, "nobody with this address is a member of %s; add them under members", o.Slug)
		return nil, errRefused
	} else if err != nil {
		return nil, fmt.Errorf("look member %s of %s up: %w", email, o.Slug, err)
	}
	known, err := r.exception(ctx, orgID, userID)
	if err != nil {
		return nil, err
	}
	wanted, _ := exceptionOf(o.Exceptions[email]) // it was checked
	if wanted == known {
		return nil, nil //nolint:nilnil // nothing changes
	}
	err = r.rules.Orgs.SetOverride(ctx, r.by, orgID, userID, wanted)
	if err := r.source.refused(path, nil, err); err != nil {
		return nil, fmt.Errorf("exception for %s in %s: %w", email, o.Slug, err)
	}
	if err != nil {
		return nil, errRefused
	}
	text := func(o org.Override) string {
		if o == (org.Override{Mode: org.OverrideInherit}) {
			return ""
		}
		return quoted(exceptionText(o))
	}
	return &Field{Key: join("exceptions", email), Before: text(known), After: text(wanted)}, nil
}

// recall finds out whose exceptions the file has set before, by its mark.
func (o *Organization) recall(mark *managed.Mark) {
	o.excepted, o.dropped = nil, nil
	if mark == nil {
		return
	}
	for _, field := range mark.Fields {
		email, is := strings.CutPrefix(field, org.ExceptionOf(""))
		if !is {
			continue
		}
		o.excepted = append(o.excepted, email)
		if _, said := o.Exceptions[email]; !said {
			o.dropped = append(o.dropped, email)
		}
	}
}

// isMember says whether somebody with an address is a member of an organization.
func (r *run) isMember(ctx context.Context, o *Organization, email string) (bool, error) {
	user, err := r.tx.UserByEmail(ctx, email)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look user %s up: %w", email, err)
	}
	orgID, err := r.orgID(ctx, o.path, o.Slug)
	if err != nil {
		return false, err
	}
	_, err = r.tx.Member(ctx, orgID, user.ID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return false, fmt.Errorf("look member %s of %s up: %w", email, o.Slug, err)
	}
	return err == nil, nil
}

// dropException takes an exception back that the file says no more, or notes that it is left.
func (r *run) dropException(ctx context.Context, o *Organization, email string) (*Field, error) {
	user, err := r.tx.UserByEmail(ctx, email)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil //nolint:nilnil // it went with them
	}
	if err != nil {
		return nil, fmt.Errorf("look user %s up: %w", email, err)
	}
	orgID, err := r.orgID(ctx, o.path, o.Slug)
	if err != nil {
		return nil, err
	}
	known, err := r.exception(ctx, orgID, user.ID)
	if err != nil || known == (org.Override{Mode: org.OverrideInherit}) {
		return nil, err
	}
	if !r.options.Prune {
		r.plan.Left = append(r.plan.Left, fmt.Sprintf("exception %q of %s", email, o.Slug))
		return nil, nil //nolint:nilnil // nothing changes
	}
	if err := r.rules.Orgs.SetOverride(ctx, r.by, orgID, user.ID, org.Override{Mode: org.OverrideInherit}); err != nil {
		return nil, fmt.Errorf("take back the exception for %s in %s: %w", email, o.Slug, err)
	}
	return &Field{Key: join("exceptions", email), Before: quoted(exceptionText(known))}, nil
}

// exception is what is asked of a member here.
func (r *run) exception(ctx context.Context, orgID, userID string) (org.Override, error) {
	known, err := r.tx.MFAOverride(ctx, orgID, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return org.Override{Mode: org.OverrideInherit}, nil
	}
	if err != nil {
		return org.Override{}, fmt.Errorf("read what %s asks of %s: %w", orgID, userID, err)
	}
	return org.Override{Mode: known.Mode, ForceTOTP: known.ForceTOTP, ForceWebAuthn: known.ForceWebAuthn}, nil
}

// addFields adds to the plan what changes of an object besides what is there already.
func (r *run) addFields(kind, name string, fields []Field) {
	if len(fields) == 0 {
		return
	}
	for i := range r.plan.Changes {
		if c := &r.plan.Changes[i]; c.Kind == kind && c.Name == name {
			c.Fields = append(c.Fields, fields...)
			return
		}
	}
	r.plan.Changes = append(r.plan.Changes, Change{Action: Changed, Kind: kind, Name: name, Fields: fields})
}

// readExceptions are those for members by their addresses.
func (r *run) readExceptions(ctx context.Context, orgID string, members map[string]string) (map[string]string, error) {
	all, err := r.tx.MFAOverrides(ctx, orgID)
	if err != nil {
		return nil, fmt.Errorf("list what %s asks of single members: %w", orgID, err)
	}
	out := map[string]string{}
	for _, one := range all {
		o := org.Override{Mode: one.Mode, ForceTOTP: one.ForceTOTP, ForceWebAuthn: one.ForceWebAuthn}
		user, err := r.tx.User(ctx, one.UserID)
		if err != nil {
			return nil, fmt.Errorf("look user %s up: %w", one.UserID, err)
		}
		if _, named := members[user.Email]; named && o != (org.Override{Mode: org.OverrideInherit}) {
			out[user.Email] = exceptionText(o)
		}
	}
	return out, nil
}
