package servertest_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/registry"
	"authy/server/saml2"
	"authy/server/servertest"
	"authy/server/token"
	"authy/server/webhook"
	"authy/storage"
)

// scene is an organization and the people around it, each made when they are
// first needed.
type scene struct {
	t      *testing.T
	s      *servertest.Server
	box    *servertest.Outbox
	strict string // id of an organization that asks for a passkey at once
	number int64
	people map[string]*person // by the part that they play
	things map[string]string  // what a name in braces stands for
}

// person is somebody in a scene, with a program that has their credential.
type person struct {
	caller
	id, email string
}

// scenes numbers the scenes of a test process.
var scenes atomic.Int64

// newScene sets a server up for scenes and returns the first.
func newScene(t *testing.T, s *servertest.Server, box *servertest.Outbox) *scene {
	t.Helper()
	makeAdmin(t, s, root) // so that there is always another
	ctx, shell, eve := t.Context(), audit.Shell(), userID(t, s, cast["owner"])
	o, err := s.Orgs.Create(ctx, shell, org.NewOrg{Slug: "strict", Name: "Strict", OwnerID: eve})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Orgs.SetOverride(ctx, shell, o.ID, eve, org.Override{Mode: org.OverrideExempt}); err != nil {
		t.Fatal(err)
	}
	mode, grace := org.RequireWebAuthn, int64(0)
	if _, err := s.Orgs.SetPolicy(ctx, shell, o.ID, org.PolicyChange{Mode: &mode, GraceDays: &grace}); err != nil {
		t.Fatal(err)
	}
	return (&scene{s: s, box: box, strict: o.ID}).fresh(t)
}

// fresh is another scene on the same server.
func (sc *scene) fresh(t *testing.T) *scene {
	return &scene{
		t: t, s: sc.s, box: sc.box, strict: sc.strict, number: scenes.Add(1),
		people: map[string]*person{}, things: map[string]string{},
	}
}

// do fails the test on an error of what a scene needs.
func (sc *scene) do(err error) {
	sc.t.Helper()
	if err != nil {
		sc.t.Fatal(err)
	}
}

// roles are the parts that are played by members.
var roles = map[string]org.Role{
	"guest": org.Guest, "member": org.Member, "admin": org.Admin, "suspended": org.Admin, "removed": org.Admin,
	"personal": org.Member, "limited": org.Admin, "target": org.Member, "admin2": org.Admin,
}

// person is who plays a part.
func (sc *scene) person(part string) *person {
	sc.t.Helper()
	if p := sc.people[part]; p != nil {
		return p
	}
	p := &person{caller: caller{t: sc.t, s: sc.s}}
	sc.people[part] = p
	switch part {
	case "nobody":
	case "garbage":
		p.token = letters(43)
	case "service":
		p.token = sc.service(sc.home())
	case "alien":
		p.token = sc.service(sc.owned("alien", "foreign"))
	default:
		sc.enrol(p, part)
		sc.cast(p, part)
	}
	return p
}

// enrol makes an account for somebody and signs them in.
func (sc *scene) enrol(p *person, part string) {
	sc.t.Helper()
	p.email = fmt.Sprintf("%s-%d@example.com", part, sc.number)
	u, err := sc.s.Accounts.Create(sc.t.Context(), audit.Shell(), account.NewUser{
		Email: p.email, Password: passphrase, EmailVerified: true, Admin: part == "root",
	})
	sc.do(err)
	p.id, p.token = u.ID, logIn(sc.t, sc.s, p.email, passphrase).token
}

// cast puts somebody where their part wants them.
func (sc *scene) cast(p *person, part string) {
	sc.t.Helper()
	ctx, shell, orgs := sc.t.Context(), audit.Shell(), sc.s.Orgs
	if role, ok := roles[part]; ok {
		sc.do(orgs.AddMember(ctx, shell, sc.home(), p.id, role))
	}
	switch part {
	case "foreign":
		sc.owned("foreign", "foreign")
	case "suspended":
		sc.do(sc.s.Accounts.Suspend(ctx, shell, p.id))
	case "removed":
		sc.do(orgs.Remove(ctx, shell, sc.home(), p.id))
	case "limited":
		sc.do(orgs.AddMember(ctx, shell, sc.strict, p.id, org.Member))
	case "personal":
		var scopes []string
		for _, scope := range token.Scopes {
			if !token.ForAdmin(scope) {
				scopes = append(scopes, scope)
			}
		}
		p.token = sc.apiToken(token.Owner{UserID: p.id}, scopes)
	}
}

func (sc *scene) apiToken(of token.Owner, scopes []string) string {
	sc.t.Helper()
	_, text, err := sc.s.Tokens.Make(sc.t.Context(), audit.Shell(), of, token.NewToken{Name: "Test", Scopes: scopes, Days: 1})
	sc.do(err)
	return text
}

func (sc *scene) service(orgID string) string {
	sc.t.Helper()
	return sc.apiToken(token.Owner{OrgID: orgID}, token.ServiceScopes)
}

