// Package recipe knows how well-known applications are set up to sign people in here: what each
// registers as, and what to put into its own settings. One file under embed/recipes says both;
// the command line, the API, the pages and the guides in docs/apps are made from it.
//
// It keeps nothing and asks nobody: a client is registered by server/registry.
//
// Read recipe.go (what a recipe is), client.go (the client that comes of it), fill.go (what the
// application is told), guide.go (the pages of docs/apps).
package recipe

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"authy/embed"
	"authy/server/fault"
	"authy/server/registry"
)

// ErrNoRecipe says that an application is not among those that have a recipe.
var ErrNoRecipe = fault.New(fault.NotFound, "recipe_not_found", "There is no recipe for this application.")

// Recipe is how one application is set up, on both sides. The texts that go into its settings
// hold placeholders, which [Recipe.Fill] replaces.
type Recipe struct {
	ID      string `toml:"-"` // the name of its file
	Name    string `toml:"name"`
	Home    string `toml:"home"`
	Guide   string `toml:"guide"`   // what its makers say about it
	Example string `toml:"example"` // an address that it might have
	About   Text   `toml:"about"`
	Client  Client `toml:"client"`
	// Relaxed says why it cannot do what others must.
	Relaxed  []Relaxation `toml:"relaxed"`
	Steps    []Text       `toml:"steps"`
	Settings []Setting    `toml:"settings"`
	Snippets []Snippet    `toml:"snippets"`
}

// Text is a text by language: English, German, Spanish.
type Text map[string]string

// In returns the text in a language, in English if it is not there.
func (t Text) In(language string) string {
	if text := t[language]; text != "" {
		return text
	}
	return t["en"]
}

// Client is what the application registers as, in the words of RFC 7591.
type Client struct {
	RedirectURIs           []string `toml:"redirect_uris"`
	PostLogoutRedirectURIs []string `toml:"post_logout_redirect_uris"`
	Scopes                 []string `toml:"scopes"`
	GrantTypes             []string `toml:"grant_types"`
	AuthMethod             string   `toml:"token_endpoint_auth_method"`
	Profile                string   `toml:"profile"`
	NoPKCE                 bool     `toml:"no_pkce"`
	BackChannelURI         string   `toml:"backchannel_logout_uri"`
}

// Relaxation is a protection that the application does without, by its name in
// [registry.Relaxed], and why.
type Relaxation struct {
	What string `toml:"what"`
	Why  Text   `toml:"why"`
}

// Setting is a field of a form of the application, by the name that it has there.
type Setting struct {
	Name  string `toml:"name"`
	Value string `toml:"value"`
}

// Snippet is what goes into a file of the application, or is run at its shell.
type Snippet struct {
	File     string `toml:"file"`
	Language string `toml:"language"`
	Text     string `toml:"text"`
}

// IsCommand says whether the snippet is run, and not kept in a file.
func (s Snippet) IsCommand() bool { return s.File == "shell" }

// IsPublic says whether the client of the application has no secret.
func (r *Recipe) IsPublic() bool { return r.Client.AuthMethod == registry.AuthNone }

// all is every recipe, read when it is first asked for.
var all = sync.OnceValue(func() []Recipe {
	recipes, err := read(embed.Recipes, "recipes")
	if err != nil {
		panic("impossible: the recipes are tested: " + err.Error())
	}
	return recipes
})

// All returns every recipe in the order of their names. Nobody may change them.
func All() []Recipe { return all() }

// Find returns the recipe of an application. [ErrNoRecipe] if there is none.
func Find(id string) (*Recipe, error) {
	recipes := all()
	for i := range recipes {
		if recipes[i].ID == id {
			return &recipes[i], nil
		}
	}
	return nil, ErrNoRecipe
}

// Of returns the recipe that a client came from, nil for none.
func Of(c *registry.Client) *Recipe {
	r, err := Find(c.Options.SoftwareID)
	if err != nil {
		return nil
	}
	return r
}

// read reads the recipes of a directory.
func read(files fs.FS, dir string) ([]Recipe, error) {
	names, err := fs.Glob(files, dir+"/*.toml")
	if err != nil {
		return nil, fmt.Errorf("list the recipes: %w", err)
	}
	recipes := make([]Recipe, 0, len(names))
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read recipe %s: %w", name, err)
		}
		r := Recipe{ID: strings.TrimSuffix(path.Base(name), ".toml")}
		if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&r); err != nil {
			return nil, fmt.Errorf("read recipe %s: %w", name, err)
		}
		recipes = append(recipes, r)
	}
	slices.SortFunc(recipes, func(a, b Recipe) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return recipes, nil
}
