package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/managed"
	"authy/server/servertest"
	"authy/server/state"
	"authy/storage"
)

// setByFile is a state file of a part of the sample data.
const setByFile = `
name = "the file"

[branding]
name = "Acme"

[[user]]
email = "bob@acme-corp.com"

[[organization]]
slug = "acme-corp"
name = "Acme Corporation"

[organization.members]
"bob@acme-corp.com" = "member"

[[client]]
client_id = "acme-mobile-001"
organization = "acme-corp"
name = "Acme Mobile App"
application_type = "native"
token_endpoint_auth_method = "none"
redirect_uris = ["com.acmecorp.app://oauth/callback"]
`

func applyState(t *testing.T, s *servertest.Server, text string) {
	t.Helper()
	d, err := state.Parse("state.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.State.Apply(t.Context(), audit.Shell(), d, state.Options{Take: true}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatAFileSetsSaysSoInTheAPIAndRefusesToChange(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := rooted(t, s)
		applyState(t, s, setByFile)
		acme, err := s.Orgs.BySlug(t.Context(), "acme-corp")
		if err != nil {
			t.Fatal(err)
		}
		org := "/api/v1/admin/organizations/" + acme.ID
		for path, sets := range map[string]int{
			"/api/v1/admin/users/bob@acme-corp.com": 1, "/api/v1/admin/users?limit=100": 1,
			"/api/v1/admin/users/carol@acme-corp.com": 0, org: 1, "/api/v1/admin/organizations": 1, org + "/members": 1,
			"/api/v1/admin/clients": 1, "/api/v1/admin/clients/acme-mobile-001": 1, "/api/v1/admin/clients/acme-portal-001": 0,
			"/api/v1/admin/branding": 1,
		} {
			o := p.call("GET", path, nil)
			if n := strings.Count(o.Raw, `"managed_by":"the file"`); o.Code != 200 || n != sets {
				t.Errorf("GET %s: %d, %d objects are said to be the file's, want %d: %s", path, o.Code, n, sets, o.Raw)
			}
		}
		bob, err := s.Accounts.Find(t.Context(), "bob@acme-corp.com")
		if err != nil {
			t.Fatal(err)
		}
		for path, body := range map[string]object{
			"POST /api/v1/admin/users/" + bob.ID + "/suspend": nil, "PATCH " + org: {"name": "Other"}, "DELETE " + org: nil,
			"PATCH /api/v1/admin/clients/acme-mobile-001": {"name": "Other"}, "DELETE /api/v1/admin/clients/acme-mobile-001": nil,
			"PATCH /api/v1/admin/branding": {"name": "Other"},
		} {
			method, path, _ := strings.Cut(path, " ")
			o := p.call(method, path, body).failed(409, "CONFLICT", "")
			if !strings.Contains(o.Raw, "The file the file sets this: change it there") {
				t.Errorf("%s %s: %s", method, path, o.Raw)
			}
		}
		p.call("PATCH", "/api/v1/admin/clients/acme-portal-001", object{"name": "Other"}).succeeded(200, "Client updated successfully")
	})
}

func TestPagesSayWhichFileSetsWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := rootVisitor(t, s)
	applyState(t, s, setByFile)
	bob, err := s.Accounts.Find(t.Context(), "bob@acme-corp.com")
	if err != nil {
		t.Fatal(err)
	}
	acme, err := s.Orgs.BySlug(t.Context(), "acme-corp")
	if err != nil {
		t.Fatal(err)
	}
	for path, set := range map[string]bool{
		"/admin/users/" + bob.ID: true, "/admin/organizations/" + acme.ID: true, "/admin/branding": true,
		"/admin/clients/app/acme-mobile-001": true, "/admin/clients/app/acme-portal-001": false, "/admin/users": false,
	} {
		page := v.get(path)
		if said := strings.Contains(page.Body, `id="set-by"`); page.Response.StatusCode != 200 || said != set {
			t.Errorf("%s: %d, says that a file sets it: %v, want %v", path, page.Response.StatusCode, said, set)
		}
	}
	page := v.post("/admin/organizations/"+acme.ID, "name", "Other", "description", "", "logo_url", "")
	v.shows(page, 409, "sets this: change it there and apply it, or run")
}