// home is the id of the organization that the scene is about.
func (sc *scene) home() string {
	sc.t.Helper()
	return sc.owned("home", "owner")
}

// owned is the id of an organization with an owner.
func (sc *scene) owned(name, owner string) string {
	sc.t.Helper()
	if sc.things[name] == "" {
		o, err := sc.s.Orgs.Create(sc.t.Context(), audit.Shell(), org.NewOrg{
			Slug: fmt.Sprintf("%s-%d", name, sc.number), Name: "Scene", OwnerID: sc.person(owner).id,
		})
		sc.do(err)
		sc.things[name] = o.ID
	}
	return sc.things[name]
}

var braces = regexp.MustCompile(`\{[a-z0-9@' ]+\}`)

// fill puts what stands in braces into a path or a body: of everybody, or of the
// caller, who need not have what is theirs to be refused.
func (sc *scene) fill(text string, by *person, theirs bool) string {
	sc.t.Helper()
	return braces.ReplaceAllStringFunc(text, func(found string) string {
		name := strings.Trim(found, "{}")
		if mine, ok := strings.CutPrefix(name, "my "); ok {
			if !theirs {
				return storage.NewID()
			}
			return sc.mine(mine, by)
		}
		return sc.thing(name)
	})
}

// thing is what a name stands for, whoever calls.
func (sc *scene) thing(name string) string {
	sc.t.Helper()
	if part, ok := strings.CutSuffix(name, "@"); ok {
		return sc.person(part).email
	}
	if sc.things[name] == "" {
		sc.things[name] = sc.make(name)
	}
	return sc.things[name]
}

// make makes what a name stands for.
func (sc *scene) make(name string) string {
	sc.t.Helper()
	ctx, shell := sc.t.Context(), audit.Shell()
	switch name {
	case "org":
		return sc.home()
	case "slug":
		return fmt.Sprintf("new-%d", scenes.Add(1))
	case "new":
		return fmt.Sprintf("new-%d@example.com", scenes.Add(1))
	case "deserted":
		id := sc.owned("deserted", "ghost")
		sc.do(sc.s.Accounts.Suspend(ctx, shell, sc.person("ghost").id))
		return id
	case "client":
		id := fmt.Sprintf("client-%d", sc.number)
		return register(sc.t, sc.s, registry.Registration{ClientID: id, Secret: letters(30), OrganizationID: sc.home(), Name: "Client"}).id
	case "invitation":
		i, _, err := sc.s.Orgs.Invite(ctx, shell, sc.home(), "colleague@example.com", org.Member)
		sc.do(err)
		return i.ID
	case "invited":
		i, _, err := sc.s.Orgs.Invite(ctx, shell, sc.home(), "director@example.com", org.Admin)
		sc.do(err)
		return i.ID
	case "secret":
		_, secret, err := sc.s.Orgs.Invite(ctx, shell, sc.home(), sc.person("plain").email, org.Member)
		sc.do(err)
		return secret
	case "registration token":
		made, _, err := sc.s.Clients.MakeInitialToken(ctx, shell, registry.NewInitialToken{Uses: 1, Lifetime: time.Hour})
		sc.do(err)
		return made.ID
	case "service token":
		made, _, err := sc.s.Tokens.Make(ctx, shell, token.Owner{OrgID: sc.home()},
			token.NewToken{Name: "Test", Scopes: token.ServiceScopes, Days: 1})
		sc.do(err)
		return made.ID
	case "provider", "server provider":
		d := provider.Description{
			Kind: provider.OIDC, Slug: fmt.Sprintf("scene-%d", scenes.Add(1)), Name: "SSO",
			Issuer: "https://127.0.0.1:1", ClientID: "authy", Secret: letters(30),
		}
		if name == "provider" {
			d.OrganizationID = sc.home()
		}
		p, err := sc.s.Providers.Create(ctx, shell, d)
		sc.do(err)
		return p.Slug
	case "webhook":
		h, _, err := sc.s.Webhooks.Create(ctx, shell, webhook.Description{
			Slug: fmt.Sprintf("scene-%d", scenes.Add(1)), URL: "https://127.0.0.1:1/", Actions: []string{"audit.restart"},
		})
		sc.do(err)
		return h.Slug
	case "saml service":
		d := saml2.Description{Metadata: serviceMetadata(fmt.Sprintf("scene-%d", scenes.Add(1))), OrganizationID: sc.home()}
		made, err := sc.s.SAMLServices.Create(sc.t.Context(), shell, d)
		sc.do(err)
		return made.Slug
	case "domain":
		d, err := sc.s.Providers.AddDomain(ctx, shell, sc.home(), fmt.Sprintf("scene-%d.example", sc.number))
		sc.do(err)
		return d.Domain
	case "session":
		return liveSessions(sc.t, sc.s, sc.person("target").email)[0].ID
	}
	return sc.makeLink(name)
}

