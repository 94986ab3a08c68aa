package servertest_test

import (
	"encoding/base32"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/server"
	"authy/server/audit"
	"authy/server/importer"
	"authy/server/importer/gatehouse"
	"authy/server/importer/gatehouse/gatehousetest"
	"authy/server/provider"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

// imported starts an empty server on an engine and imports a database of Gatehouse of the
// other engine, with further statements run on it, after prepare.
func imported(
	t *testing.T, engine string, prepare func(s *servertest.Server) (statements []string),
) (*servertest.Server, *importer.Report) {
	t.Helper()
	s := servertest.Start(t, servertest.Options{
		Empty: true, DatabaseURL: storagetest.Migrated(t, engine), Configure: toStubs,
	})
	from := map[string]string{"sqlite": "postgres", "postgres": "sqlite"}[engine]
	records, err := gatehouse.Read(t.Context(), gatehousetest.New(t, from, prepare(s)...))
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.Import(t.Context(), audit.Shell(), records, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, report
}

// comeOver calls fn with servers that have imported, on each engine.
func comeOver(
	t *testing.T, prepare func(s *servertest.Server) []string, fn func(t *testing.T, s *servertest.Server, r *importer.Report),
) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s, report := imported(t, engine, prepare)
			fn(t, s, report)
		})
	}
}

func unprepared(*servertest.Server) []string { return nil }

// The passwords of those who come over are what they were, and so is sub.
func TestWhoComesOverSignsInAsBefore(t *testing.T) {
	t.Parallel()
	comeOver(t, unprepared, func(t *testing.T, s *servertest.Server, _ *importer.Report) {
		for n, email := range []string{"admin@acme-corp.com", "superadmin@acme-corp.com", bob, "", "david@acme-corp.com"} {
			if email == "" {
				continue // Carol has an authenticator
			}
			c := logIn(t, s, email, server.SeedPassword(email))
			me := c.call("GET", "/api/v1/auth/me", nil).succeeded(200, "User retrieved successfully")
			if id := gatehousetest.ID(n + 1); me.text("user", "id") != id || me.at("user", "email_verified") != false ||
				!strings.HasPrefix(me.text("user", "created_at"), "2026-01-16T01:04:40") {
				t.Errorf("%s is %s, want %s", email, me.Raw, id)
			}
			// The hash is of authy's own form from the first sign-in on.
			kept, err := s.DB.Password(t.Context(), gatehousetest.ID(n+1))
			if err != nil || !strings.HasPrefix(kept.Hash, "{bcrypt-sha256}") {
				t.Errorf("the password of %s is kept as %.8s…, %v", email, kept.Hash, err)
			}
			logIn(t, s, email, server.SeedPassword(email))
		}
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": "UserPass123?"}).
			failed(401, "AUTHENTICATION_ERROR", "Invalid email or password")
		home := logIn(t, s, "admin@acme-corp.com", "AdminPass123!").call("GET", "/api/v1/users/me/organizations", nil).
			succeeded(200, "Organizations retrieved successfully")
		if home.at("count") != 2.0 {
			t.Errorf("the organizations of Alice are %s", home.Raw)
		}
	})
}

// halfway sends the password of carol and returns the token of what is pending.
func halfway(t *testing.T, s *servertest.Server) string {
	t.Helper()
	return caller{t: t, s: s}.
		call("POST", "/api/v1/auth/login", object{"email": "carol@acme-corp.com", "password": "UserPass123!"}).
		succeeded(200, pendingMessage).text("pending_token")
}

