package brand

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// ErrForbidden is the answer to who does not administer the server.
var ErrForbidden = fault.New(fault.Forbidden, "forbidden", "Only administrators of the server may do this.")

// maxName is how long a name is at most, in characters: it stands beside the logo on a
// narrow screen.
const maxName = 40

// Change is what is to be another; what is nil stays as it is.
type Change struct {
	Name *string // "" is authy's own
	// AccentLight and AccentDark are colours, #rrggbb. "" is authy's own; in the dark it
	// is what follows from the other one.
	AccentLight, AccentDark *string
	Logo                    []byte // PNG, JPEG or WebP
	NoLogo                  bool
}

// Show returns the brand to who administers the server.
func (s *Service) Show(ctx context.Context, by audit.Actor) (*Brand, error) {
	if err := mayAdminister(ctx, s.db.Reader, by); err != nil {
		return nil, err
	}
	return s.Now(ctx)
}

// Try returns, to who administers the server, the brand as a change would make it.
func (s *Service) Try(ctx context.Context, by audit.Actor, c Change) (*Brand, error) {
	if err := mayAdminister(ctx, s.db.Reader, by); err != nil {
		return nil, err
	}
	stored, err := s.db.Branding(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the branding: %w", err)
	}
	tried := *stored
	if err := c.check(); err != nil {
		return nil, err
	}
	c.apply(&tried)
	return brandOf(&tried), nil
}

// Change changes the brand for who administers the server, on every node at once.
// What cannot be is a fault that names its fields.
func (s *Service) Change(ctx context.Context, by audit.Actor, c Change) (*Brand, error) {
	if err := mayAdminister(ctx, s.db.Reader, by); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil { // before the transaction: drawing takes a while
		return nil, err
	}
	now := steady.Now()
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := mayAdminister(ctx, tx.Reader, by); err != nil {
			return err
		}
		stored, err := tx.Branding(ctx)
		if err != nil {
			return err
		}
		changed := c.apply(stored)
		if len(changed) == 0 {
			return nil
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.Branding, managed.BrandingID, slices.Collect(maps.Keys(changed))...); err != nil {
			return err
		}
		stored.UpdatedAt = storage.At(now)
		if err := tx.SaveBranding(ctx, stored); err != nil {
			return fmt.Errorf("save the branding: %w", err)
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "branding.update", TargetKind: "branding", Details: changed,
		})
	})
	if err != nil {
		return nil, err
	}
	return s.Now(ctx)
}

// Reset has the server be called and look as authy does, for who administers it.
func (s *Service) Reset(ctx context.Context, by audit.Actor) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := mayAdminister(ctx, tx.Reader, by); err != nil {
			return err
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.Branding, managed.BrandingID); err != nil {
			return err
		}
		deleted, err := tx.DeleteBranding(ctx)
		if err != nil || !deleted {
			return err
		}
		return audit.Record(ctx, tx, by, now, audit.Event{Action: "branding.reset", TargetKind: "branding"})
	})
}

// check refuses what cannot be, and draws the logo anew.
func (c *Change) check() error {
	problems := map[string][]string{}
	if c.Name != nil {
		name := strings.Join(strings.Fields(*c.Name), " ")
		c.Name = &name
		if problem := nameProblem(name); problem != "" {
			problems["name"] = []string{problem}
		}
	}
	for field, at := range map[string]struct {
		color **string
		s     scheme
	}{"accent_light": {&c.AccentLight, light}, "accent_dark": {&c.AccentDark, dark}} {
		if problem := checkColor(at.color, at.s); problem != "" {
			problems[field] = []string{problem}
		}
	}
	if c.Logo != nil && !c.NoLogo {
		drawn, err := readLogo(c.Logo)
		if f, ok := fault.As(err); ok {
			problems["logo"] = f.Fields["logo"]
		}
		c.Logo = drawn
	}
	return fault.Fields(problems)
}

// checkColor writes a colour in its one form, and says why it cannot be.
func checkColor(at **string, s scheme) string {
	if *at == nil || **at == "" {
		return ""
	}
	color, ok := ParseColor(**at)
	if !ok {
		return "Not a colour: write it like " + s.own.Accent.String() + "."
	}
	text := color.String()
	*at = &text
	return s.problem(color)
}

// nameProblem says why a server cannot be called so. Marks that turn the direction of
// text could make what stands beside it seem another.
func nameProblem(name string) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	switch {
	case utf8.RuneCountInString(name) > maxName:
		return "Must be at most 40 characters."
	case !utf8.ValidString(name) || strings.ContainsFunc(name, odd):
		return "Holds characters that cannot be shown."
	}
	return ""
}

// apply changes b as c, which was checked, says, and returns what that is about.
func (c Change) apply(b *storage.Branding) map[string]string {
	changed := map[string]string{}
	set := func(name string, to *string, from *string) {
		if to != nil && *to != *from {
			*from, changed[name] = *to, *to
		}
	}
	if c.Name != nil && *c.Name == "" {
		own := Name
		c.Name = &own
	}
	if c.AccentLight != nil && *c.AccentLight == light.own.Accent.String() {
		c.AccentLight = new(string)
	}
	set("name", c.Name, &b.Name)
	set("accent_light", c.AccentLight, &b.AccentLight)
	set("accent_dark", c.AccentDark, &b.AccentDark)
	switch {
	case c.NoLogo && b.Logo != nil:
		b.Logo, changed["logo"] = nil, "removed"
	case c.Logo != nil && !c.NoLogo && hash(c.Logo) != hash(b.Logo):
		b.Logo, changed["logo"] = c.Logo, hash(c.Logo)
	}
	return changed
}

func mayAdminister(ctx context.Context, r storage.Reader, by audit.Actor) error {
	may, err := by.Administers(ctx, r)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}
