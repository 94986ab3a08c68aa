package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"authy/server/fault"
	"authy/server/recipe"
	"authy/server/registry"
)

// otherApp stands in a path in the place of a recipe.
const otherApp = "other"

// chooseRecipePage is the data of page "admin_client_choose".
type chooseRecipePage struct {
	Root    string
	Recipes []recipeCard
}

// recipeCard is an application to choose.
type recipeCard struct{ Name, About, Path string }

func (wb *Web) chooseRecipe(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	page := chooseRecipePage{Root: a.root}
	for i := range recipe.All() {
		known := &recipe.All()[i]
		page.Recipes = append(page.Recipes, recipeCard{known.Name, known.About.In(wb.speaks(r).Tag()), a.root + "/new/" + known.ID})
	}
	a.page(w, r, http.StatusOK, "admin_client_choose", msg("Add an app"), page)
	return nil
}

// newClientPage is the data of page "admin_client_new".
type newClientPage struct {
	Root, Action   string
	Name, About    string // of the recipe, "" for another application
	Home, Guide    string
	Reasons        []string // why it does without a protection
	Fields         []inputView
	Problem        string
	CLI            cliPart
	OfOrganization bool
}

// The fields of a new client.
const (
	newClientURL       = "app_url"
	newClientName      = "name"
	newClientRedirects = "redirect_uris"
	newClientKind      = "kind"
	newClientAllow     = "allow"
)

// The kinds of an application without a recipe.
const (
	clientOnServer  = "server"  // keeps a secret
	clientInBrowser = "browser" // runs in a browser
	clientOnDevice  = "native"  // runs on a device
)

func (wb *Web) showNewClient(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	return wb.renderNewClient(w, r, a, http.StatusOK, nil)
}

// renderNewClient shows the form again, with what err says is wrong with it.
func (wb *Web) renderNewClient(w http.ResponseWriter, r *http.Request, a *appsArea, status int, refused error) error {
	app := param(r, "app")
	page := newClientPage{Root: a.root, Action: a.root + "/new/" + app, OfOrganization: a.orgID != ""}
	var usual string
	if app != otherApp {
		from, err := recipe.Find(app)
		if err != nil {
			return err
		}
		tag := wb.speaks(r).Tag()
		page.Name, page.About, page.Home, page.Guide = from.Name, from.About.In(tag), from.Home, from.Guide
		for _, relaxed := range from.Relaxed {
			page.Reasons = append(page.Reasons, relaxed.Why.In(tag))
		}
		usual = from.Name
		page.CLI = a.cli("authy client add --app "+from.ID+" --url", from.Example)
		page.Fields = append(page.Fields, inputView{
			Name: newClientURL, Label: msg("Address of the app"), Kind: "url", Required: true, Mono: true,
			Hint: msg("Where people open it, for example https://app.example.com."), Value: r.PostForm.Get(newClientURL),
		})
	} else {
		page.CLI = a.cli("authy client create --name NAME --redirect-uri https://app.example.com/callback", "")
	}
	if r.PostForm.Has(newClientName) {
		usual = r.PostForm.Get(newClientName)
	}
	page.Fields = append(page.Fields, inputView{
		Name: newClientName, Label: msg("Name"), Value: usual, Required: true, Hint: msg("People see it when they sign in."),
	})
	if app == otherApp {
		page.Fields = append(page.Fields, otherClientFields(r)...)
	}
	if a.orgID != "" {
		allowed := []string{registry.AllowOrganization}
		if r.Method == http.MethodPost {
			allowed = r.PostForm[newClientAllow]
		}
		page.Fields = append(page.Fields, clientAllowField(allowed))
	}
	if refused != nil {
		rest, told := problemsOf(r.Context(), refused, page.Fields)
		if !told {
			return refused
		}
		page.Problem = wb.say(r, rest)
	}
	a.page(w, r, status, "admin_client_new", msg("Add an app"), page)
	return nil
}

