package brand_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"regexp"
	"strings"
	"testing"

	"authy/embed"
	"authy/server/audit"
	"authy/server/brand"
	"authy/server/fault"
	"authy/storage"
	"authy/storage/storagetest"
)

func pointer(text string) *string { return &text }

func mustColor(t *testing.T, text string) brand.Color {
	t.Helper()
	c, ok := brand.ParseColor(text)
	if !ok {
		t.Fatalf("%q is no colour", text)
	}
	return c
}

// The first are examples of WCAG 2.2, Understanding 1.4.3; black on white is the most.
func TestContrastIsThatOfWCAG(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want string }{
		{"#000000", "#ffffff", "21.00"}, {"#777777", "#ffffff", "4.48"}, {"#767676", "#fff", "4.54"}, {"#fff", "#fff", "1.00"},
	} {
		got := fmt.Sprintf("%.2f", brand.Contrast(mustColor(t, c.a), mustColor(t, c.b)))
		back := fmt.Sprintf("%.2f", brand.Contrast(mustColor(t, c.b), mustColor(t, c.a)))
		if got != c.want || back != c.want {
			t.Errorf("contrast of %s and %s = %s and %s, want %s", c.a, c.b, got, back, c.want)
		}
	}
}

func TestOnlyColoursAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"#0B6b61": "#0b6b61", " #abc ": "#aabbcc", "#FFF": "#ffffff"} {
		if got := mustColor(t, text).String(); got != want {
			t.Errorf("ParseColor(%q) = %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{
		"", "#", "red", "0b6b61", "#0b6b6", "#0b6b611", "#0b6b6g", "#ab", "rgb(0,0,0)", "#000;}", "#é00", "##0000", "# 0000",
	} {
		if c, ok := brand.ParseColor(text); ok {
			t.Errorf("ParseColor(%q) = %s", text, c)
		}
	}
}

// own is what the style sheet has for a custom property in a scheme.
func own(t *testing.T, css, property string, dark bool) brand.Color {
	t.Helper()
	values := regexp.MustCompile(`--`+property+`:\s*(#[0-9a-f]{6})`).FindAllStringSubmatch(css, -1)
	if len(values) < 2 {
		t.Fatalf("the style sheet has %s %d times, want once for each scheme", property, len(values))
	}
	if dark {
		return mustColor(t, values[1][1])
	}
	return mustColor(t, values[0][1])
}

func TestTheGroundsAreThoseOfTheStyleSheet(t *testing.T) {
	t.Parallel()
	css, err := embed.Static.ReadFile("static/authy.css")
	if err != nil {
		t.Fatal(err)
	}
	b := now(t, brand.New(storagetest.New(t)))
	for scheme, p := range map[bool]brand.Palette{false: b.Light, true: b.Dark} {
		for property, got := range map[string]brand.Color{
			"accent": p.Accent, "accent-strong": p.Strong, "accent-soft": p.Soft, "on-accent": p.On,
		} {
			if want := own(t, string(css), property, scheme); got != want {
				t.Errorf("%s is %s here and %s in the style sheet, dark: %v", property, got, want, scheme)
			}
		}
		for i, property := range []string{"surface", "ground", "sunken"} {
			if want := own(t, string(css), property, scheme); brand.Grounds(scheme)[i] != want {
				t.Errorf("%s is %s here and %s in the style sheet, dark: %v", property, brand.Grounds(scheme)[i], want, scheme)
			}
		}
	}
}

func TestWhateverAccentIsTakenTextCanBeReadInIt(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	s, taken, refused := brand.New(db), 0, 0
	for red := 0; red < 256; red += 51 {
		for green := 0; green < 256; green += 51 {
			for blue := 0; blue < 256; blue += 51 {
				text := fmt.Sprintf("#%02x%02x%02x", red, green, blue)
				for _, c := range []brand.Change{{AccentLight: &text}, {AccentDark: &text}} {
					b, err := s.Try(t.Context(), audit.Shell(), c)
					if err != nil {
						refused++
						continue
					}
					taken++
					legible(t, text, b.Light, false)
					legible(t, text, b.Dark, true)
				}
			}
		}
	}
	if taken < 50 || refused < 50 {
		t.Errorf("%d were taken and %d refused", taken, refused)
	}
}

// legible checks each pair of colours that the pages put text in.
func legible(t *testing.T, from string, p brand.Palette, dark bool) {
	t.Helper()
	pairs := [][2]brand.Color{{p.On, p.Accent}, {p.On, p.Strong}, {p.Accent, p.Soft}, {p.Strong, p.Soft}}
	for _, ground := range brand.Grounds(dark) {
		pairs = append(pairs, [2]brand.Color{p.Accent, ground}, [2]brand.Color{p.Strong, ground})
	}
	for _, pair := range pairs {
		if ratio := brand.Contrast(pair[0], pair[1]); ratio < brand.Enough {
			t.Errorf("from %s, dark %v: %s on %s has the contrast %.2f", from, dark, pair[0], pair[1], ratio)
		}
	}
}

func now(t *testing.T, s *brand.Service) *brand.Brand {
	t.Helper()
	b, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func change(t *testing.T, s *brand.Service, c brand.Change) *brand.Brand {
	t.Helper()
	b, err := s.Change(t.Context(), audit.Shell(), c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABrandIsChosenChangedAndReset(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := brand.New(db)
		if b := now(t, s); b.Name != "authy" || b.Style != "" || b.Logo != nil || !b.UpdatedAt.IsZero() || !b.Follows {
			t.Errorf("before anything was chosen: %+v", b)
		}
		change(t, s, brand.Change{Name: pointer("  Acme   Inc. "), AccentLight: pointer("#7A1F5C"), Logo: picture(t, 900, 300)})
		b := now(t, s)
		if b.Name != "Acme Inc." || b.Light.Accent.String() != "#7a1f5c" || !b.Follows || b.Dark.Accent.String() == "#62cdbb" ||
			!strings.Contains(b.Style, "--accent: #7a1f5c") || b.UpdatedAt.IsZero() {
			t.Errorf("after it was chosen: %+v", b)
		}
		if size, _, err := image.DecodeConfig(bytes.NewReader(b.Logo)); err != nil || size.Width != 384 || size.Height != 128 {
			t.Errorf("the logo is %dx%d, %v", size.Width, size.Height, err)
		}
		change(t, s, brand.Change{AccentDark: pointer("#f0a6d5")})
		if again := now(t, s); again.Follows || again.Name != b.Name || again.LogoHash != b.LogoHash || again.StyleHash == b.StyleHash {
			t.Errorf("after one colour was changed: %+v", again)
		}
		change(t, s, brand.Change{Name: pointer(""), AccentLight: pointer(""), AccentDark: pointer(""), NoLogo: true})
		if b := now(t, s); b.Name != "authy" || b.Style != "" || b.Logo != nil || !b.Follows {
			t.Errorf("after all was cleared: %+v", b)
		}
		change(t, s, brand.Change{Name: pointer("Acme")})
		for range 2 { // the second does nothing
			if err := s.Reset(t.Context(), audit.Shell()); err != nil {
				t.Fatal(err)
			}
		}
		if b := now(t, s); b.Name != "authy" || !b.UpdatedAt.IsZero() {
			t.Errorf("after it was reset: %+v", b)
		}
		events, err := db.EventsMatching(t.Context(), storage.EventFilter{}, storage.EventKey{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		var actions []string
		for _, e := range events {
			actions = append([]string{e.Action}, actions...)
		}
		if got := strings.Join(actions, " "); got != "branding.update branding.update branding.update branding.update branding.reset" {
			t.Errorf("recorded were %s", got)
		}
		if first := events[len(events)-1].Details; !strings.Contains(first, `"name":"Acme Inc."`) || strings.Contains(first, "iVBOR") {
			t.Errorf("the first event says %s", first)
		}
	})
}

func TestAChangeThatChangesNothingIsNotRecorded(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	s := brand.New(db)
	logo := picture(t, 10, 10)
	for range 3 {
		change(t, s, brand.Change{Name: pointer("Acme"), Logo: logo})
	}
	events, err := db.Events(t.Context(), 10)
	if err != nil || len(events) != 1 {
		t.Errorf("%d events, %v, want 1", len(events), err)
	}
}

// picture is a PNG.
func picture(t *testing.T, width, height int) []byte {
	t.Helper()
	p := image.NewNRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		p.Set(x, 0, color.NRGBA{200, uint8(x), 40, 255})
	}
	var out bytes.Buffer
	if err := png.Encode(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatCannotBeIsRefusedByField(t *testing.T) {
	t.Parallel()
	s := brand.New(storagetest.New(t))
	whole := picture(t, 100, 100)
	for name, c := range map[string]struct {
		change      brand.Change
		field, want string
	}{
		"a pale colour": {
			brand.Change{AccentLight: pointer("#8ab4f8")},
			"accent_light",
			"On the light ground #f3f5f5 its contrast is 1.93:1, and text needs 4.5:1. Choose a darker colour.",
		},
		"a dark colour in the dark": {brand.Change{AccentDark: pointer("#0b6b61")}, "accent_dark", "Choose a brighter colour."},
		"no colour":                 {brand.Change{AccentLight: pointer("red")}, "accent_light", "Not a colour: write it like #0b6b61."},
		"a style":                   {brand.Change{AccentDark: pointer("#fff;} body{display:none}")}, "accent_dark", "Not a colour"},
		"a long name":               {brand.Change{Name: pointer(strings.Repeat("é", 41))}, "name", "at most 40"},
		"a name that turns":         {brand.Change{Name: pointer("Acme\u202eevil")}, "name", "cannot be shown"},
		"a name with NUL":           {brand.Change{Name: pointer("Ac\x00me")}, "name", "cannot be shown"},
		"a name that is no text":    {brand.Change{Name: pointer("Ac\xffme")}, "name", "cannot be shown"},
		"SVG":                       {brand.Change{Logo: []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`)}, "logo", "send PNG, JPEG or WebP"},
		"HTML":                      {brand.Change{Logo: []byte("<html>")}, "logo", "send PNG"},
		"half a picture":            {brand.Change{Logo: whole[:len(whole)-40]}, "logo", "damaged"},
		"a large file":              {brand.Change{Logo: make([]byte, brand.MaxLogo+1)}, "logo", "larger than 512 KiB"},
		"many pixels":               {brand.Change{Logo: picture(t, 2049, 1)}, "logo", "more than 2048 pixels"},
		"an empty file":             {brand.Change{Logo: []byte{}}, "logo", "send PNG"},
	} {
		_, err := s.Change(t.Context(), audit.Shell(), c.change)
		f, ok := fault.As(err)
		if !ok || len(f.Fields) != 1 || len(f.Fields[c.field]) != 1 || !strings.Contains(f.Fields[c.field][0], c.want) {
			t.Errorf("%s: %v, want %s: %s", name, err, c.field, c.want)
		}
	}
	if b := now(t, s); !b.UpdatedAt.IsZero() {
		t.Errorf("something was kept: %+v", b)
	}
}

func TestALogoIsDrawnAnewWithoutWhatElseIsInItsFile(t *testing.T) {
	t.Parallel()
	s := brand.New(storagetest.New(t))
	var jpg bytes.Buffer
	if err := jpeg.Encode(&jpg, image.NewGray(image.Rect(0, 0, 64, 32)), nil); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"PNG with a tail":  append(picture(t, 64, 32), "<script>alert(1)</script>"...),
		"JPEG with a tail": append(jpg.Bytes(), "<script>alert(1)</script>"...),
	} {
		b := change(t, s, brand.Change{Logo: data})
		size, kind, err := image.DecodeConfig(bytes.NewReader(b.Logo))
		if err != nil || kind != "png" || size.Width != 64 || bytes.Contains(b.Logo, []byte("script")) {
			t.Errorf("%s: kept is %s of %d pixels, %v", name, kind, size.Width, err)
		}
	}
}

func TestOnlyWhoAdministersMayChoose(t *testing.T) {
	t.Parallel()
	s := brand.New(storagetest.New(t))
	for _, by := range []audit.Actor{{Kind: audit.Anonymous}, audit.Actor{}.As("nobody")} {
		_, show := s.Show(t.Context(), by)
		_, try := s.Try(t.Context(), by, brand.Change{})
		_, set := s.Change(t.Context(), by, brand.Change{Name: pointer("Evil")})
		for what, err := range map[string]error{"show": show, "try": try, "change": set, "reset": s.Reset(t.Context(), by)} {
			if f, ok := fault.As(err); !ok || !f.Is(brand.ErrForbidden) {
				t.Errorf("%s may %s: %v", by.Kind, what, err)
			}
		}
	}
}

func TestOtherNodesSeeABrandAtOnce(t *testing.T) {
	t.Parallel()
	url := storagetest.URL(t, "postgres")
	open := func() *brand.Service {
		db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() }) //nolint:errcheck // a test
		if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
			t.Fatal(err)
		}
		return brand.New(db)
	}
	one, other := open(), open()
	now(t, other)
	change(t, one, brand.Change{Name: pointer("Acme")})
	for t.Context().Err() == nil && now(t, other).Name != "Acme" {
		continue // the news is on its way
	}
}

func FuzzLogo(f *testing.F) {
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8L"))
	f.Add([]byte("\xff\xd8\xff\xe0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := brand.ReadLogo(data)
		if err != nil {
			return
		}
		if size, kind, err := image.DecodeConfig(bytes.NewReader(out)); err != nil || kind != "png" || size.Width > 480 || size.Height > 128 {
			t.Errorf("made %s of %dx%d, %v", kind, size.Width, size.Height, err)
		}
	})
}
