package brand

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
)

// Color is a colour in sRGB: red, green and blue.
type Color [3]uint8

// ParseColor reads #rrggbb or #rgb; false for anything else.
func ParseColor(text string) (c Color, ok bool) {
	digits, ok := strings.CutPrefix(strings.TrimSpace(text), "#")
	if len(digits) == 3 {
		d := digits
		digits = d[:1] + d[:1] + d[1:2] + d[1:2] + d[2:] + d[2:]
	}
	if !ok || len(digits) != 6 {
		return c, false
	}
	n, err := hex.Decode(c[:], []byte(digits))
	return c, err == nil && n == len(c)
}

// mustColor is [ParseColor] of what is written in the program.
func mustColor(text string) Color {
	c, ok := ParseColor(text)
	if !ok {
		panic("impossible: " + text + " is no colour")
	}
	return c
}

// String returns the colour as #rrggbb.
func (c Color) String() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

// luminance is how bright a colour is, from 0 to 1 (WCAG 2.2, relative luminance).
func (c Color) luminance() float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// Contrast is how far apart two colours are, from 1 to 21 (WCAG 2.2, contrast ratio).
func Contrast(a, b Color) float64 {
	bright, dark := a.luminance(), b.luminance()
	if bright < dark {
		bright, dark = dark, bright
	}
	return (bright + 0.05) / (dark + 0.05)
}

// mix is c with a part of other in it, from 0 for c to 1 for other.
func (c Color) mix(other Color, part float64) Color {
	var out Color
	for i := range c {
		out[i] = uint8(math.Round(float64(c[i])*(1-part) + float64(other[i])*part))
	}
	return out
}
