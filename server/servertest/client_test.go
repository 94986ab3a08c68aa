package servertest_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // database/sql's driver

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

const (
	alice   = "admin@acme-corp.com"    // owner of acme-corp
	carol   = "carol@acme-corp.com"    // its admin
	charlie = "charlie@cross-org.com"  // its guest
	frank   = "frank@tech-startup.com" // of another organization
	root    = "superadmin@acme-corp.com"
)

// clientsOf is the path of an organization's clients.
func clientsOf(t *testing.T, s *servertest.Server, slug string) string {
	t.Helper()
	home, err := s.Orgs.BySlug(t.Context(), slug)
	if err != nil {
		t.Fatal(err)
	}
	return "/api/v1/organizations/" + home.ID + "/clients"
}

// in signs a user of the sample data in.
func in(t *testing.T, s *servertest.Server, email string) caller {
	t.Helper()
	return logIn(t, s, email, seedPassword(email))
}

func seedPassword(email string) string {
	switch email {
	case alice:
		return "AdminPass123!"
	case root:
		return "SuperAdmin123!"
	}
	return bobPass
}

// change writes records that no service writes yet.
func change(t *testing.T, s *servertest.Server, fn func(ctx context.Context, tx *storage.Tx) error) {
	t.Helper()
	if err := s.DB.Update(t.Context(), func(tx *storage.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// makeAdmin lets a user administer the server.
func makeAdmin(t *testing.T, s *servertest.Server, email string) {
	t.Helper()
	change(t, s, func(ctx context.Context, tx *storage.Tx) error {
		u, err := tx.UserByEmail(ctx, email)
		if err != nil {
			return err
		}
		u.IsAdmin = true
		return tx.SaveUser(ctx, u)
	})
}

func described(name string) object {
	return object{"name": name, "redirect_uris": []string{"https://new.example/cb"}}
}

func TestEachRoleManagesClientsAsFarAsItMay(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		all := clientsOf(t, s, "acme-corp")
		makeAdmin(t, s, root)
		makeAdmin(t, s, "eve@acme-corp.com")
		owner := in(t, s, alice)
		n := 0
		calls := map[string]func(p caller) outcome{
			"list":   func(p caller) outcome { return p.call("GET", all, nil) },
			"read":   func(p caller) outcome { return p.call("GET", all+"/acme-portal-001", nil) },
			"create": func(p caller) outcome { return p.call("POST", all, described("New")) },
			"update": func(p caller) outcome {
				return p.call("PATCH", all+"/acme-portal-001", object{"name": fmt.Sprint("Portal ", n)})
			},
			"rotate": func(p caller) outcome { return p.call("POST", all+"/acme-portal-001/secret", object{}) },
			"delete": func(p caller) outcome {
				made := owner.call("POST", all, described("Doomed")).succeeded(201, "Client created successfully")
				return p.call("DELETE", all+"/"+made.text("client", "client_id"), nil)
			},
			"list all": func(p caller) outcome { return p.call("GET", "/api/v1/admin/clients", nil) },
			"read any": func(p caller) outcome { return p.call("GET", "/api/v1/admin/clients/acme-portal-001", nil) },
		}
		managed := []string{"create", "delete", "list", "read", "rotate", "update"}
		for _, c := range []struct {
			who                      string
			p                        caller
			managing, administrating int // the refusal, 0 for none
		}{
			{"nobody", caller{t: t, s: s}, 401, 401},
			{"owner", owner, 0, 403},
			{"admin", in(t, s, carol), 0, 403},
			{"member", in(t, s, bob), 403, 403},
			{"guest", in(t, s, charlie), 403, 403},
			{"other organization", in(t, s, frank), 404, 403},
			{"server administrator outside", in(t, s, root), 404, 0},
			{"server administrator in no organization", in(t, s, "eve@acme-corp.com"), 404, 0},
		} {
			for _, name := range slices.Sorted(maps.Keys(calls)) {
				n++
				want := c.administrating
				if slices.Contains(managed, name) {
					want = c.managing
				}
				got := calls[name](c.p)
				if want == 0 && got.Code < 300 || want == got.Code {
					continue
				}
				t.Errorf("%s, %s: %s, want %d", c.who, name, got.Raw, want)
			}
		}
		// Another organization's client is not there, whatever one's role.
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			var body any
			if method == "PATCH" {
				body = object{"name": "Mine"}
			}
			owner.call(method, all+"/tech-dashboard-001", body).failed(404, "NOT_FOUND", "There is no client with this client_id.")
		}
		owner.call("POST", all+"/tech-dashboard-001/secret", object{}).failed(404, "NOT_FOUND", "")
		// A role that is lost is lost at the next request.
		p := in(t, s, carol)
		setRole(t, s, carol, storage.RoleMember)
		p.call("GET", all, nil).failed(403, "AUTHORIZATION_ERROR", "")
		p.call("POST", all, described("New")).failed(403, "AUTHORIZATION_ERROR", "")
	})
}

