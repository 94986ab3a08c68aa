package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"authy/server/fault"
	"authy/server/managed"
	"authy/server/openid"
	"authy/server/recipe"
	"authy/server/registry"
	"authy/server/steady"
)

// clientHead is what every page about a client begins with: the data of part "client-head".
type clientHead struct {
	Root, Path, ID, Name string
	Tabs                 []navItem
	Disabled             bool
}

func (a *appsArea) headOf(r *http.Request, c *registry.Client) clientHead {
	h := clientHead{Root: a.root, Path: a.of(c.ClientID), ID: c.ClientID, Name: c.Name, Disabled: !c.IsActive}
	h.Tabs = []navItem{
		{Title: msg("Overview"), Path: h.Path}, {Title: msg("Settings"), Path: h.Path + "/settings"},
	}
	if clientSignsIn(c) {
		h.Tabs = append(h.Tabs, navItem{Title: msg("Preview"), Path: h.Path + "/preview"},
			navItem{Title: msg("Problems"), Path: h.Path + "/problems"})
	}
	if a.admin && c.Options.BackChannelURI != "" {
		h.Tabs = append(h.Tabs, navItem{Title: msg("Sign-outs"), Path: h.Path + "/sign-outs"})
	}
	for i := range h.Tabs {
		h.Tabs[i].Below = h.Tabs[i].Path == r.URL.EscapedPath()
	}
	return h
}

// clientSignsIn says whether people sign in to a client.
func clientSignsIn(c *registry.Client) bool {
	return len(registry.ResponseTypesOf(c)) > 0 || slices.Contains(c.GrantTypes, registry.DeviceCode)
}

// clientPage is the data of page "admin_client".
type clientPage struct {
	subject
	Head       clientHead
	Facts      clientFacts
	Relaxed    []string // what it does without, in words to be translated
	Addresses  []copyPart
	Setup      *clientSetup // nil without a recipe
	Secret     clientSecret
	Allowed    []string
	Redirects  []string
	Scopes     []string
	CLI        cliPart
	HomePage   string
	Created    time.Time
	Updated    time.Time
	ShowDelete bool
}

// clientFacts are what a client is, each true or not.
type clientFacts struct{ Public, Itself, Native, Legacy bool }

// clientSetup is what goes into the settings of an application of a recipe.
type clientSetup struct {
	Name, Guide string
	Steps       []string
	Settings    []appSettingView
	Snippets    []appSnippetView
	Unknown     bool // the secret is not shown again: a word stands for it
}

// appSettingView is a field of a form of the application, by the name that it has there.
type appSettingView struct{ Name, Value string }

// appSnippetView is what goes into a file of the application, or is run.
type appSnippetView struct {
	File, Text string
	Command    bool
}

// clientSecret is what there is to know of a client's secret.
type clientSecret struct {
	Has      bool
	Old      bool // the one before works too
	OldUntil time.Time
}

// found returns the client that the path of r names.
func (wb *Web) found(r *http.Request, a *appsArea) (*registry.Client, error) {
	return wb.Clients.Of(r.Context(), a.by, a.orgID, param(r, "client"))
}

func (wb *Web) showClient(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	c, err := wb.found(r, a)
	if err != nil {
		return err
	}
	page := clientPage{
		subject: subject{managed.Client, c.ID},
		Head:    a.headOf(r, c),
		Facts:   clientFacts{registry.IsPublic(c), registry.IsDynamic(c), c.ApplicationType == "native", registry.ProfileOf(c) == registry.Legacy},
		Relaxed: relaxedWords(registry.Relaxed(c)), Addresses: clientAddresses(wb.PublicURL, c),
		Allowed: allowedWords(c.Allowed), Redirects: c.RedirectURIs, Scopes: c.Scopes, HomePage: c.ClientURI,
		CLI: cliOf("authy client show", c.ClientID), Created: c.CreatedAt.Time, Updated: c.UpdatedAt.Time, ShowDelete: true,
	}
	page.Secret.Has = c.SecretHash != ""
	if until := c.OldSecretExpiresAt.Time; steady.Now().Before(until) {
		page.Secret.Old, page.Secret.OldUntil = true, until
	}
	if from := recipe.Of(c); from != nil {
		// The secret is there right after it was made; the page itself shows it, too.
		secret := wb.carried(w, r).Secret
		page.Setup = clientSetupOf(from, recipe.ValuesOf(wb.PublicURL, c, secret), wb.speaks(r).Tag())
		page.Setup.Unknown = page.Secret.Has && secret == ""
	}
	a.page(w, r, http.StatusOK, "admin_client", c.Name, page)
	return nil
}

func clientSetupOf(from *recipe.Recipe, v recipe.Values, tag string) *clientSetup {
	setup := &clientSetup{Name: from.Name, Guide: from.Guide}
	for _, step := range from.Steps {
		setup.Steps = append(setup.Steps, step.In(tag))
	}
	filled := from.Fill(v)
	for _, s := range filled.Settings {
		setup.Settings = append(setup.Settings, appSettingView{s.Name, s.Value})
	}
	for _, s := range filled.Snippets {
		setup.Snippets = append(setup.Snippets, appSnippetView{s.File, s.Text, s.IsCommand()})
	}
	return setup
}

