package account

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/fault"
)

func TestWhatAProfileMaySay(t *testing.T) {
	t.Parallel()
	tomorrow := time.Now().AddDate(0, 0, 2).Format(time.DateOnly)
	for _, c := range []struct {
		field, text string
		want        string
		ok          bool
	}{
		{"full_name", "  Zoë 🦊  ", "Zoë 🦊", true},
		{"full_name", "", "", true},
		{"full_name", strings.Repeat("é", 255), strings.Repeat("é", 255), true},
		{"full_name", strings.Repeat("x", 256), "", false},
		{"nickname", "two\nlines", "", false},
		{"nickname", "\xff", "", false},
		{"gender", strings.Repeat("x", 65), "", false},
		{"avatar_url", "https://img.example.com/a.png?b=c&d#e", "https://img.example.com/a.png?b=c&d#e", true},
		{"avatar_url", "HTTP://Img.example.com/", "http://Img.example.com/", true},
		{"avatar_url", "https://img.example.com:8443/x", "https://img.example.com:8443/x", true},
		{"avatar_url", "https://img.example.com/" + strings.Repeat("x", 500), "", false},
		{"avatar_url", "javascript:alert(1)", "", false},
		{"avatar_url", "data:image/png;base64,AAAA", "", false},
		{"avatar_url", "file:///etc/passwd", "", false},
		{"avatar_url", "//img.example.com/a.png", "", false},
		{"avatar_url", "https://bob:secret@img.example.com/", "", false},
		{"avatar_url", "https:img.example.com", "", false},
		{"avatar_url", "https://localhost/a.png", "", false},
		{"avatar_url", "https://exa mple.com/", "", false},
		{"avatar_url", "https://example.com/\x00", "", false},
		{"website", "example.com", "", false},
		{"birthdate", "1980-02-29", "1980-02-29", true},
		{"birthdate", "1980", "1980", true},
		{"birthdate", "0000-02-29", "0000-02-29", true},
		{"birthdate", "0000", "", false},
		{"birthdate", "1981-02-29", "", false},
		{"birthdate", "1980-2-9", "", false},
		{"birthdate", "1980-02", "", false},
		{"birthdate", tomorrow, "", false},
		{"birthdate", "29.2.1980", "", false},
		{"phone_number", "+41 (44) 668-18.00", "+41446681800", true},
		{"phone_number", "044 668 18 00", "", false},
		{"phone_number", "+0446681800", "", false},
		{"phone_number", "+1234567890123456", "", false},
		{"phone_number", "+41446681800;ext=1", "", false},
		{"locale", "DE-ch", "de-CH", true},
		{"locale", "de_CH", "de-CH", true},
		{"locale", "und", "", false},
		{"locale", "xx-nonsense-", "", false},
		{"locale", "../de", "", false},
		{"zoneinfo", "Europe/Zurich", "Europe/Zurich", true},
		{"zoneinfo", "UTC", "UTC", true},
		{"zoneinfo", "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires", true},
		{"zoneinfo", "Local", "", false},
		{"zoneinfo", "Europe/../UTC", "", false},
		{"zoneinfo", "/etc/passwd", "", false},
		{"zoneinfo", "Europe/Zurich\x00", "", false},
		{"email", "eve@example.com", "", false},
		{"status", "active", "", false},
	} {
		kept, err := parseProfile(map[string]string{c.field: c.text})
		f, refused := fault.As(err)
		switch {
		case c.ok && (err != nil || kept[c.field] != c.want):
			t.Errorf("%s %.40q = %q, %v, want %q", c.field, c.text, kept[c.field], err, c.want)
		case !c.ok && (!refused || len(f.Fields[c.field]) != 1):
			t.Errorf("%s %.40q: %v, want a refusal of the field", c.field, c.text, err)
		}
	}
}

func TestEveryProblemOfAProfileIsNamedAndNothingIsKept(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		u := b.create("bob@example.com")
		by := audit.Actor{Kind: audit.Anonymous}.As(u.ID)
		_, err := b.ChangeProfile(b.t.Context(), by, u.ID, map[string]string{
			"nickname": "fine", "locale": "?", "website": "?", "is_admin": "true",
		})
		f, ok := fault.As(err)
		if !ok {
			b.t.Fatal(err)
		}
		want := map[string][]string{
			"locale": {"Not a valid language, such as en or de-CH."}, "website": {"Not a valid URL."}, "is_admin": {"Unknown field."},
		}
		if diff := cmp.Diff(want, f.Fields); diff != "" {
			b.t.Errorf("fields (-want +got):\n%s", diff)
		}
		if kept, err := b.Find(b.t.Context(), u.ID); err != nil || kept.Nickname != "" {
			b.t.Errorf("nickname = %q, %v", kept.Nickname, err)
		}
	})
}

// What users may do to themselves, others may not, and administrators may.
func TestAUserIsTheirOwn(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		admin, plain := b.create("admin@example.com"), b.create("plain@example.com")
		b.promote(admin)
		nobody := audit.Actor{Kind: audit.Anonymous}
		acts := map[string]func(by audit.Actor, id string) error{
			"change": func(by audit.Actor, id string) error {
				_, err := b.ChangeProfile(ctx, by, id, map[string]string{"nickname": by.ID})
				return err
			},
			"export": func(by audit.Actor, id string) error {
				_, err := b.Export(ctx, by, id)
				return err
			},
			"delete": func(by audit.Actor, id string) error {
				if by.Kind == audit.User && by.ID == id {
					return b.DeleteSelf(ctx, by)
				}
				return b.Delete(ctx, by, id)
			},
		}
		for name, act := range acts {
			target := b.create(name + "@example.com").ID
			for _, by := range []audit.Actor{nobody, {}, nobody.As(plain.ID), nobody.AsClient(target), {Kind: audit.System + "?", ID: target}} {
				if err := act(by, target); !errors.Is(err, ErrForbidden) {
					b.t.Errorf("%s by %+v: %v, want ErrForbidden", name, by, err)
				}
			}
			if err := act(nobody.As(target), target); err != nil {
				b.t.Errorf("%s by oneself: %v", name, err)
			}
			for _, by := range []audit.Actor{audit.Shell(), nobody.As(admin.ID)} {
				if err := act(by, b.create(string(by.Kind)+name+"@example.com").ID); err != nil {
					b.t.Errorf("%s by %+v: %v", name, by, err)
				}
				if err := act(by, "nobody"); !errors.Is(err, ErrNoUser) {
					b.t.Errorf("%s of nobody: %v, want ErrNoUser", name, err)
				}
			}
		}
	})
}