// makeLink makes what is mailed, or begun without a session; for any other name
// it is the id of who plays the part.
func (sc *scene) makeLink(name string) string {
	sc.t.Helper()
	switch name {
	case "reset link":
		forgot(sc.t, sc.s, sc.person("target").email)
		return sc.box.Next(sc.t, sc.person("target").email, "Choose a new password").Token()
	case "verify link":
		email := fmt.Sprintf("unverified-%d@example.com", sc.number)
		registered(sc.t, sc.s, email)
		return sc.box.Next(sc.t, email, "Confirm your address").Token()
	case "email link":
		email := fmt.Sprintf("elsewhere-%d@example.com", sc.number)
		sc.person("target").call("POST", mePath+"/email", object{"email": email})
		return sc.box.Next(sc.t, email, "Confirm your new address").Token()
	case "pending":
		p := sc.person("target")
		sc.things["code"] = enrolled(sc.t, p.caller).code(0)
		return p.call("POST", "/api/v1/auth/login", object{"email": p.email, "password": passphrase}).text("pending_token")
	case "assertion":
		p, key := sc.person("target"), newKey(sc.t, sc.s, servertest.ES256)
		registerKey(p.caller, key).succeeded(201, registerMessage)
		b := beginKey(sc.t, sc.s, object{"email": p.email})
		answer := key.Get(b.challenge)
		answer["ceremony_token"] = b.token
		return sc.json(answer)
	}
	return sc.person(name).id
}

func (sc *scene) json(v any) string {
	sc.t.Helper()
	text, err := json.Marshal(v)
	sc.do(err)
	return string(text)
}

// mine is what a name stands for that belongs to the caller.
func (sc *scene) mine(name string, by *person) string {
	sc.t.Helper()
	switch name {
	case "session":
		logIn(sc.t, sc.s, by.email, passphrase)
		for _, one := range liveSessions(sc.t, sc.s, by.email) {
			if one.TokenHash != storage.Hash(by.token) {
				return one.ID
			}
		}
	case "token":
		_, id := by.makeToken(tokensPath, token.ProfileRead)
		return id
	case "unconfirmed code":
		secret, err := base32.StdEncoding.DecodeString(by.call("POST", "/api/v1/auth/totp/enroll", nil).text("secret"))
		sc.do(err)
		return (&authenticator{t: sc.t, secret: secret}).code(0)
	case "code":
		return enrolled(sc.t, by.caller).code(0)
	case "passkey":
		key := newKey(sc.t, sc.s, servertest.ES256)
		codes, _ := registerKey(by.caller, key).succeeded(201, registerMessage).at("backup_codes").([]any)
		sc.things["recovery"], _ = codes[0].(string)
		return key.CredentialID()
	case "linked provider":
		slug := sc.thing("server provider")
		p, err := sc.s.Providers.Find(sc.t.Context(), slug)
		sc.do(err)
		sc.do(sc.s.DB.Update(sc.t.Context(), func(tx *storage.Tx) error {
			_, err := sc.s.Accounts.LinkIn(sc.t.Context(), tx, audit.Shell(), time.Now(), &account.User{ID: by.id},
				&account.Said{Provider: p, Issuer: p.Issuer, Subject: by.id})
			return err
		}))
		return slug
	case "recovery":
		return sc.things["recovery"] // that came with the passkey
	case "new passkey":
		o, _ := by.options("/api/v1/auth/webauthn/register/begin", object{})
		handle, err := base64.RawURLEncoding.DecodeString(o.text("user", "id"))
		sc.do(err)
		return sc.json(newKey(sc.t, sc.s, servertest.ES256).Create(o.text("challenge"), handle))
	}
	sc.t.Fatalf("nobody has %q", name)
	return ""
}

// unverify has an address that nobody has verified.
func (sc *scene) unverify(p *person) {
	sc.t.Helper()
	sc.do(sc.s.DB.Update(sc.t.Context(), func(tx *storage.Tx) error {
		u, err := tx.User(sc.t.Context(), p.id)
		if err != nil {
			return err
		}
		u.EmailVerifiedAt = storage.Time{}
		return tx.SaveUser(sc.t.Context(), u)
	}))
}

// bare is an answer that need not be in an envelope.
type bare struct {
	status int
	kind   string // of the error
	fields map[string][]string
	text   string
}

// ask makes a call of which the status counts.
func (sc *scene) ask(p *person, call, body string) bare {
	sc.t.Helper()
	method, path, _ := strings.Cut(call, " ")
	req, err := http.NewRequestWithContext(sc.t.Context(), method, sc.s.URL+"/api/v1"+path, strings.NewReader(body))
	sc.do(err)
	switch {
	case strings.HasPrefix(body, "GIF89a"):
		req.Header.Set("Content-Type", "image/gif")
	case body != "":
		req.Header.Set("Content-Type", "application/json")
	}
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	page := servertest.Do(sc.t, http.DefaultClient, req)
	var envelope struct {
		Error problem `json:"error"`
	}
	if page.Response.StatusCode >= 400 {
		sc.do(json.Unmarshal([]byte(page.Body), &envelope))
	}
	return bare{page.Response.StatusCode, envelope.Error.Type, envelope.Error.Details, page.Body}
}
