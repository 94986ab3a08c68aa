package openid

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/registry"
	"authy/storage"
	"authy/storage/storagetest"
)

// whole is a description with every member, in the words of the specifications.
const whole = `{"client_name":"RP","application_type":"web","redirect_uris":["https://rp.example/cb"],
"post_logout_redirect_uris":["https://rp.example/bye"],"response_types":["code"],"grant_types":["authorization_code","refresh_token"],
"scope":"openid offline_access","token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_signing_alg":"ES256",
"logo_uri":"https://rp.example/logo.png","client_uri":"https://rp.example/","policy_uri":"https://rp.example/policy","tos_uri":"https://rp.example/tos",
"contacts":["ops@rp.example"],"software_id":"4NRB1","software_version":"2",
"jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]},
"subject_type":"pairwise","id_token_signed_response_alg":"ES256","userinfo_signed_response_alg":"RS256","introspection_signed_response_alg":"PS256","request_object_signing_alg":"RS256",
"request_uris":["https://rp.example/request#hash"],"require_signed_request_object":true,"require_pushed_authorization_requests":true,
"dpop_bound_access_tokens":true,"default_max_age":3600,"default_acr_values":["a","b"],"initiate_login_uri":"https://rp.example/begin",
"backchannel_logout_uri":"https://rp.example/back","backchannel_logout_session_required":true,
"frontchannel_logout_uri":"https://rp.example/front","frontchannel_logout_session_required":true}`

func registrar(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{Config: Config{Issuer: testIssuer}, clients: registry.New(storagetest.New(t))}
	p.clients.Dynamic.Mode = registry.RegistrationOpen
	return p
}

