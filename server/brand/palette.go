package brand

import (
	"fmt"
	"strings"
)

// Enough is the contrast that text must have (WCAG 2.2, success criterion 1.4.3).
const Enough = 4.5

// Palette is what follows from an accent in one scheme, by the names that the
// style sheet has for it.
type Palette struct {
	Accent Color // links, and the ground of buttons
	Strong Color // the same under the pointer
	Soft   Color // the ground of what is marked
	On     Color // text on Accent
}

// scheme is one of the two schemes of the pages.
type scheme struct {
	name    string
	grounds []Color // that text in the accent stands on; the style sheet has them
	own     Palette // authy's
}

var (
	white = mustColor("#ffffff")
	black = mustColor("#000000")
	night = mustColor("#0b1214") // text on a bright button

	light = scheme{
		name: "light", grounds: []Color{mustColor("#ffffff"), mustColor("#f5f6f6"), mustColor("#f3f5f5")},
		own: Palette{mustColor("#0b6b61"), mustColor("#085148"), mustColor("#e3f1ef"), white},
	}
	dark = scheme{
		name: "dark", grounds: []Color{mustColor("#181d1d"), mustColor("#0f1313"), mustColor("#111616")},
		own: Palette{mustColor("#62cdbb"), mustColor("#8adfd0"), mustColor("#17332f"), mustColor("#06221e")},
	}
)

// least is the smallest contrast of a colour with the grounds of the scheme, and the
// ground that it has it with.
func (s scheme) least(c Color) (ratio float64, ground Color) {
	for i, g := range s.grounds {
		if r := Contrast(c, g); i == 0 || r < ratio {
			ratio, ground = r, g
		}
	}
	return ratio, ground
}

// Unreadable says whether text in a colour, written #rrggbb, could not be read on the pages
// of a scheme, and the least contrast that it has there.
func Unreadable(text string, inDark bool) (ratio string, unreadable bool) {
	s := light
	if inDark {
		s = dark
	}
	c, ok := ParseColor(text)
	least, _ := s.least(c)
	return fmt.Sprintf("%.2f", least), ok && least < Enough
}

// problem says why a colour cannot be the accent of the scheme, "" if it can.
func (s scheme) problem(c Color) string {
	ratio, ground := s.least(c)
	if ratio >= Enough {
		return ""
	}
	change := "darker"
	if s.name == dark.name {
		change = "brighter"
	}
	return fmt.Sprintf("On the %s ground %s its contrast is %.2f:1, and text needs 4.5:1. Choose a %s colour.",
		s.name, ground, ratio, change)
}

// palette is what follows from an accent that the scheme can have.
func (s scheme) palette(accent Color) Palette {
	if accent == s.own.Accent {
		return s.own
	}
	p := Palette{Accent: accent, On: white, Strong: accent.mix(black, 0.22)}
	if Contrast(night, accent) > Contrast(white, accent) {
		p.On, p.Strong = night, accent.mix(white, 0.28)
	}
	// As much of the accent in the ground as leaves it legible there.
	for percent := 16; percent >= 0; percent-- {
		p.Soft = s.grounds[0].mix(accent, float64(percent)/100)
		if Contrast(accent, p.Soft) >= Enough {
			break
		}
	}
	return p
}

// follow is the colour nearest to c that the scheme can have as its accent.
func (s scheme) follow(c Color) Color {
	toward := black
	if s.name == dark.name {
		toward = white
	}
	for part := 0.0; part < 1; part += 0.02 {
		if near := c.mix(toward, part); s.problem(near) == "" {
			return near
		}
	}
	return toward
}

// declarations are the custom properties of a palette.
func (p Palette) declarations() string {
	return fmt.Sprintf("--accent: %s; --accent-strong: %s; --accent-soft: %s; --on-accent: %s;", p.Accent, p.Strong, p.Soft, p.On)
}

// styleSheet gives the pages their colours.
func styleSheet(l, d Palette) string {
	return ":root { " + l.declarations() + " }\n" +
		"@media (prefers-color-scheme: dark) { :root { " + d.declarations() + " } }\n"
}

// PreviewOf is [Preview] of two accents, written #rrggbb; false for those that cannot be.
func PreviewOf(inLight, inDark string) (string, bool) {
	l, first := ParseColor(inLight)
	d, second := ParseColor(inDark)
	if !first || !second || light.problem(l) != "" || dark.problem(d) != "" {
		return "", false
	}
	return Preview(light.palette(l), dark.palette(d)), true
}

// Preview is a style sheet for two parts of a page that show both schemes beside each
// other, whichever the reader has: those of the classes light and dark in brand-preview.
func Preview(l, d Palette) string {
	part := func(s scheme, p Palette) string {
		return fmt.Sprintf(".brand-preview .%s { color-scheme: %[1]s; %s }\n", s.name, p.declarations())
	}
	return strings.Join([]string{part(light, l), part(dark, d)}, "")
}