func TestAnAuthenticatorAndItsCodesComeOver(t *testing.T) {
	t.Parallel()
	comeOver(t, unprepared, func(t *testing.T, s *servertest.Server, _ *importer.Report) {
		secret, err := base32.StdEncoding.DecodeString(gatehousetest.CarolsSecret)
		if err != nil {
			t.Fatal(err)
		}
		const passed = "TOTP verification successful"
		verify(t, s, halfway(t, s), "000000").failed(401, "AUTHENTICATION_ERROR", wrongCode)
		c := caller{t: t, s: s}
		c.token = verify(t, s, halfway(t, s), servertest.TOTP(secret, time.Now())).succeeded(200, passed).text("token")
		left := func(want float64) {
			t.Helper()
			o := c.call("GET", "/api/v1/auth/totp/status", nil).succeeded(200, "TOTP status retrieved successfully")
			if o.at("backup_codes_remaining") != want || o.at("verified_at") != "2026-02-01T08:00:00Z" {
				t.Errorf("status %s, want %v codes", o.Raw, want)
			}
		}
		left(10)
		verify(t, s, halfway(t, s), gatehousetest.CarolsCode, "is_backup_code", true).succeeded(200, passed)
		left(9)
		verify(t, s, halfway(t, s), gatehousetest.CarolsCode, "is_backup_code", true).
			failed(401, "AUTHENTICATION_ERROR", "Invalid backup code")
		verify(t, s, halfway(t, s), strings.ToLower(gatehousetest.OtherCode), "is_backup_code", true).succeeded(200, passed)
		left(8)
		// Whoever reads the database knows no code.
		kept, err := s.DB.RecoveryCodes(t.Context(), gatehousetest.ID(4))
		if err != nil || len(kept) != 8 {
			t.Fatal(kept, err)
		}
		verify(t, s, halfway(t, s), kept[0].Hash, "is_backup_code", true).
			failed(401, "AUTHENTICATION_ERROR", "Invalid backup code")
	})
}

func TestAPasskeyComesOver(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var key *servertest.Authenticator
			s, _ := imported(t, engine, func(s *servertest.Server) []string {
				key = newKey(t, s, servertest.ES256)
				key.User, key.Counter = []byte(gatehousetest.ID(5)), 41
				return []string{fmt.Sprintf(`INSERT INTO authentication_methods (id, created_at, updated_at, user_id, method_type,
					provider_data, is_primary, verified) VALUES ('30000000-0000-4000-8000-000000000099', '2026-01-16 00:00:00',
					'2026-01-16 00:00:00', '%s', 'WEBAUTHN', '{"credential_id": "%s", "public_key_cose": "%s", "sign_count": 40,
					"transports": ["usb"], "name": "David''s key"}', FALSE, TRUE)`,
					gatehousetest.ID(5), key.CredentialID(), key.PublicKey())}
			})
			key.Flags |= 1 << 3 // it can be backed up, which nobody has kept
			email := "david@acme-corp.com"
			c := caller{t: t, s: s}
			c.token = beginKey(t, s, object{"email": email}).complete(key).succeeded(200, "Login successful").text("token")
			list := c.call("GET", keysPath, nil).succeeded(200, "Credentials retrieved successfully")
			keys, _ := list.at("credentials").([]any)
			if len(keys) != 1 {
				t.Fatalf("the passkeys are %s", list.Raw)
			}
			kept, _ := keys[0].(map[string]any)
			if kept["name"] != "David's key" || kept["id"] != key.CredentialID() || kept["sign_count"] != 41.0 {
				t.Errorf("the passkey is %v", kept)
			}
			// What its first use has said of it holds.
			key.Counter, key.Flags = 50, key.Flags&^(1<<3)
			beginKey(t, s, object{"email": email}).complete(key).failed(401, "AUTHENTICATION_ERROR", wrongAssertion)
			// A counter that does not grow is that of a copy.
			key.Counter, key.Flags = 41, key.Flags|1<<3
			beginKey(t, s, object{"email": email}).complete(key).failed(401, "AUTHENTICATION_ERROR", "")
		})
	}
}