func TestWhatIsRegisteredIsAllAnsweredAndCanBeSentAgain(t *testing.T) {
	t.Parallel()
	p, ctx := registrar(t), t.Context()
	sent, err := parseMetadata([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	in, err := sent.registration()
	if err != nil {
		t.Fatal(err)
	}
	made, err := p.clients.Enroll(ctx, audit.Actor{}, "", in)
	if err != nil {
		t.Fatal(err)
	}
	answered := p.metadataOf(made.Client, made.Token)
	want, got := map[string]any{}, map[string]any{}
	text, err := json.Marshal(answered)
	if err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal([]byte(whole), &want) != nil || json.Unmarshal(text, &got) != nil {
		t.Fatalf("not JSON: %s", text)
	}
	for _, name := range []string{"client_id", "client_id_issued_at", "registration_access_token", "registration_client_uri"} {
		if got[name] == nil {
			t.Errorf("%s is missing", name)
		}
		delete(got, name)
	}
	want["scope"] = "openid offline_access"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answered (-sent +got):\n%s", diff)
	}
	// Sent again as it was answered it changes nothing.
	again, err := p.clients.ChangeOwn(ctx, audit.Actor{}, made.Client.ClientID, made.Token, in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(answered, p.metadataOf(again.Client, made.Token)); diff != "" {
		t.Errorf("sent again (-before +after):\n%s", diff)
	}
}

func TestNamesOfOtherCaseAreUnknown(t *testing.T) {
	t.Parallel()
	got, err := parseMetadata([]byte(`{"Scope":"a","SCOPE":"b","\u017fcope":"c","client_name#de":"d","client_name":"RP","jwks":null}`))
	if diff := cmp.Diff(clientMetadata{ClientName: "RP"}, got); diff != "" || err != nil {
		t.Errorf("parseMetadata(), %v (-want +got):\n%s", err, diff)
	}
}

func TestAMemberOfAnotherTypeIsNamed(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"client_name":1}`:                   "client_name: it is of another type",
		`{"contacts":"ops"}`:                  "contacts: it is of another type",
		`{"contacts":["ops",1]}`:              "contacts: it is of another type",
		`{"dpop_bound_access_tokens":"true"}`: "dpop_bound_access_tokens: it is of another type",
		`{"default_max_age":"x"}`:             "default_max_age: it is of another type",
	} {
		if _, err := parseMetadata([]byte(body)); err == nil || err.Error() != want {
			t.Errorf("parseMetadata(%s): %v, want %s", body, err, want)
		}
	}
}

func TestAClientRegistersOnlyWhatItMayChooseForItself(t *testing.T) {
	t.Parallel()
	sent, err := parseMetadata([]byte(`{"client_name":"RP","lean_id_token":"x","access_token_format":"opaque",
"resources":["https://a.example"],"exchange":["impersonation"],"exchange_for":["web"],"code_lifetime":600,"default_max_age":-1}`))
	if err != nil {
		t.Fatal(err)
	}
	in, err := sent.registration()
	if err != nil {
		t.Fatal(err)
	}
	unset := registry.Seconds(-1) // which is refused, and unsets nothing here
	if diff := cmp.Diff(registry.Options{DefaultMaxAge: &unset}, in.Options); diff != "" {
		t.Errorf("registration() (-want +got):\n%s", diff)
	}
}

func TestACodeLastsAsLongAsItsClientSays(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	now, by := time.Now(), audit.Actor{Kind: audit.Anonymous}
	user := newUser(t, p)
	session := &storage.Session{
		ID: storage.NewID(), UserID: user, Kind: storage.WebSession, TokenHash: "x", AuthenticatedAt: storage.At(now), CreatedAt: storage.At(now),
		UpdatedAt: storage.At(now), LastActivityAt: storage.At(now), ExpiresAt: storage.At(now.Add(time.Hour)),
	}
	old := registry.Defaults()
	old.ClientID, old.Name, old.RedirectURIs = "old", "Old", []string{"https://old.example/cb"}
	old.Options = registry.Options{Profile: registry.Legacy, CodeLifetime: 300}
	if _, err := p.clients.Create(t.Context(), audit.Shell(), old); err != nil {
		t.Fatal(err)
	}
	update(t, p, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertSession(ctx, session) })
	for client, want := range map[string]time.Duration{"web": time.Minute, "old": 5 * time.Minute} {
		update(t, p, func(ctx context.Context, tx *storage.Tx) error {
			r := &Request{ClientID: client, RedirectURI: "https://" + client + ".example/cb", Scopes: []string{"openid"}}
			to, err := p.Issue(ctx, tx, by, now, r, session, true)
			if err != nil {
				return err
			}
			address, err := url.Parse(to.Location)
			if err != nil {
				return err
			}
			code, err := tx.Code(ctx, storage.Hash(address.Query().Get("code")))
			if err == nil && !code.ExpiresAt.Equal(storage.At(now.Add(want)).Time) {
				t.Errorf("a code of %s lasts %v, want %v", client, code.ExpiresAt.Sub(now), want)
			}
			return err
		})
	}
}

// FuzzRegistration registers whatever can be read: what is kept holds.
func FuzzRegistration(f *testing.F) {
	for _, seed := range []string{
		whole, `{}`, `{"redirect_uris":["https://rp.example/cb"]}`, `{"redirect_uris":["javascript:alert(1)"]}`, `{"jwks":{"keys":[{"kty":"oct","k":"AA"}]}}`,
		`{"default_max_age":-1}`, `{"scope":"openid","grant_types":["refresh_token"]}`, `{"redirect_uris":["https://a/"],"redirect_uris":[]}`, `[`,
	} {
		f.Add([]byte(seed))
	}
	p := registrar(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 4096 {
			return
		}
		sent, err := parseMetadata(body)
		if err != nil {
			return
		}
		if bytes.Contains(bytes.ToLower(body), []byte("sector_identifier_uri")) {
			sent.SectorIdentifierURI = nil
		}
		in, err := sent.registration()
		if err != nil {
			return
		}
		made, err := p.clients.Enroll(t.Context(), audit.Actor{}, "", in)
		if err != nil {
			return
		}
		c := made.Client
		for _, uri := range c.RedirectURIs {
			if strings.ContainsAny(uri, "# \n") || !strings.Contains(uri, ":") || strings.HasPrefix(strings.ToLower(uri), "javascript:") {
				t.Errorf("the redirect URI %q was registered by %s", uri, body)
			}
		}
		for _, scope := range c.Scopes {
			if !has(registry.DynamicScopes, scope) {
				t.Errorf("the scope %q was registered by %s", scope, body)
			}
		}
		if c.SkipConsent || !c.RequirePKCE || c.OrganizationID != "" || has(c.GrantTypes, "client_credentials") {
			t.Errorf("%s has registered %+v", body, c)
		}
		if found, err := p.clients.Own(t.Context(), audit.Actor{}, c.ClientID, made.Token); err != nil || found.ClientID != c.ClientID {
			t.Errorf("%s: %v", body, err)
		}
	})
}
