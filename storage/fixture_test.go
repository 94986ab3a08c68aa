package storage_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// odd is a text with what quoting and encoding get wrong.
const odd = "Zoë 🦊 'one' \"two\" `three` \\ ? ?? ?0 $1 %s :x ; -- /* \n\t\u202e {} \u0301é"

// serial tells the records of a test apart.
var serial atomic.Int64

// noon is an instant with a zone and with more than milliseconds.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 123_456_789, time.FixedZone("east", 3600))

func newUser() *storage.User {
	return &storage.User{
		ID: storage.NewID(), Email: fmt.Sprintf("user%d@example.com", serial.Add(1)),
		FullName: "A User", Status: storage.Active,
		CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon),
	}
}

func newOrg() *storage.Organization {
	return &storage.Organization{
		ID: storage.NewID(), Slug: fmt.Sprintf("org-%d", serial.Add(1)), Name: "An Organization",
		IsActive: true, CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon),
	}
}

func newMember(org *storage.Organization, user *storage.User) *storage.Member {
	return &storage.Member{
		ID: storage.NewID(), OrganizationID: org.ID, UserID: user.ID, Role: storage.RoleMember,
		CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon),
	}
}

func newClient() *storage.Client {
	return &storage.Client{
		ID: storage.NewID(), ClientID: fmt.Sprintf("client-%d", serial.Add(1)), Name: "A Client",
		ApplicationType: "web", IsActive: true,
		CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon),
	}
}