func TestTheSecretsOfClientsComeOver(t *testing.T) {
	t.Parallel()
	comeOver(t, unprepared, func(t *testing.T, s *servertest.Server, _ *importer.Report) {
		kept := func(id string) string {
			t.Helper()
			c, err := s.DB.Client(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return c.SecretHash
		}
		if !strings.HasPrefix(kept(dataAPI.id), "$2b$") {
			t.Errorf("the secret came as %.4s…", kept(dataAPI.id))
		}
		grant := url.Values{"grant_type": {"client_credentials"}, "scope": {"api:read"}}
		wrong := dataAPI
		wrong.secret = "data_secret_api_2025"
		wrong.post(t, s, tokenPath, grant).refused(t, http.StatusUnauthorized, "invalid_client")
		dataAPI.post(t, s, tokenPath, grant).tokens(t)
		if strings.HasPrefix(kept(dataAPI.id), "$2") {
			t.Error("the secret is compared slowly from now on, too")
		}
		dataAPI.post(t, s, tokenPath, grant).tokens(t)
		wrong.post(t, s, tokenPath, grant).refused(t, http.StatusUnauthorized, "invalid_client")
		// Bob signs in to the portal as ever, and is who he was.
		portal := acmePortal.tokens(t, s, servertest.Browser(t))
		who := raw(t, http.MethodGet, s.URL+userinfoPath, "", func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+portal.Access)
		})
		if !strings.Contains(string(who.body), gatehousetest.ID(3)) {
			t.Errorf("Bob is %s at the portal, want %s", who.body, gatehousetest.ID(3))
		}
	})
}

func TestLinksComeOverToProvidersThatAreThere(t *testing.T) {
	t.Parallel()
	var stub *servertest.StubOIDC
	s, report := imported(t, "sqlite", func(s *servertest.Server) []string {
		stub = servertest.NewStubGoogle(t)
		for _, d := range []provider.Description{
			{Kind: provider.Google, Issuer: stub.Issuer, ClientID: stub.ClientID, Secret: stub.Secret},
			{Kind: provider.GitHub, ClientID: "client", Secret: "secret"},
		} {
			if _, err := s.Providers.Create(t.Context(), audit.Shell(), d); err != nil {
				t.Fatal(err)
			}
		}
		return nil
	})
	if came := report.Count("link", importer.Came); came != 2 {
		t.Errorf("%d links came, want Google's and GitHub's: %+v", came, report.With(importer.LeftOut))
	}
	comesAs(stub, "sub", "108000000000000000001", "email", "frank@elsewhere.example", "email_verified", true)
	v := newVisitor(t, s)
	v.leads(v.via("google"), "/account")
	sessions, _, err := s.Sessions.List(t.Context(), gatehousetest.ID(7), "", 10)
	if err != nil || len(sessions) != 1 {
		t.Errorf("Frank has the sessions %+v, %v, want one by way of Google", sessions, err)
	}
}

// A provider may be added after the import, until the user signs in.
func TestLinksComeLaterForWhoHasNotSignedIn(t *testing.T) {
	t.Parallel()
	s, _ := imported(t, "sqlite", unprepared)
	d := provider.Description{Kind: provider.GitHub, ClientID: "client", Secret: "secret"}
	if _, err := s.Providers.Create(t.Context(), audit.Shell(), d); err != nil {
		t.Fatal(err)
	}
	records, err := gatehouse.Read(t.Context(), gatehousetest.New(t, "sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	again := func(dry bool) int {
		t.Helper()
		report, err := s.Import(t.Context(), audit.Shell(), records, importer.Options{DryRun: dry})
		if err != nil {
			t.Fatal(err)
		}
		return report.Count("link", importer.Came)
	}
	if n := again(true); n != 1 {
		t.Errorf("%d links would come later, want Henry's", n)
	}
	henry := "henry@tech-startup.com"
	logIn(t, s, henry, server.SeedPassword(henry))
	if n := again(false); n != 0 {
		t.Errorf("%d links came to who has signed in here", n)
	}
}
