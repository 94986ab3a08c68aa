package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/brand"
	"authy/server/managed"
)

func (a *app) brandCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "brand",
		Short: "Choose what the server is called and how it looks",
		Long: `Choose what the server is called and how it looks: its name, its logo and its
colours, on pages, in mails and in authenticator apps. A server that runs shows it
at once, on every node.`,
		Example: `  authy brand show
  authy brand set --name Acme --accent '#7a1f5c' --logo acme.png
  authy brand reset`,
	}
	c.AddCommand(a.showBrandCommand(), a.setBrandCommand(), a.resetBrandCommand())
	return c
}

// brandOut is the brand as programs see it.
type brandOut struct {
	Name        string     `json:"name"`
	AccentLight string     `json:"accent_light"`
	AccentDark  string     `json:"accent_dark"`
	DarkFollows bool       `json:"dark_follows"`
	Logo        bool       `json:"logo"`
	UpdatedAt   *time.Time `json:"updated_at"`
	ManagedBy   string     `json:"managed_by,omitempty"`
}

func (a *app) printBrand(b *brand.Brand, file string, asJSON bool) error {
	if asJSON {
		return a.printJSON(brandOut{
			b.Name, b.Light.Accent.String(), b.Dark.Accent.String(), b.Follows, b.Logo != nil, instantOrNull(b.UpdatedAt), file,
		})
	}
	inDark, logo := b.Dark.Accent.String(), "none"
	if b.Follows {
		inDark += " (follows)"
	}
	if b.Logo != nil {
		logo = fmt.Sprintf("PNG, %d bytes", len(b.Logo))
	}
	return a.printTable(nil, append([][]string{
		{"Name", b.Name},
		{"Accent", b.Light.Accent.String()},
		{"Accent in the dark", inDark},
		{"Logo", logo},
		{"Changed", instant(b.UpdatedAt)},
	}, setByRow(file)...))
}

func (a *app) showBrandCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show",
		Short: "Show what the server is called and how it looks",
		Example: `  authy brand show
  authy brand show --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			return a.with(ctx, func(s *server.Services) error {
				b, err := s.Brand.Show(ctx, audit.Shell())
				if err != nil {
					return err
				}
				file, err := setByFile(ctx, s, managed.Branding, managed.BrandingID)
				if err != nil {
					return err
				}
				return a.printBrand(b, file, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) setBrandCommand() *cobra.Command {
	var logo string
	var noLogo, asJSON bool
	c := &cobra.Command{
		Use:   "set",
		Short: "Change what the server is called and how it looks",
		Long: `Change what the server is called and how it looks; what you leave out stays as it
is, and what you give as '' becomes authy's own.

A colour that text could not be read in is refused, with its contrast: it must be
4.5:1 on the grounds of its scheme. The colour in the dark follows from the other
unless you give one. The logo is a PNG, JPEG or WebP of at most 512 KiB and 2048
pixels; it is drawn anew, 128 pixels high at most. SVG can hold scripts and is not
taken.`,
		Example: `  authy brand set --name Acme
  authy brand set --accent '#7a1f5c' --accent-dark '#f0a6d5'
  authy brand set --logo acme.png
  authy brand set --no-logo --accent ''`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			change := brand.Change{NoLogo: noLogo}
			for flag, to := range map[string]**string{
				"name": &change.Name, "accent": &change.AccentLight, "accent-dark": &change.AccentDark,
			} {
				if f := c.Flags().Lookup(flag); f.Changed {
					text := f.Value.String()
					*to = &text
				}
			}
			if logo != "" && noLogo {
				return misused(c, "--logo and --no-logo exclude each other")
			}
			if change.Name == nil && change.AccentLight == nil && change.AccentDark == nil && !noLogo && logo == "" {
				return misused(c, "say what to change: --name, --accent, --accent-dark, --logo or --no-logo")
			}
			return a.setBrand(c.Context(), change, logo, asJSON)
		},
	}
	c.Flags().String("name", "", "what the server is called")
	c.Flags().String("accent", "", "the `COLOUR` of links and buttons, #rrggbb")
	c.Flags().String("accent-dark", "", "the same `COLOUR` where pages are dark")
	c.Flags().StringVar(&logo, "logo", "", "a `FILE` with the logo")
	c.Flags().BoolVar(&noLogo, "no-logo", false, "take the logo away")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) setBrand(ctx context.Context, change brand.Change, logo string, asJSON bool) (err error) {
	if logo != "" {
		if change.Logo, err = readLogo(logo); err != nil {
			return err
		}
	}
	return a.with(ctx, func(s *server.Services) error {
		b, err := s.Brand.Change(ctx, audit.Shell(), change)
		if err != nil {
			return err
		}
		file, err := setByFile(ctx, s, managed.Branding, managed.BrandingID)
		if err != nil {
			return err
		}
		return a.printBrand(b, file, asJSON)
	})
}

// readLogo reads a file, and no more of it than a logo may have.
func readLogo(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the logo: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, brand.MaxLogo+1))
	if err != nil {
		return nil, fmt.Errorf("read the logo: %w", err)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("read the logo: %s is empty", path)
	}
	return data, nil
}

func (a *app) resetBrandCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use:   "reset",
		Short: "Have the server be called and look as authy does",
		Example: `  authy brand reset
  authy brand reset --yes`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			question := "Delete the server's name, colours and logo, for good?"
			return a.ifConfirmed(c, y, question, func(s *server.Services) error {
				if err := s.Brand.Reset(c.Context(), audit.Shell()); err != nil {
					return err
				}
				a.note("The server is called and looks as authy does.")
				return nil
			})
		},
	}
	y.add(c)
	return c
}
