package api

import (
	"context"

	"authy/server/audit"
	"authy/server/recipe"
	"authy/server/session"
)

// recipeRoutes tell how well-known applications are set up. A client is registered by a
// recipe where clients are.
func (a *API) recipeRoutes() {
	const all = "/api/v1/recipes"
	signed(a, "GET "+all, 200, "Recipes retrieved successfully", "The applications that have a recipe", a.recipes)
	signed(a, "GET "+all+"/{app}", 200, "Recipe retrieved successfully", "How an application is set up", a.recipe)
}

// RecipeView is a recipe in short. It is exported for the framework.
type RecipeView struct {
	ID    string `json:"id" example:"immich"`
	Name  string `json:"name" example:"Immich"`
	About string `json:"about" example:"Photos and videos"`
	Home  string `json:"home" example:"https://immich.app"`
	Guide string `json:"guide" doc:"What its makers say about it"`
}

func recipeViewOf(r *recipe.Recipe) RecipeView {
	return RecipeView{r.ID, r.Name, r.About.In("en"), r.Home, r.Guide}
}

type recipesOut struct {
	Recipes []RecipeView `json:"recipes" nullable:"false"`
	Count   int          `json:"count"`
}

func (a *API) recipes(context.Context, *session.Identity, audit.Actor, *struct{}) (*recipesOut, error) {
	views := viewsOf(recipe.All(), recipeViewOf)
	return &recipesOut{views, len(views)}, nil
}

// told is what an application is to be told.
type told struct {
	Steps    []string      `json:"steps" nullable:"false"`
	Settings []toldSetting `json:"settings" nullable:"false" doc:"Fields of a form of the application"`
	Snippets []toldSnippet `json:"snippets" nullable:"false"`
}

type toldSetting struct {
	Name  string `json:"name" example:"Issuer URL"`
	Value string `json:"value"`
}

type toldSnippet struct {
	File     string `json:"file" example:"grafana.ini" doc:"The file that it goes into; shell for what is run"`
	Language string `json:"language" example:"ini"`
	Text     string `json:"text"`
}

func toldOf(r *recipe.Recipe, v recipe.Values) *told {
	filled := r.Fill(v)
	out := &told{
		Steps: make([]string, len(r.Steps)), Settings: make([]toldSetting, len(filled.Settings)),
		Snippets: make([]toldSnippet, len(filled.Snippets)),
	}
	for i, step := range r.Steps {
		out.Steps[i] = step.In("en")
	}
	for i, s := range filled.Settings {
		out.Settings[i] = toldSetting(s)
	}
	for i, s := range filled.Snippets {
		out.Snippets[i] = toldSnippet(s)
	}
	return out
}

type recipeIn struct {
	App string `path:"app" example:"immich"`
	URL string `query:"url" maxLength:"512" example:"https://photos.example.com" doc:"Where people open the application; an example if it is left out"`
}

type recipeOut struct {
	Recipe RecipeView `json:"recipe"`
	Client NewClient  `json:"client" doc:"What it registers as"`
	Told   *told      `json:"setup" doc:"With CLIENT_ID and CLIENT_SECRET in the place of what it gets"`
}

func (a *API) recipe(_ context.Context, _ *session.Identity, _ audit.Actor, in *recipeIn) (*recipeOut, error) {
	r, err := recipe.Find(in.App)
	if err != nil {
		return nil, err
	}
	address := r.Example
	if in.URL != "" {
		if address, err = recipe.ParseURL(in.URL); err != nil {
			return nil, err
		}
	}
	described := r.Registration(address)
	out := NewClient{Name: described.Name, Public: r.IsPublic(), Recipe: r.ID, AppURL: address}
	out.RedirectURIs, out.PostLogoutRedirectURIs = described.RedirectURIs, listOf(described.PostLogoutRedirectURIs)
	out.GrantTypes, out.Scopes = described.GrantTypes, described.Scopes
	return &recipeOut{recipeViewOf(r), out, toldOf(r, recipe.Values{Issuer: a.Issuer, URL: address})}, nil
}
