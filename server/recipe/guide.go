package recipe

import (
	"fmt"
	"strings"
)

// made is the first line of every page of docs/apps.
const made = "<!-- Made from embed/recipes by 'authy recipe docs docs/apps'; change it there. -->\n\n"

// Guides returns the pages of docs/apps by the names of their files, for a server at
// https://id.example.com.
func Guides() map[string]string {
	pages := map[string]string{}
	var index strings.Builder
	index.WriteString(made + "# Applications\n\n" +
		"How applications that many people host are set up to sign them in with authy. Each is one command away:\n\n" +
		"    authy client add --app immich --url https://photos.example.com\n\n" +
		"which registers the client and prints what the application is to be told, filled in. Administrators find\n" +
		"the same at `/admin/clients/new`, those who manage an organization at its apps.\n\n" +
		"| Application | What it is | Profile |\n|---|---|---|\n")
	for i := range All() {
		r := &All()[i]
		profile := r.Client.Profile
		if profile == "" {
			profile = "oauth2.1"
		}
		fmt.Fprintf(&index, "| [%s](%s.md) | %s | %s |\n", r.Name, r.ID, r.About.In("en"), profile)
		pages[r.ID+".md"] = r.guide()
	}
	pages["README.md"] = index.String()
	return pages
}

// guide returns the page of one application.
func (r *Recipe) guide() string {
	var b strings.Builder
	fmt.Fprintf(&b, made+"# %s\n\n%s: <%s>. Its own guide: <%s>.\n\n", r.Name, r.About.In("en"), r.Home, r.Guide)
	fmt.Fprintf(&b, "    authy client add --app %s --url %s\n\n", r.ID, r.Example)
	b.WriteString("registers the client below and prints what follows, filled in.\n\n## At the application\n\n")
	for i, step := range r.Steps {
		fmt.Fprintf(&b, "%d. %s\n", i+1, step.In("en"))
	}
	b.WriteString("\n")
	filled := r.Fill(Values{Issuer: "https://id.example.com"})
	if len(filled.Settings) > 0 {
		b.WriteString("| Setting | Value |\n|---|---|\n")
		for _, s := range filled.Settings {
			fmt.Fprintf(&b, "| %s | `%s` |\n", s.Name, s.Value)
		}
		b.WriteString("\n")
	}
	for _, s := range filled.Snippets {
		title := "In `" + s.File + "`:"
		if s.IsCommand() {
			title = "At the shell:"
		}
		fmt.Fprintf(&b, "%s\n\n```%s\n%s```\n\n", title, s.Language, s.Text)
	}
	r.writeClient(&b)
	return b.String()
}

// writeClient writes what the client is.
func (r *Recipe) writeClient(b *strings.Builder) {
	in := r.Registration(r.Example)
	b.WriteString("## The client\n\n| Setting | Value |\n|---|---|\n")
	row := func(name string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			fmt.Fprintf(b, "| `%s` | `%s` |\n", name, strings.Join(values, "`<br>`"))
		}
	}
	row("redirect_uris", in.RedirectURIs...)
	row("post_logout_redirect_uris", in.PostLogoutRedirectURIs...)
	row("scopes", strings.Join(in.Scopes, " "))
	row("grant_types", strings.Join(in.GrantTypes, " "))
	row("token_endpoint_auth_method", in.AuthMethod)
	row("backchannel_logout_uri", in.Options.BackChannelURI)
	row("profile", in.Options.Profile)
	for _, relaxed := range r.Relaxed {
		fmt.Fprintf(b, "\nIt does without `%s`: %s\n", relaxed.What, relaxed.Why.In("en"))
	}
}