// setRole gives a user another role in acme-corp, behind the server's back; a
// membership elsewhere, made through the server, has it look again.
func setRole(t *testing.T, s *servertest.Server, email string, role storage.Role) {
	t.Helper()
	driver, source := "sqlite", s.Config.DatabaseURL()
	if path, isFile := strings.CutPrefix(source, "sqlite://"); isFile {
		source = "file:" + path + "?_pragma=busy_timeout(5000)"
	} else {
		driver = "pgx"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a test's own connection
	id := userID(t, s, email)
	_, err = db.ExecContext(t.Context(), "UPDATE members SET role = $1 WHERE user_id = $2", string(role), id)
	if err != nil {
		t.Fatal(err)
	}
	now := storage.At(time.Now())
	change(t, s, func(ctx context.Context, tx *storage.Tx) error {
		home := &storage.Organization{ID: storage.NewID(), Slug: strings.ToLower(letters(20)), Name: "X", CreatedAt: now, UpdatedAt: now}
		if err := tx.InsertOrganization(ctx, home); err != nil {
			return err
		}
		return tx.InsertMember(ctx, &storage.Member{
			ID: storage.NewID(), OrganizationID: home.ID, UserID: id, Role: storage.RoleGuest, CreatedAt: now, UpdatedAt: now,
		})
	})
}

func TestASecretIsShownOnceAndAClientComesBackAsItWasDescribed(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		all, p := clientsOf(t, s, "acme-corp"), in(t, s, carol)
		made := p.call("POST", all, object{
			"name": " Wiki ", "application_type": "web", "require_pkce": true,
			"redirect_uris":             []string{"https://wiki.example/cb?x=1", "https://wiki.example/cb?x=1"},
			"post_logout_redirect_uris": []string{"https://wiki.example/"},
			"grant_types":               []string{"authorization_code"}, "scopes": []string{"openid", "wiki:read"},
			"allow": []string{"role:owner", "role:admin"}, "access_token_lifetime": 60,
			"logo_uri": "https://wiki.example/logo.png",
		}).succeeded(201, "Client created successfully")
		secret := made.text("client_secret")
		if len(secret) != 43 {
			t.Errorf("the secret is %q, want 256 bits in base64url", secret)
		}
		id := made.text("client", "client_id")
		read := p.call("GET", all+"/"+id, nil).succeeded(200, "Client retrieved successfully")
		if diff := cmp.Diff(made.at("client"), read.at("client")); diff != "" {
			t.Errorf("made and read differ (-made +read):\n%s", diff)
		}
		got, _ := read.at("client").(map[string]any)
		for _, name := range []string{"created_at", "updated_at", "organization_id"} {
			if got[name] == nil {
				t.Errorf("%s is missing", name)
			}
			delete(got, name)
		}
		want := map[string]any{
			"client_id": id, "name": "Wiki", "application_type": "web", "public": false, "is_active": true, "profile": "oauth2.1",
			"dynamic": false, "relaxed": []any{}, "id_token_signed_response_alg": "RS256",
			"require_pkce": true, "skip_consent": false, "redirect_uris": []any{"https://wiki.example/cb?x=1"},
			"post_logout_redirect_uris": []any{"https://wiki.example/"}, "grant_types": []any{"authorization_code"},
			"response_types": []any{"code"}, "scopes": []any{"openid", "wiki:read"}, "allow": []any{"role:owner", "role:admin"},
			"access_token_lifetime": 60., "refresh_token_lifetime": 2592000., "id_token_lifetime": 3600.,
			"logo_uri": "https://wiki.example/logo.png", "client_uri": nil, "policy_uri": nil, "tos_uri": nil,
			"old_secret_expires_at": nil,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the client (-want +got):\n%s", diff)
		}
		for _, path := range []string{all, all + "/" + id} {
			if o := p.call("GET", path, nil); strings.Contains(o.Raw, secret) || strings.Contains(o.Raw, "client_secret") {
				t.Errorf("%s tells of the secret", path)
			}
		}
		public := p.call("POST", all, object{"name": "App", "public": true, "require_pkce": false, "redirect_uris": []string{"com.example:/cb"}})
		public.succeeded(201, "Client created successfully")
		if public.at("client_secret") != nil || public.at("client", "require_pkce") != true || public.at("client", "public") != true {
			t.Errorf("a public client: %s, want no secret and PKCE", public.Raw)
		}
		p.call("POST", all+"/"+public.text("client", "client_id")+"/secret", object{}).failed(409, "CONFLICT", "This client has no secret.")
	})
}

