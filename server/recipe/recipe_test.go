package recipe_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/recipe"
	"authy/server/registry"
	"authy/storage/storagetest"
)

func TestEveryRecipeIsWhole(t *testing.T) {
	t.Parallel()
	for _, want := range []string{
		"argocd", "forgejo", "gitea", "gitlab", "grafana", "immich", "nextcloud", "oauth2-proxy", "open-webui",
		"outline", "paperless-ngx", "portainer", "proxmox",
	} {
		if _, err := recipe.Find(want); err != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, r := range recipe.All() {
		for name, text := range map[string]string{"name": r.Name, "home": r.Home, "guide": r.Guide, "example": r.Example} {
			if text == "" {
				t.Errorf("%s has no %s", r.ID, name)
			}
		}
		texts := append([]recipe.Text{r.About}, r.Steps...)
		for _, relaxed := range r.Relaxed {
			texts = append(texts, relaxed.Why)
		}
		for _, text := range texts {
			for _, language := range []string{"en", "de", "es"} {
				if text[language] == "" {
					t.Errorf("%s: %q is not in %s", r.ID, text.In("en"), language)
				}
			}
		}
		if len(r.Steps) == 0 || len(r.Settings)+len(r.Snippets) == 0 {
			t.Errorf("%s does not say what to do at the application", r.ID)
		}
		if at, err := recipe.ParseURL(r.Example); err != nil || at != r.Example {
			t.Errorf("%s: example %q: %v", r.ID, r.Example, err)
		}
	}
}

func TestEveryRecipeMakesAClient(t *testing.T) {
	t.Parallel()
	clients := registry.New(storagetest.New(t))
	for i := range recipe.All() {
		r := &recipe.All()[i]
		address, err := recipe.ParseURL("https://app.example/below/")
		if err != nil {
			t.Fatal(err)
		}
		c, secret, err := clients.Register(t.Context(), audit.Shell(), r.Registration(address), r.IsPublic())
		if err != nil {
			t.Errorf("%s: %v", r.ID, err)
			continue
		}
		if (secret == "") != r.IsPublic() || recipe.Of(c) != r {
			t.Errorf("%s: secret %q, recipe %v", r.ID, secret, recipe.Of(c))
		}
		for _, uri := range append(slices.Clone(c.RedirectURIs), c.PostLogoutRedirectURIs...) {
			if strings.Contains(uri, "[[") || !strings.HasPrefix(uri, "https://app.example/below") &&
				!strings.HasPrefix(uri, "app.immich:///") && !strings.HasPrefix(uri, "http://localhost:8085/") {
				t.Errorf("%s registers %s", r.ID, uri)
			}
		}
		// Each protection that is left away has its reason; without PKCE there is no nonce either.
		reasons := map[string]bool{"nonce": true}
		for _, relaxed := range r.Relaxed {
			reasons[relaxed.What] = true
		}
		for _, relaxed := range registry.Relaxed(c) {
			if !reasons[relaxed] {
				t.Errorf("%s does without %s and does not say why", r.ID, relaxed)
			}
		}
		if len(r.Relaxed) > 0 != (len(registry.Relaxed(c)) > 0) {
			t.Errorf("%s gives reasons %v, and does without %v", r.ID, r.Relaxed, registry.Relaxed(c))
		}
	}
}

// registered are words of snippets that have to be what the client is registered for.
var registered = regexp.MustCompile(`https://app\.example[^\s"',|]*`)

func TestTheApplicationIsToldWhatIsRegistered(t *testing.T) {
	t.Parallel()
	for _, r := range recipe.All() {
		filled := r.Fill(recipe.Values{
			Issuer: "https://id.example", URL: "https://app.example", ClientID: "an-id", Secret: "a-secret",
		})
		var texts []string
		for _, s := range filled.Settings {
			texts = append(texts, s.Value)
		}
		for _, s := range filled.Snippets {
			texts = append(texts, s.Text)
		}
		text := strings.Join(texts, "\n")
		for _, wrong := range []string{"[[", "]]", recipe.UnknownClientID + "\n", r.Example} {
			if strings.Contains(text, wrong) {
				t.Errorf("%s: %q is left in:\n%s", r.ID, wrong, text)
			}
		}
		if !strings.Contains(text, "an-id") || strings.Contains(text, "a-secret") == r.IsPublic() ||
			!strings.Contains(text, "https://id.example") {
			t.Errorf("%s lacks a value:\n%s", r.ID, text)
		}
		in := r.Registration("https://app.example")
		known := slices.Concat(in.RedirectURIs, in.PostLogoutRedirectURIs, []string{"https://app.example", "https://app.example/"})
		for _, address := range registered.FindAllString(text, -1) {
			if !slices.Contains(known, address) {
				t.Errorf("%s: %s is in the snippet and not registered", r.ID, address)
			}
		}
	}
}

func TestAnAddressOfAnApplicationIsPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://photos.example":      "https://photos.example",
		" https://photos.example// ":  "https://photos.example",
		"https://a.example:8443/b-c/": "https://a.example:8443/b-c",
		"http://localhost:2283":       "http://localhost:2283",
		"http://[::1]:2283/":          "http://[::1]:2283",
	} {
		if got, err := recipe.ParseURL(in); err != nil || got != want {
			t.Errorf("ParseURL(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "photos.example", "http://photos.example", "ftp://photos.example", "https://", "https://user@a.example",
		"https://a.example/?q", "https://a.example/#f", "https://a.example/'; rm", `https://a.example/"`, "https://a.example/$(id)",
		"https://a.example/\nb", "https://a.example/[[issuer]]x y", "javascript:alert(1)", "https://ä.example",
		"https://a.example/%0a", "https://a.example/" + strings.Repeat("a", 512),
	} {
		got, err := recipe.ParseURL(in)
		var f *fault.Error
		if !errors.As(err, &f) || len(f.Fields["app_url"]) != 1 {
			t.Errorf("ParseURL(%q) = %q, %v, want a problem of app_url", in, got, err)
		}
	}
}

func TestAnAddressThatCameFromElsewhereIsNotFilledIn(t *testing.T) {
	t.Parallel()
	r, err := recipe.Find("gitlab")
	if err != nil {
		t.Fatal(err)
	}
	filled := r.Fill(recipe.Values{Issuer: "https://id.example", URL: `https://a.example/"; system("id") #`})
	for _, s := range filled.Snippets {
		if strings.Contains(s.Text, "system(") || !strings.Contains(s.Text, r.Example) {
			t.Errorf("the snippet is %s", s.Text)
		}
	}
}

func TestAMistakeInARecipeIsFound(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a key that is not known": "name = 'A'\nredirect = 1", "what is no TOML": "name = ",
	} {
		if _, err := recipe.Read(fstest.MapFS{"r/a.toml": {Data: []byte(text)}}, "r"); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func TestTheGuidesInDocsAreThoseOfTheRecipes(t *testing.T) {
	t.Parallel()
	const dir = "../../docs/apps"
	want := recipe.Guides()
	for name, text := range want {
		have, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%v: run 'authy recipe docs docs/apps'", err)
			continue
		}
		if diff := cmp.Diff(text, string(have)); diff != "" {
			t.Errorf("docs/apps/%s differs (-want +have); run 'authy recipe docs docs/apps':\n%s", name, diff)
		}
	}
	files, err := filepath.Glob(dir + "/*")
	if err != nil || len(files) != len(want) {
		t.Errorf("docs/apps has %d files (%v), want %d", len(files), err, len(want))
	}
}
