package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"authy/server/recipe"
	"authy/server/registry"
	"authy/server/servertest"
)

func TestAnApplicationSignsPeopleInAsItsRecipeSays(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	owner, all := in(t, s, alice), clientsOf(t, s, "acme-corp")
	for i := range recipe.All() {
		r := &recipe.All()[i]
		t.Run(r.ID, func(t *testing.T) {
			made := owner.call("POST", all, object{"recipe": r.ID, "app_url": "https://app.example/", "name": "Our " + r.Name}).
				succeeded(201, "Client created successfully")
			id, secret := made.text("client", "client_id"), ""
			if !r.IsPublic() {
				secret = made.text("client_secret")
			}
			if !strings.Contains(made.Raw, `"name":"Our `+r.Name+`"`) || strings.Contains(made.Raw, "[[") ||
				strings.Count(made.Raw, id) < 2 || secret != "" && strings.Count(made.Raw, secret) < 2 {
				t.Errorf("it is not told what to do: %s", made.Raw)
			}
			for _, redirect := range r.Registration("https://app.example").RedirectURIs {
				flowByRecipe(t, s, browser, r, newPortal(t, s, id, secret, redirect))
			}
		})
	}
}

// flowByRecipe signs bob in at an application that asks as its recipe says.
func flowByRecipe(t *testing.T, s *servertest.Server, browser *http.Client, r *recipe.Recipe, p *portal) {
	t.Helper()
	p.config.Scopes = r.Client.Scopes
	p.config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if m := r.Client.AuthMethod; m == registry.AuthPost || m == registry.AuthNone {
		p.config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	a := newAttempt()
	if r.Client.NoPKCE {
		page, _ := s.Visit(t, browser, p.config.AuthCodeURL(a.state), bob, bobPass)
		token, err := p.config.Exchange(t.Context(), page.Location().Query().Get("code"))
		if err != nil || token.Extra("id_token") == nil {
			t.Errorf("%s: %v", p.config.RedirectURL, err)
		}
		return
	}
	page, _ := s.Visit(t, browser, p.url(a), bob, bobPass)
	token, _ := p.exchange(t, s, a, page.Location())
	if (token.RefreshToken != "") != strings.Contains(strings.Join(r.Client.GrantTypes, " "), "refresh_token") {
		t.Errorf("%s: refresh token %q with grants %v", r.ID, token.RefreshToken, r.Client.GrantTypes)
	}
}

func TestRecipesAreListedAndShown(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := in(t, s, bob)
	list := p.call("GET", "/api/v1/recipes", nil).succeeded(200, "Recipes retrieved successfully")
	if !strings.Contains(list.Raw, `"id":"immich","name":"Immich","about":"Photos and videos"`) {
		t.Errorf("the list is %s", list.Raw)
	}
	one := p.call("GET", "/api/v1/recipes/immich?url=https://photos.example/", nil).succeeded(200, "Recipe retrieved successfully")
	for _, want := range []string{
		`"https://photos.example/auth/login"`, `"app.immich:///oauth-callback"`, `"name":"Issuer URL","value":"` + s.URL + `"`,
		recipe.UnknownSecret,
	} {
		if !strings.Contains(one.Raw, want) {
			t.Errorf("the recipe lacks %s: %s", want, one.Raw)
		}
	}
	p.call("GET", "/api/v1/recipes/winamp", nil).failed(404, "NOT_FOUND", "There is no recipe for this application.")
	p.call("GET", "/api/v1/recipes/immich?url=http://photos.example", nil).failed(400, "VALIDATION_ERROR", "")
}

func TestABadRecipeIsRefusedByField(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	owner, all := in(t, s, alice), clientsOf(t, s, "acme-corp")
	for field, body := range map[string]object{
		"recipe":        {"recipe": "winamp", "app_url": "https://a.example"},
		"app_url":       {"recipe": "immich"},
		"name":          {"redirect_uris": []string{"https://a.example/cb"}},
		"redirect_uris": {"recipe": "immich", "app_url": "https://a.example", "redirect_uris": []string{"javascript:1"}},
	} {
		o := owner.call("POST", all, body).failed(400, "VALIDATION_ERROR", "")
		if !strings.Contains(o.Raw, `"`+field+`":[`) {
			t.Errorf("%v: %s, want a problem of %s", body, o.Raw, field)
		}
	}
	owner.call("POST", all, object{"name": "A", "app_url": "https://a.example"}).failed(400, "VALIDATION_ERROR", "")
	// What is sent goes before what the recipe says.
	made := owner.call("POST", all, object{"recipe": "immich", "app_url": "https://a.example", "scopes": []string{"openid"}}).
		succeeded(201, "Client created successfully")
	if !strings.Contains(made.Raw, `"scopes":["openid"]`) {
		t.Errorf("the client is %s", made.Raw)
	}
}