// Who has a place in an organization by a file is told so where they would delete their
// account or change their address, in both surfaces.
func TestWhoHasAPlaceByAFileStaysUnderTheirAddress(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	const place = "sets a place of this account in an organization"
	p, v := logIn(t, s, bob, bobPass), newVisitor(t, s)
	s.SignIn(t, v.browser, bob, bobPass)
	p.call("POST", mePath+"/email", object{"email": "early@example.com"})
	early := box.Next(t, "early@example.com", "Confirm").Token()
	applyState(t, s, strings.Replace(setByFile, "[[user]]\nemail = \"bob@acme-corp.com\"\n", "", 1))

	v.page(v.post("/account/delete", "email", bob, "password", bobPass), 409, place)
	v.page(v.post("/account/email", "email", "bobby@example.com", "password", bobPass), 409, place)
	v.page(v.post("/confirm-email", "token", early), 409, place)
	for call, body := range map[string]object{
		"DELETE " + mePath:                {"password": bobPass},
		"POST " + mePath + "/email":       {"email": "bobby@example.com"},
		"POST /api/v1/auth/confirm-email": {"token": early},
	} {
		method, path, _ := strings.Cut(call, " ")
		if o := p.call(method, path, body).failed(409, "CONFLICT", ""); !strings.Contains(o.Raw, place) {
			t.Errorf("%s: %s", call, o.Raw)
		}
	}
	v.signedIn(true)
}

func TestAPictureThatAFileSetsIsRefusedToChange(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p, v := logIn(t, s, bob, bobPass), newVisitor(t, s)
	s.SignIn(t, v.browser, bob, bobPass)
	applyState(t, s, strings.Replace(setByFile, "\n[[organization]]", "profile = { avatar_url = \"https://img.example.com/a.png\" }\n\n[[organization]]", 1))
	p.put("image/png", drawing(t, 8)).failed(409, "CONFLICT", "")
	p.call("DELETE", myPicture, nil).failed(409, "CONFLICT", "")
	v.page(v.upload("picture", "", drawing(t, 8)), 409, "sets this: change it there")
	v.page(v.post("/account/picture/delete"), 409, "sets this: change it there")
}

func TestAClientIsNotToldWhichFileSetsIt(t *testing.T) {
	t.Parallel()
	s := registering(t, "sqlite", "open")
	a, token := registeredOf(t, enroll(t, s, "", honestClient))
	own := s.URL + clientsPath + "/" + a.id
	c, err := s.DB.Client(t.Context(), a.id)
	if err != nil {
		t.Fatal(err)
	}
	err = s.DB.Update(t.Context(), func(tx *storage.Tx) error {
		return managed.Keep(t.Context(), tx, time.Now(), managed.Mark{Kind: managed.Client, ID: c.ID, File: "/etc/authy/state.toml"})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []reply{
		manage(t, http.MethodPut, own, token, honestBut("client_id", a.id, "client_name", "Other")), manage(t, http.MethodDelete, own, token, nil),
	} {
		r.refused(t, http.StatusForbidden, "access_denied")
		if !strings.Contains(r.body, "The administrators of this server set this client in a file") || strings.Contains(r.body, "state.toml") {
			t.Errorf("it is told %s", r.body)
		}
	}
	if r := manage(t, http.MethodGet, own, token, nil); r.status != http.StatusOK || r.text("registration_access_token") != token {
		t.Errorf("GET = %d %s", r.status, r.body)
	}
}

func TestAPageLetsGoOfWhatAFileSets(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := rootVisitor(t, s)
	applyState(t, s, setByFile)
	acme, err := s.Orgs.BySlug(t.Context(), "acme-corp")
	if err != nil {
		t.Fatal(err)
	}
	path := "/admin/organizations/" + acme.ID
	release := "/admin/release?" + url.Values{"kind": {"organization"}, "id": {acme.ID}, "back": {path}}.Encode()
	if !strings.Contains(v.get(path).Body, strings.ReplaceAll(release, "&", "&amp;")) {
		t.Errorf("%s does not lead to %s", path, release)
	}
	v.shows(v.get(release), 200, "The file the file sets this.")
	v.shows(v.get(release), 200, "authy release organization acme-corp")
	v.shows(v.get("/admin/release?kind=nothing&id="+acme.ID), 404, "No file sets this.")
	v.leads(v.post(release), path)
	v.shows(v.get(path), 200, "The file the file no longer sets this.")
	if strings.Contains(v.get(path).Body, `id="set-by"`) {
		t.Error("the page goes on saying that the file sets it")
	}
	v.shows(v.post(release), 404, "No file sets this.")
	// Nobody is led away from here.
	applyState(t, s, setByFile)
	away := strings.Replace(release, url.QueryEscape(path), url.QueryEscape("https://evil.example.com/"), 1)
	v.leads(v.post(away), "/")
}