func TestChangesAreTheDocumentedOnesAndSeenAtTheNextRequest(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		one, p := clientsOf(t, s, "acme-corp")+"/acme-portal-001", in(t, s, alice)
		acmePortal.tokens(t, s, servertest.Browser(t)) // everything is cached
		before := p.call("GET", one, nil).at("client")
		p.call("PATCH", one, object{}).succeeded(200, "Client updated successfully")
		if diff := cmp.Diff(before, p.call("GET", one, nil).at("client")); diff != "" {
			t.Errorf("a change of nothing (-before +after):\n%s", diff)
		}
		for _, field := range []string{
			"client_id", "organization_id", "client_secret", "secret_hash", "skip_consent", "public", "id", "created_at",
			"response_type", "id_token_alg", "old_secret_expires_at", "Name", "__proto__",
		} {
			o := p.call("PATCH", one, object{field: "x"}).failed(400, "VALIDATION_ERROR", "Validation failed")
			if !strings.Contains(o.Raw, "Unknown field.") {
				t.Errorf("%s: %s, want an unknown field", field, o.Raw)
			}
		}
		if diff := cmp.Diff(before, p.call("GET", one, nil).at("client")); diff != "" {
			t.Errorf("undocumented fields (-before +after):\n%s", diff)
		}
		moved := app{acmePortal.id, acmePortal.secret, "https://moved.example/cb"}
		p.call("PATCH", one, object{"redirect_uris": []string{moved.redirect}}).succeeded(200, "Client updated successfully")
		refusedHere(t, servertest.Get(t, servertest.Browser(t), authorizeURL(s, acmePortal.request("v"))), "redirect_uri")
		moved.tokens(t, s, servertest.Browser(t))
	})
}

func TestListsOfClientsComePageByPage(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		all, p := clientsOf(t, s, "acme-corp"), in(t, s, alice)
		makeAdmin(t, s, root)
		for range 3 {
			p.call("POST", all, described("One")).succeeded(201, "Client created successfully")
		}
		for path, c := range map[string]struct {
			by   caller
			want int
		}{all: {p, 5}, "/api/v1/admin/clients": {in(t, s, root), 7}} {
			var ids []string
			for next := ""; ; {
				o := c.by.call("GET", path+"?limit=2&cursor="+next, nil).succeeded(200, "Clients retrieved successfully")
				list, _ := o.at("clients").([]any)
				if o.at("count") != float64(len(list)) {
					t.Errorf("count = %v of %d", o.at("count"), len(list))
				}
				for _, one := range list {
					fields, _ := one.(map[string]any)
					ids = append(ids, fmt.Sprint(fields["client_id"]))
				}
				if next = o.next(); next == "" {
					break
				}
			}
			if len(ids) != c.want || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != c.want {
				t.Errorf("%s: %v, want %d clients once each", path, ids, c.want)
			}
			for _, query := range []string{"?limit=0", "?limit=201", "?limit=x", "?cursor=!", "?unknown=1"} {
				c.by.call("GET", path+query, nil).wantOneOf(400)
			}
		}
	})
}

// badURIs may not be registered (AZ-07, AZ-13, AZ-14 and their neighbours).
var badURIs = []string{
	"https://portal.acme-corp.com/auth/callback#frag", "https://a.example/cb#",
	"javascript:alert(1)//", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:x", "about:blank",
	"https://*.acme-corp.com/cb", "https://acme-corp.com/*", "*", "https://portal.acme-corp.com/.*", "https://a.example/[a-z]", "https://{a}/cb",
	"http://a.example/cb", "//a.example/cb", "/cb", "", " ", "https:///cb", "https://user@a.example/cb", "https://a.example/c b",
	"https://a.example/cb\nhttps://evil.example", "https://a.example\\@evil.example/", "https://a.example/cb?code=1", "https://a.example/%zz",
	"https://a.example/" + strings.Repeat("x", 2100), "https://exämple.de/cb", "https://a.example:99999999999999999999/",
}