func newSession(user *storage.User) *storage.Session {
	return &storage.Session{
		ID: storage.NewID(), UserID: user.ID, Kind: storage.WebSession,
		TokenHash: storage.Hash(storage.NewID()), AuthenticatedAt: storage.At(noon),
		CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon), LastActivityAt: storage.At(noon),
		ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func newGrant(user *storage.User, client *storage.Client) *storage.Grant {
	return &storage.Grant{
		ID: storage.NewID(), UserID: user.ID, ClientID: client.ID, Scopes: storage.Words{"openid"},
		AuthenticatedAt: storage.At(noon), CreatedAt: storage.At(noon),
		ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func newCode(grant *storage.Grant) *storage.Code {
	return &storage.Code{
		Hash: storage.Hash(storage.NewID()), GrantID: grant.ID, RedirectURI: "https://app.example/cb",
		CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Minute)),
	}
}

func newRefreshToken(grant *storage.Grant) *storage.RefreshToken {
	return &storage.RefreshToken{
		Hash: storage.Hash(storage.NewID()), GrantID: grant.ID,
		CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func newFlow() *storage.Flow {
	return &storage.Flow{
		ID: storage.NewID(), BrowserHash: storage.Hash("browser"), Request: "{}",
		CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func newLink() *storage.Link {
	return &storage.Link{
		Hash: storage.Hash(storage.NewID()), Purpose: storage.SetupLink,
		CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func newInvitation(org *storage.Organization, email string) *storage.Invitation {
	return &storage.Invitation{
		ID: storage.NewID(), Hash: storage.Hash(storage.NewID()), OrganizationID: org.ID, Email: email,
		Role: storage.RoleMember, CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func newAPIToken(user *storage.User, org *storage.Organization) *storage.APIToken {
	t := &storage.APIToken{
		ID: storage.NewID(), Kind: storage.PersonalToken, Name: "A Token", TokenHash: storage.Hash(storage.NewID()),
		Scopes: storage.Words{"profile:read"}, CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
	if user != nil {
		t.UserID, t.CreatedByID = storage.Ref(user.ID), storage.Ref(user.ID)
		return t
	}
	t.Kind, t.OrganizationID = storage.ServiceToken, storage.Ref(org.ID)
	return t
}

func newKey(algorithm, state string) *storage.Key {
	return &storage.Key{
		ID: storage.NewID(), Algorithm: algorithm, State: state, Private: []byte("private " + algorithm),
		CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon),
	}
}

func newEvent() *storage.Event {
	return &storage.Event{ID: storage.NewID(), At: storage.At(noon), Action: "test", Outcome: "success"}
}

// world is one of each record that others belong to.
type world struct {
	user     *storage.User
	org      *storage.Organization
	member   *storage.Member
	client   *storage.Client
	session  *storage.Session
	grant    *storage.Grant
	code     *storage.Code
	refresh  *storage.RefreshToken
	flow     *storage.Flow
	link     *storage.Link
	factor   *storage.FirstFactor // of no flow
	guessed  *storage.FirstFactor // as well
	token    *storage.APIToken    // of the user
	service  *storage.APIToken    // of the organization, made by the user
	passkey  *storage.Passkey
	ceremony *storage.Ceremony
	device   *storage.DeviceCode // that waits
	refused  *storage.DeviceCode // as well
	polled   *storage.DeviceCode // as well
	allowed  *storage.DeviceCode // by the grant
	pushed   *storage.PushedRequest

	provider  *storage.Provider // of the organization
	departure *storage.Departure
	identity  *storage.Identity
	saml      *storage.Service
}

func newTOTP(user *storage.User) *storage.TOTP {
	return &storage.TOTP{UserID: user.ID, Secret: []byte("secret of " + user.ID), CreatedAt: storage.At(noon)}
}

func newFirstFactor(user *storage.User, flow *storage.Flow) *storage.FirstFactor {
	return &storage.FirstFactor{
		Hash: storage.Hash(storage.NewID()), UserID: user.ID, FlowID: storage.Ref(flow.ID), Kind: storage.WebSession,
		Methods: storage.Words{"pwd"}, PasswordChangedAt: storage.At(noon), CreatedAt: storage.At(noon),
		ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func newPasskey(u *storage.User) *storage.Passkey {
	id := storage.NewID()
	return &storage.Passkey{
		ID: id, UserID: u.ID, CredentialID: "credential of " + id, PublicKey: "key", SignCount: 7,
		Transports: storage.Words{"internal", "hybrid"}, AAGUID: "model", BackupEligible: true, Name: "Phone",
		CreatedAt: storage.At(noon),
	}
}

func newCeremony(u *storage.User) *storage.Ceremony {
	return &storage.Ceremony{
		Hash: storage.Hash(storage.NewID()), Purpose: "purpose", Binding: "binding", UserID: storage.Ref(u.ID),
		CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func newDeviceCode(client *storage.Client) *storage.DeviceCode {
	return &storage.DeviceCode{
		Hash: storage.Hash(storage.NewID()), UserCode: storage.NewID(), ClientID: client.ID, Scopes: storage.Words{"openid"},
		IPAddress: "2001:db8::7", Pause: 5000, CreatedAt: storage.At(noon), PolledAt: storage.At(noon.Add(-5 * time.Second)),
		ExpiresAt: storage.At(noon.Add(10 * time.Minute)),
	}
}

func newPushedRequest(c *storage.Client) *storage.PushedRequest {
	return &storage.PushedRequest{
		Hash: storage.Hash(storage.NewID()), ClientID: c.ID, Request: "what was asked",
		ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func newWorld(t testing.TB, db *storage.DB) *world {
	t.Helper()
	w := &world{user: newUser(), org: newOrg(), client: newClient(), flow: newFlow(), link: newLink()}
	w.member, w.session = newMember(w.org, w.user), newSession(w.user)
	w.client.OrganizationID = storage.Ref(w.org.ID)
	w.grant = newGrant(w.user, w.client)
	w.grant.SessionID, w.flow.SessionID = storage.Ref(w.session.ID), storage.Ref(w.session.ID)
	w.link.UserID = storage.Ref(w.user.ID)
	w.factor, w.guessed = newFirstFactor(w.user, w.flow), newFirstFactor(w.user, w.flow)
	w.factor.FlowID, w.guessed.FlowID = "", ""
	w.token, w.service = newAPIToken(w.user, nil), newAPIToken(nil, w.org)
	w.service.CreatedByID = storage.Ref(w.user.ID)
	w.passkey, w.ceremony = newPasskey(w.user), newCeremony(w.user)
	w.device, w.allowed = newDeviceCode(w.client), newDeviceCode(w.client)
	w.refused, w.polled = newDeviceCode(w.client), newDeviceCode(w.client)
	w.allowed.GrantID = storage.Ref(w.grant.ID)
	w.pushed = newPushedRequest(w.client)
	w.provider, w.saml = newProvider(), newService()
	w.provider.OrganizationID = storage.Ref(w.org.ID)
	w.departure, w.identity = newDeparture(w.provider), newIdentity(w.provider, w.user)
	w.code, w.refresh = newCode(w.grant), newRefreshToken(w.grant)
	update(t, db, func(ctx context.Context, tx *storage.Tx) error {
		return first(
			tx.InsertUser(ctx, w.user), tx.InsertOrganization(ctx, w.org),
			tx.InsertMember(ctx, w.member), tx.InsertClient(ctx, w.client),
			tx.InsertSession(ctx, w.session), tx.InsertGrant(ctx, w.grant),
			tx.InsertCode(ctx, w.code), tx.InsertRefreshToken(ctx, w.refresh),
			tx.InsertFlow(ctx, w.flow), tx.InsertLink(ctx, w.link),
			tx.InsertFirstFactor(ctx, w.factor), tx.InsertFirstFactor(ctx, w.guessed),
			tx.InsertAPIToken(ctx, w.token), tx.InsertAPIToken(ctx, w.service),
			tx.SaveTOTP(ctx, newTOTP(w.user)),
			tx.SaveRecoveryCodes(ctx, w.user.ID, false, []storage.RecoveryCode{
				{Hash: "recovery code", CreatedAt: storage.At(noon)},
			}),
			tx.InsertDeviceCode(ctx, w.device), tx.InsertDeviceCode(ctx, w.allowed),
			tx.InsertDeviceCode(ctx, w.refused), tx.InsertDeviceCode(ctx, w.polled),
			tx.InsertPasskey(ctx, w.passkey), tx.InsertCeremony(ctx, w.ceremony),
			tx.InsertPushedRequest(ctx, w.pushed),
			tx.InsertProvider(ctx, w.provider), tx.InsertDeparture(ctx, w.departure),
			tx.InsertIdentity(ctx, w.identity), tx.InsertService(ctx, w.saml),
			tx.SavePassword(ctx, &storage.Password{
				UserID: w.user.ID, Hash: "hash", ChangedAt: storage.At(noon),
			}),
			tx.SaveConsent(ctx, &storage.Consent{
				UserID: w.user.ID, ClientID: w.client.ID, Scopes: storage.Words{"openid"},
				CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon),
			}),
		)
	})
	return w
}

// first returns the first error there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// update runs fn in a transaction that must succeed.
func update(t testing.TB, db *storage.DB, fn func(ctx context.Context, tx *storage.Tx) error) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *storage.Tx) error { return fn(t.Context(), tx) })
	if err != nil {
		t.Fatalf("update: %v", err)
	}
}

// execute runs statements as they are, behind the back of every cache.
func execute(t testing.TB, db *storage.DB, statements ...string) {
	t.Helper()
	update(t, db, func(ctx context.Context, tx *storage.Tx) error {
		return tx.Exec(ctx, strings.Join(statements, ";\n"))
	})
}

// texts returns the first column of what a query finds.
func texts(t testing.TB, db *storage.DB, query string) []string {
	t.Helper()
	found, err := db.Texts(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return found
}

// count returns how many rows a table has.
func count(t testing.TB, db *storage.DB, table string) string {
	t.Helper()
	return texts(t, db, "SELECT COUNT(*) FROM "+table)[0]
}

// eventually waits until what is true, for at most limit.
func eventually(t testing.TB, limit time.Duration, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// again opens a database another time: another process, as far as storage can tell.
func again(t testing.TB, url string) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

// pair opens one migrated database twice.
func pair(t testing.TB, engine string) (here, there *storage.DB) {
	t.Helper()
	url := storagetest.URL(t, engine)
	here = again(t, url)
	if _, err := here.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	there = again(t, url)
	eventually(t, 10*time.Second, "caching", func() bool { return here.IsCaching() && there.IsCaching() })
	return here, there
}