// otherClientFields are those of an application without a recipe.
func otherClientFields(r *http.Request) []inputView {
	kind := r.PostForm.Get(newClientKind)
	return []inputView{
		{
			Name: newClientKind, Label: msg("Kind of app"), Kind: choice, Required: true, Options: []optionView{
				{Value: clientOnServer, Label: msg("On a server, where it can keep a secret"), Chosen: kind == clientOnServer},
				{Value: clientInBrowser, Label: msg("In the browser, without a server"), Chosen: kind == clientInBrowser},
				{Value: clientOnDevice, Label: msg("On a phone or computer"), Chosen: kind == clientOnDevice},
			},
		},
		{
			Name: newClientRedirects, Label: msg("Redirect URIs"), Kind: textArea, Mono: true, Required: true,
			Value: r.PostForm.Get(newClientRedirects), Hint: msg("Where people come back to after they sign in. One on each line, exactly as the app sends it."),
		},
	}
}

// clientAllowField is who may use an application of an organization.
func clientAllowField(allowed []string) inputView {
	field := inputView{
		Name: newClientAllow, Label: msg("Who may use it"), Kind: choices,
		Hint: msg("Choose everyone, everyone in the organization, or some roles."),
	}
	for _, who := range []string{
		registry.AllowEveryone, registry.AllowOrganization, registry.AllowRole + "owner", registry.AllowRole + "admin",
		registry.AllowRole + "member", registry.AllowRole + "guest",
	} {
		field.Options = append(field.Options, optionView{Value: who, Label: allowedWord(who), Chosen: slices.Contains(allowed, who)})
	}
	return field
}

func (wb *Web) addClient(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	in, public, err := clientDescribedBy(r)
	if err != nil {
		return wb.refuseNewClient(w, r, a, err)
	}
	in.OrganizationID = a.orgID
	if a.orgID != "" {
		in.Allowed = r.PostForm[newClientAllow]
		if problem := registry.AllowedProblem(in.Allowed, a.orgID); problem != "" {
			return wb.refuseNewClient(w, r, a, fault.Field(newClientAllow, problem))
		}
	}
	c, secret, err := wb.Clients.Register(r.Context(), a.by, in, public)
	if err != nil {
		return wb.refuseNewClient(w, r, a, err)
	}
	return wb.carry(w, r, a.of(c.ClientID), carried{
		Notice: wb.say(r, "%s has been added. Now set it up as below.", c.Name), Secret: secret,
	})
}

func (wb *Web) refuseNewClient(w http.ResponseWriter, r *http.Request, a *appsArea, err error) error {
	if f, is := fault.In(r.Context(), err); !is || f.Kind == fault.Forbidden {
		return err
	}
	return wb.renderNewClient(w, r, a, refusedWith(r.Context(), err), err)
}

// clientDescribedBy is the client that a form describes, and whether it has no secret.
func clientDescribedBy(r *http.Request) (in registry.Registration, public bool, err error) {
	if app := param(r, "app"); app != otherApp {
		from, err := recipe.Find(app)
		if err != nil {
			return in, false, err
		}
		settingURL, err := recipe.ParseURL(r.PostForm.Get(newClientURL))
		if err != nil {
			return in, false, err
		}
		in = from.Registration(settingURL)
		in.Name = r.PostForm.Get(newClientName)
		return in, from.IsPublic(), nil
	}
	in = registry.Defaults()
	in.Name, in.RedirectURIs = r.PostForm.Get(newClientName), lines(r.PostForm.Get(newClientRedirects))
	switch kind := r.PostForm.Get(newClientKind); kind {
	case clientOnServer:
		return in, false, nil
	case clientOnDevice:
		in.ApplicationType = "native"
		return in, true, nil
	case clientInBrowser:
		return in, true, nil
	default:
		return in, false, fault.Field(newClientKind, fmt.Sprintf("Must be one of: %s.", strings.Join(
			[]string{clientOnServer, clientInBrowser, clientOnDevice}, ", ")))
	}
}