func TestBadRedirectURIsAreRefusedAtEveryDoor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	all, p := clientsOf(t, s, "acme-corp"), in(t, s, carol)
	for _, uri := range badURIs {
		for _, field := range []string{"redirect_uris", "post_logout_redirect_uris"} {
			body := described("New")
			body[field] = []string{"https://fine.example/cb", uri}
			for call, o := range map[string]outcome{
				"POST": p.call("POST", all, body), "PATCH": p.call("PATCH", all+"/acme-portal-001", object{field: body[field]}),
			} {
				if o.Code != 400 || o.Problem == nil || o.Problem.Type != "VALIDATION_ERROR" || len(o.Problem.Details[field]) != 1 {
					t.Errorf("%s with %s %q: %s", call, field, uri, o.Raw)
				}
			}
		}
		in := registry.Defaults()
		in.ClientID, in.Name, in.RedirectURIs = "new", "New", []string{uri}
		if _, err := s.Clients.Create(t.Context(), audit.Shell(), in); err == nil {
			t.Errorf("CreateClient takes %q", uri)
		}
		if _, _, err := s.Clients.Register(t.Context(), audit.Shell(), in, true); err == nil {
			t.Errorf("RegisterClient takes %q", uri)
		}
		_, err := s.Clients.Update(t.Context(), audit.Shell(), "", "acme-portal-001", func(in *registry.Registration) { in.RedirectURIs = []string{uri} })
		if err == nil {
			t.Errorf("UpdateClient takes %q", uri)
		}
	}
	if o := p.call("GET", all, nil); o.at("count") != 2. {
		t.Errorf("%v clients afterwards, want 2", o.at("count"))
	}
	// Literal neighbours are just that.
	p.call("POST", all, object{"name": "X", "redirect_uris": []string{"https://portalXacme-corp.com/cb", "com.acmecorp.app.evil://oauth/callback"}}).
		succeeded(201, "Client created successfully")
}

func TestWildInputIsRefused(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		all, p := clientsOf(t, s, "acme-corp"), in(t, s, carol)
		many := make([]string, 65)
		for i := range many {
			many[i] = fmt.Sprintf("https://a.example/%d", i)
		}
		for field, values := range map[string][]any{
			"name":                   {"", "  ", strings.Repeat("x", 256), "a\x01b", 1, []string{"x"}},
			"application_type":       {"", "spa", 1},
			"redirect_uris":          {[]string{}, many, "https://a.example/cb", []any{1}, []any{nil}, object{}},
			"grant_types":            {[]string{"implicit"}, []string{"password"}, []string{"authorization_code refresh_token"}, []string{""}},
			"scopes":                 {[]string{"a b"}, []string{`a"b`}, []string{""}, []string{"ä"}, []string{"a\\b"}, []string{strings.Repeat("x", 129)}},
			"allow":                  {[]string{}, []string{"nobody"}, []string{"role:"}, []string{"role:king"}, []string{"everyone", "role:admin"}, []string{"role:owner role:admin"}, "everyone"},
			"access_token_lifetime":  {0, -1, 1.5, "60", 1e18, int64(1) << 62},
			"id_token_lifetime":      {0},
			"refresh_token_lifetime": {315360001},
			"logo_uri":               {"javascript:alert(1)", "data:image/png;base64,x", "//a.example/x", "x", "app:/x"},
			"client_uri":             {"javascript:alert(1)"},
			"policy_uri":             {"http://a.example/"},
			"tos_uri":                {"https://a.example/ x"},
			"is_active":              {"yes", 1},
		} {
			for _, value := range values {
				body := described("New")
				body[field] = value
				p.call("POST", all, body).wantOneOf(400)
				p.call("PATCH", all+"/acme-portal-001", object{field: value}).wantOneOf(400)
			}
		}
		for _, body := range []string{"", "[]", "null", `"x"`, `{"name":"a","name":"b"}`, `{"name":"\u0000"}`, "{", `{"name":"x","client_id":"mine","redirect_uris":["https://a.example/"]}`} {
			p.call("POST", all, body).wantOneOf(400)
		}
		p.call("POST", all, object{"name": "X", "public": true, "grant_types": []string{"client_credentials"}}).failed(400, "VALIDATION_ERROR", "")
		for _, id := range []string{"%00", "..%2fx", "a%20b", "%ff%fe", strings.Repeat("x", 500), "nobody"} {
			p.call("GET", all+"/"+id, nil).failed(404, "NOT_FOUND", "")
			p.call("DELETE", all+"/"+id, nil).failed(404, "NOT_FOUND", "")
		}
		for _, org := range []string{"%00", "x", storage.NewID(), "%ff"} {
			p.call("GET", "/api/v1/organizations/"+org+"/clients", nil).failed(404, "NOT_FOUND", "Organization not found")
		}
		for _, overlap := range []any{-1, 2592001, "1", 1.5, 1e30} {
			p.call("POST", all+"/acme-portal-001/secret", object{"overlap": overlap}).wantOneOf(400)
		}
		acmePortal.tokens(t, s, servertest.Browser(t)) // as it was
	})
}