// clientAddresses are the values that an application may ask for.
func clientAddresses(issuer string, c *registry.Client) []copyPart {
	out := []copyPart{
		{"Client ID", c.ClientID},
		{"Issuer", issuer},
		{msg("Discovery"), issuer + openid.DiscoveryPath},
		{msg("Authorization"), issuer + openid.AuthorizePath},
		{"Token", issuer + openid.TokenPath},
		{"Userinfo", issuer + openid.UserinfoPath},
		{"JWKS", issuer + openid.JWKSPath},
		{msg("End of the session"), issuer + openid.EndSessionPath},
	}
	if slices.Contains(c.GrantTypes, registry.DeviceCode) {
		out = append(out, copyPart{msg("Device authorization"), issuer + openid.DeviceAuthorizationPath})
	}
	if c.Options.PushedRequest {
		out = append(out, copyPart{msg("Pushed requests"), issuer + openid.PushPath})
	}
	return out
}

// relaxedWords says what a client does without, in words to be translated.
func relaxedWords(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		switch name {
		case "pkce":
			out[i] = msg("PKCE: a stolen code is of use to whoever has it and the secret.")
		case "nonce":
			out[i] = msg("Nonce: an ID token is not tied to the browser that asked for it.")
		case "code_lifetime":
			out[i] = msg("Short codes: its codes last longer than those of others.")
		case "consent":
			out[i] = msg("Consent: people are not asked before it gets what it asks for.")
		case "code":
			out[i] = msg("Code: its tokens come by way of the browser, where others can see them.")
		default:
			out[i] = name
		}
	}
	return out
}

// clientPreviewPage is the data of page "admin_client_preview".
type clientPreviewPage struct {
	Head    clientHead
	Admin   bool // may look at others
	User    inputView
	Problem string
	Result  *clientPreviewResult
	CLI     cliPart
}

// clientPreviewResult is what a client would get of a user.
type clientPreviewResult struct {
	Name, Email                    string
	Allowed                        bool
	Why                            string
	IDToken, Userinfo, AccessToken string
}

// errNobody says that there are no people to look at a client through.
var errNobody = fault.New(fault.NotFound, "nobody_signs_in", msg("Nobody signs in to this app: it acts for itself."))

func (wb *Web) previewClient(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	c, err := wb.found(r, a)
	if err != nil {
		return err
	}
	if !clientSignsIn(c) {
		return errNobody
	}
	who := askedText(r.URL.Query().Get("user"))
	page := clientPreviewPage{
		Head: a.headOf(r, c), Admin: a.admin, CLI: cliOf("authy explain claims", cmp.Or(who, "EMAIL"), c.ClientID),
		User: inputView{Name: "user", Label: msg("Email address or ID of a person"), Value: who, Required: true},
	}
	status := http.StatusOK
	seen, err := wb.OpenID.Preview(r.Context(), a.by, a.orgID, c.ClientID, who)
	switch {
	case errors.Is(err, openid.ErrNoUser):
		page.User.Problem, status = msg("There is no such user."), http.StatusNotFound
	case errors.Is(err, openid.ErrOthers):
		page.Problem, status = wb.say(r, "You can look at yourself alone."), http.StatusForbidden
	case err != nil:
		return err
	default:
		page.Result = previewResultOf(seen)
	}
	a.page(w, r, status, "admin_client_preview", c.Name, page)
	return nil
}

func previewResultOf(p *openid.Preview) *clientPreviewResult {
	return &clientPreviewResult{
		Name: p.Name, Email: p.Email, Allowed: p.Verdict.Allowed, Why: whyNot(p.Verdict),
		IDToken: indentedJSON(p.Claims.IDToken), Userinfo: indentedJSON(p.Claims.Userinfo), AccessToken: indentedJSON(p.Claims.AccessToken),
	}
}

// whyNot says why a person may not use a client, in words to be translated; "" for who may.
func whyNot(v openid.Verdict) string {
	switch {
	case v.Allowed:
		return ""
	case v.Rule == "client_disabled":
		return msg("The app is disabled.")
	case v.Rule == "organization_disabled":
		return msg("The organization of the app is disabled.")
	case v.Rule == "not_allowed":
		return msg("The app is not for this person.")
	case v.Rule == "second_factor_owed":
		return msg("The person first has to set up a second factor that an organization requires.")
	}
	return msg("The account cannot be used.")
}

// indentedJSON is JSON as people read it, "" for none.
func indentedJSON(text json.RawMessage) string {
	var b bytes.Buffer
	if len(text) == 0 || json.Indent(&b, text, "", "  ") != nil {
		return ""
	}
	return b.String()
}
