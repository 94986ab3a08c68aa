package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/recipe"
	"authy/server/registry"
)

func (a *app) recipeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "recipe",
		Short: "Look at how well-known applications are set up",
		Long: `Look at how well-known applications are set up to sign people in here: what they
register as, and what goes into their own settings. 'authy client add' registers
one.`,
		Example: `  authy recipe list
  authy recipe show immich --url https://photos.example.com`,
	}
	c.AddCommand(a.listRecipesCommand(), a.showRecipeCommand(), a.recipeDocsCommand())
	return c
}

// recipeOut is a recipe in short, as programs see it.
type recipeOut struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	About string `json:"about"`
	Home  string `json:"home"`
	Guide string `json:"guide"`
}

func (a *app) listRecipesCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the applications that have a recipe",
		Example: `  authy recipe list
  authy recipe list --json | jq -r '.[].id'`,
		Args: takes(),
		RunE: func(*cobra.Command, []string) error {
			var out []recipeOut
			var rows [][]string
			for _, r := range recipe.All() {
				out = append(out, recipeOut{r.ID, r.Name, r.About.In("en"), r.Home, r.Guide})
				rows = append(rows, []string{r.ID, r.Name, r.About.In("en")})
			}
			return a.printList(asJSON, out, []string{"APP", "NAME", "WHAT IT IS"}, rows, "There are no recipes.")
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) showRecipeCommand() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:   "show APP",
		Short: "Show what an application is to be told",
		Long: `Show what an application is to be told so that it signs people in here. In place
of its client_id and secret, which it gets when it is registered, stand CLIENT_ID
and CLIENT_SECRET.`,
		Example: `  authy recipe show immich
  authy recipe show immich --url https://photos.example.com`,
		Args: takes("APP"),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := recipe.Find(args[0])
			if err != nil {
				return fmt.Errorf("%w See 'authy recipe list'", err)
			}
			if address != "" {
				if address, err = recipe.ParseURL(address); err != nil {
					return err
				}
			}
			config, err := a.ready(c.Context())
			if err != nil {
				return err
			}
			a.noteSteps(r)
			return a.printFilled(r.Fill(recipe.Values{Issuer: config.PublicURL, URL: address}))
		},
	}
	c.Flags().StringVar(&address, "url", "", "`URL` at which people open the application")
	return c
}

func (a *app) recipeDocsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "docs DIRECTORY",
		Short:   "Write the guides of all recipes as Markdown",
		Example: `  authy recipe docs docs/apps`,
		Args:    takes("DIRECTORY"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // documentation is for everybody
				return fmt.Errorf("make the directory: %w", err)
			}
			for name, text := range recipe.Guides() {
				//nolint:gosec // documentation is for everybody
				if err := os.WriteFile(filepath.Join(args[0], name), []byte(text), 0o644); err != nil {
					return fmt.Errorf("write a guide: %w", err)
				}
			}
			return nil
		},
	}
}

// addClientFlags are the flags of 'client add'.
type addClientFlags struct {
	app, url, id, name, slug string
	allow                    []string
	asJSON                   bool
}

func (a *app) addClientCommand() *cobra.Command {
	var f addClientFlags
	c := &cobra.Command{
		Use:   "add",
		Short: "Register a well-known application by its recipe",
		Long: `Register a well-known application by its recipe, and print what goes into its own
settings, with its client_id and its secret, this once. 'authy recipe list' names
the applications; 'authy client create' registers any other.`,
		Example: `  authy client add --app immich --url https://photos.example.com
  authy client add --app grafana --url https://grafana.example.com --org acme-corp --allow organization`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case f.app == "":
				return misused(c, "say which application with --app; 'authy recipe list' names them")
			case f.url == "":
				return misused(c, "say at which address people open it with --url")
			}
			return a.addClient(c.Context(), f)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().StringVar(&f.app, "app", "", "`APP` whose recipe it is")
	c.Flags().StringVar(&f.url, "url", "", "`URL` at which people open it")
	c.Flags().StringVar(&f.name, "name", "", "`NAME` that its users see (default that of the recipe)")
	c.Flags().StringVar(&f.id, "id", "", "`CLIENT_ID` (default one that is made)")
	c.Flags().StringVar(&f.slug, "org", "", "`SLUG` of the organization that it belongs to")
	c.Flags().StringSliceVar(&f.allow, "allow", nil, "`WHO` may use it: everyone, organization, or roles such as role:admin")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return c
}

func (a *app) addClient(ctx context.Context, f addClientFlags) error {
	r, err := recipe.Find(f.app)
	if err != nil {
		return fmt.Errorf("%w See 'authy recipe list'", err)
	}
	address, err := recipe.ParseURL(f.url)
	if err != nil {
		return err
	}
	in := r.Registration(address)
	in.ClientID = f.id
	if f.name != "" {
		in.Name = f.name
	}
	if len(f.allow) > 0 {
		in.Allowed = f.allow
	}
	return a.with(ctx, func(s *server.Services) (err error) {
		if in.OrganizationID, err = orgID(ctx, s, f.slug); err != nil {
			return err
		}
		client, secret, err := s.Clients.Register(ctx, audit.Shell(), in, r.IsPublic())
		if err != nil {
			return err
		}
		return a.printFromRecipe(r, s.Config.PublicURL, client, secret, f.asJSON)
	})
}

// recipeClientOut is a client that was registered by a recipe, as programs see it.
type recipeClientOut struct {
	clientOut
	Settings map[string]string `json:"settings"`
	Snippets map[string]string `json:"snippets"` // by the file that they go into
}

func (a *app) printFromRecipe(r *recipe.Recipe, issuer string, client *registry.Client, secret string, asJSON bool) error {
	a.note("Created the client %s for %s.", client.ClientID, r.Name)
	for _, relaxed := range r.Relaxed {
		a.note("It does without %s: %s", relaxed.What, relaxed.Why.In("en"))
	}
	filled := r.Fill(recipe.ValuesOf(issuer, client, secret))
	if asJSON {
		out := recipeClientOut{clientOutOf(client), map[string]string{}, map[string]string{}}
		out.Secret = secret
		for _, s := range filled.Settings {
			out.Settings[s.Name] = s.Value
		}
		for _, s := range filled.Snippets {
			out.Snippets[s.File] = s.Text
		}
		return a.printJSON(out)
	}
	a.noteSteps(r)
	return a.printFilled(filled)
}

// noteSteps says what to do at an application.
func (a *app) noteSteps(r *recipe.Recipe) {
	for i, step := range r.Steps {
		a.note("%d. %s", i+1, step.In("en"))
	}
	a.note("More: %s", r.Guide)
}

// printFilled prints what goes into the settings of an application: each file under
// its name, which goes to standard error.
func (a *app) printFilled(f recipe.Filled) error {
	if len(f.Settings) > 0 {
		rows := make([][]string, len(f.Settings))
		for i, s := range f.Settings {
			rows[i] = []string{s.Name, s.Value}
		}
		if err := a.printTable(nil, rows); err != nil {
			return err
		}
	}
	for _, s := range f.Snippets {
		a.note("\n%s:", s.File)
		if err := a.printLine(strings.TrimSuffix(s.Text, "\n")); err != nil {
			return err
		}
	}
	return nil
}
