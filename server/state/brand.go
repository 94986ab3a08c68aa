package state

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"authy/server/brand"
	"authy/server/managed"
	"authy/storage"
)

func (r *run) branding() []entry {
	if r.doc.Branding == nil {
		return nil
	}
	return []entry{r.doc.Branding}
}

func (b *Branding) label() (kind, name string) { return managed.Branding, managed.BrandingID }

func (b *Branding) alias() map[string]string {
	if b.LogoFile != "" {
		return map[string]string{"logo": "logo_file"}
	}
	return nil
}

// find finds the one that there always is.
func (b *Branding) find(context.Context, *run) (string, error) { return managed.BrandingID, nil }

func (b *Branding) write(ctx context.Context, r *run, id string) (string, error) {
	known, err := r.tx.Branding(ctx)
	if err != nil {
		return "", fmt.Errorf("read the branding: %w", err)
	}
	c := brand.Change{Name: b.Name, AccentLight: b.AccentLight, AccentDark: b.AccentDark, Logo: b.picture}
	if bytes.Equal(b.picture, known.Logo) {
		c.Logo = nil
	}
	_, err = r.rules.brand.Change(ctx, r.by, c)
	return id, err
}

func (b *Branding) describe(ctx context.Context, r *run, _ string) (entry, error) {
	known, err := r.tx.Branding(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the branding: %w", err)
	}
	return describeBranding(known), nil
}

func describeBranding(known *storage.Branding) *Branding {
	b := &Branding{Logo: inLines(base64.StdEncoding.EncodeToString(known.Logo))}
	for text, to := range map[**string]string{&b.Name: known.Name, &b.AccentLight: known.AccentLight, &b.AccentDark: known.AccentDark} {
		if to != "" && (text != &b.Name || to != brand.Name) {
			*text = &to
		}
	}
	return b
}

// lineLength is how long lines of base64 are.
const lineLength = 76

func inLines(text string) string {
	var b strings.Builder
	for len(text) > lineLength {
		b.WriteString(text[:lineLength] + "\n")
		text = text[lineLength:]
	}
	if b.Len() > 0 && text != "" {
		text += "\n"
	}
	return b.String() + text
}
