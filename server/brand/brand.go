// Package brand is what the server is called and how it looks: a name, a logo, and a
// colour for each scheme. It decides who may choose that and what can be chosen: a
// colour that text cannot be read in is refused. It refuses to know pages and mails.
//
// Read brand.go (what there is), change.go (what can be chosen), palette.go and color.go
// (what follows from a colour), logo.go (what is made of a picture).
package brand

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"time"

	"authy/storage"
)

// Name is what a server is called that nobody has named.
const Name = storage.Unbranded

// Brand is what the server is called and how it looks. It is shared, and not changed.
type Brand struct {
	Name        string
	Light, Dark Palette
	Follows     bool // Dark was not chosen: it follows from Light
	// Logo is a PNG, nil for authy's own mark; LogoHash names its content.
	Logo     []byte
	LogoHash string
	// Style gives the pages their colours, "" for authy's own; StyleHash names its content.
	Style, StyleHash string
	UpdatedAt        time.Time // zero if nobody has chosen anything
}

// Service keeps the brand. A nil one has authy's own.
type Service struct {
	db    *storage.DB
	known atomic.Pointer[known]
}

// known is a brand and what it was made from.
type known struct {
	stored *storage.Branding
	brand  *Brand
}

// New returns the service over db.
func New(db *storage.DB) *Service { return &Service{db: db} }

// Now returns the brand as it is now.
func (s *Service) Now(ctx context.Context) (*Brand, error) {
	if s == nil {
		return brandOf(&storage.Branding{Name: Name}), nil
	}
	stored, err := s.db.Branding(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the branding: %w", err)
	}
	if k := s.known.Load(); k != nil && k.stored == stored {
		return k.brand, nil // the cache holds what this was made from
	}
	b := brandOf(stored)
	s.known.Store(&known{stored, b})
	return b, nil
}

func brandOf(stored *storage.Branding) *Brand {
	b := &Brand{Name: stored.Name, Logo: stored.Logo, UpdatedAt: stored.UpdatedAt.Time}
	var inDark Color
	inLight, chosen := ParseColor(stored.AccentLight)
	if !chosen {
		inLight = light.own.Accent
	}
	if c, ok := ParseColor(stored.AccentDark); ok {
		inDark, chosen = c, true
	} else {
		inDark, b.Follows = darkOf(inLight), true
	}
	b.Light, b.Dark = light.palette(inLight), dark.palette(inDark)
	if b.Logo != nil {
		b.LogoHash = hash(b.Logo)
	}
	if chosen {
		b.Style = styleSheet(b.Light, b.Dark)
		b.StyleHash = hash([]byte(b.Style))
	}
	return b
}

// darkOf is the accent in the dark that goes with one in the light.
func darkOf(inLight Color) Color {
	if inLight == light.own.Accent {
		return dark.own.Accent
	}
	return dark.follow(inLight)
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:6])
}
