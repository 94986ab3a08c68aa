package servertest_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

const (
	keysPath        = "/api/v1/auth/webauthn/credentials"
	passkeyMessage  = "Passkey verification required. Please use your passkey to complete login."
	noCeremony      = "No pending WebAuthn verification. Please initiate login first."
	wrongChallenge  = "Challenge expired or invalid"
	wrongAssertion  = "Authentication verification failed"
	wrongAttest     = "Registration verification failed"
	deletedPasskey  = "Passkey deleted successfully"
	registerMessage = "Passkey registered successfully"
)

// options asks for something that is answered without the envelope.
func (p caller) options(path string, body any, header ...string) (object, http.Header) {
	p.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			p.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(p.t.Context(), "POST", p.s.URL+path, strings.NewReader(string(text)))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	page := servertest.Do(p.t, http.DefaultClient, req)
	var out object
	if err := json.Unmarshal([]byte(page.Body), &out); err != nil || page.Response.StatusCode != 200 || out["version"] != nil {
		p.t.Fatalf("%s: %d %s: %v", path, page.Response.StatusCode, page.Body, err)
	}
	if got := page.Response.Header.Get("Cache-Control"); got != "no-store" {
		p.t.Errorf("%s: Cache-Control %q", path, got)
	}
	return out, page.Response.Header
}

func (o object) text(path ...string) string {
	var v any = map[string]any(o)
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	text, _ := v.(string)
	return text
}

// newKey is an authenticator at a server that knows nothing of it yet.
func newKey(t testing.TB, s *servertest.Server, alg int) *servertest.Authenticator {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return servertest.NewAuthenticator(t, alg, s.URL, u.Hostname())
}

// registerKey has the user of c register an authenticator.
func registerKey(c caller, a *servertest.Authenticator, more ...any) outcome {
	c.t.Helper()
	o, _ := c.options("/api/v1/auth/webauthn/register/begin", object{})
	handle, err := base64.RawURLEncoding.DecodeString(o.text("user", "id"))
	if err != nil {
		c.t.Fatal(err)
	}
	body := a.Create(o.text("challenge"), handle)
	for i := 0; i+1 < len(more); i += 2 {
		name, _ := more[i].(string)
		body[name] = more[i+1]
	}
	return c.call("POST", "/api/v1/auth/webauthn/register/complete", body)
}

// passkeyOf gives a user a passkey.
func passkeyOf(t *testing.T, s *servertest.Server, email, password string) *servertest.Authenticator {
	t.Helper()
	a := newKey(t, s, servertest.ES256)
	registerKey(logIn(t, s, email, password), a).succeeded(201, registerMessage)
	return a
}

// begun is a sign-in by passkey that has begun.
type begun struct {
	caller
	challenge, token string
}

func beginKey(t *testing.T, s *servertest.Server, body object) begun {
	t.Helper()
	p := caller{t: t, s: s}
	o, _ := p.options("/api/v1/auth/webauthn/login/begin", body)
	return begun{p, o.text("challenge"), o.text("ceremony_token")}
}

// complete sends what an authenticator answers.
func (b begun) complete(a *servertest.Authenticator, more ...any) outcome {
	b.t.Helper()
	body := a.Get(b.challenge)
	body["ceremony_token"] = b.token
	for i := 0; i+1 < len(more); i += 2 {
		name, _ := more[i].(string)
		body[name] = more[i+1]
	}
	return b.call("POST", "/api/v1/auth/webauthn/login/complete", body)
}

func TestAPasskeyFromRegistrationToItsEnd(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		c := logIn(t, s, bob, bobPass)
		o, _ := c.options("/api/v1/auth/webauthn/register/begin", object{})
		if o.text("rp", "id") != "127.0.0.1" || o.text("user", "name") != bob || len(o.text("challenge")) != 43 ||
			o.text("attestation") != "none" || o.text("authenticatorSelection", "residentKey") != "preferred" {
			t.Errorf("options %v", o)
		}
		a := newKey(t, s, servertest.ES256)
		made := registerKey(c, a).succeeded(201, registerMessage)
		name := "Passkey " + time.Now().UTC().Format(time.DateOnly)
		if made.text("credential", "id") != a.CredentialID() || made.text("credential", "name") != name ||
			made.at("credential", "last_used_at") != nil {
			t.Errorf("registered %s", made.Raw)
		}
		if codes, _ := made.at("backup_codes").([]any); len(codes) != 10 {
			t.Errorf("the first second factor comes with %v", codes)
		}
		// A second one needs a session that has proved the second factor.
		c.call("POST", "/api/v1/auth/webauthn/register/begin", nil).failed(403, "CODE_REQUIRED", "")

		in := beginKey(t, s, object{"email": bob}).complete(a).succeeded(200, "Login successful")
		c.token = in.text("token")
		c.me(true)
		if expires, err := time.Parse(time.RFC3339, in.text("expires_at")); err != nil || time.Until(expires) > 25*time.Hour {
			t.Errorf("not remembered, until %s: %v", in.text("expires_at"), err)
		}
		in = beginKey(t, s, object{}).complete(a, "remember_me", true).succeeded(200, "Login successful")
		if expires, err := time.Parse(time.RFC3339, in.text("expires_at")); err != nil || time.Until(expires) < 29*24*time.Hour {
			t.Errorf("remembered, until %s: %v", in.text("expires_at"), err)
		}
		for _, alg := range []int{servertest.RS256, servertest.EdDSA} {
			other := newKey(t, s, alg)
			if again := registerKey(c, other, "name", " Key & <b> ").succeeded(201, registerMessage); again.at("backup_codes") != nil ||
				again.text("credential", "name") != "Key & <b>" {
				t.Errorf("a further passkey: %s", again.Raw)
			}
			beginKey(t, s, object{"email": bob}).complete(other).succeeded(200, "Login successful")
		}
		list := c.call("GET", keysPath, nil).succeeded(200, "Credentials retrieved successfully")
		keys, _ := list.at("credentials").([]any)
		if list.at("count") != float64(3) || len(keys) != 3 || keys[2].(map[string]any)["last_used_at"] == nil {
			t.Errorf("listed %s", list.Raw)
		}
		renamed := c.call("PATCH", keysPath+"/"+a.CredentialID(), object{"name": "Phone"}).succeeded(200, "Passkey renamed successfully")
		if renamed.text("credential", "name") != "Phone" || !strings.Contains(c.call("GET", keysPath, nil).Raw, `"Phone"`) {
			t.Errorf("renamed %s", renamed.Raw)
		}
		for _, name := range []string{"", " ", strings.Repeat("x", 101), "a\nb"} {
			c.call("PATCH", keysPath+"/"+a.CredentialID(), object{"name": name}).failed(400, "VALIDATION_ERROR", "")
		}
		for _, one := range keys {
			id, _ := one.(map[string]any)["id"].(string)
			c.call("DELETE", keysPath+"/"+id, nil).succeeded(200, deletedPasskey)
			c.call("DELETE", keysPath+"/"+id, nil).failed(404, "NOT_FOUND", "Credential not found")
		}
		status := c.call("GET", "/api/v1/auth/webauthn/status", nil).succeeded(200, "WebAuthn status retrieved successfully")
		if status.at("webauthn_enabled") != false || status.at("credential_count") != float64(0) || status.at("backup_codes_remaining") != float64(0) {
			t.Errorf("status %s", status.Raw)
		}
		beginKey(t, s, object{}).complete(a).failed(401, "AUTHENTICATION_ERROR", wrongAssertion)
		logIn(t, s, bob, bobPass)
	})
}

// MF-15, MF-16.
func TestAForgedAssertionSignsNobodyIn(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		carols := passkeyOf(t, s, carol, bobPass)
		a := passkeyOf(t, s, bob, bobPass)
		said := func(name string, value any) func(*servertest.Authenticator) {
			return func(a *servertest.Authenticator) { a.ClientData = func(m map[string]any) { m[name] = value } }
		}
		signed := func(sign func([]byte) []byte) func(*servertest.Authenticator) {
			return func(a *servertest.Authenticator) { a.Sign = sign }
		}
		random := make([]byte, 70)
		rand.Read(random)
		for name, c := range map[string]struct {
			message string
			change  func(*servertest.Authenticator)
		}{
			"random signature":      {wrongAssertion, signed(func([]byte) []byte { return random })},
			"zero signature":        {wrongAssertion, signed(func([]byte) []byte { return make([]byte, 64) })},
			"another key's":         {wrongAssertion, signed(carols.Signature)},
			"of another message":    {wrongAssertion, signed(func(m []byte) []byte { return a.Signature(m[1:]) })},
			"another credential":    {wrongAssertion, func(a *servertest.Authenticator) { a.ID = carols.ID }},
			"another user":          {wrongAssertion, func(a *servertest.Authenticator) { a.User = carols.User }},
			"foreign origin":        {wrongAssertion, said("origin", "https://evil.example")},
			"https for http":        {wrongAssertion, said("origin", strings.Replace(s.URL, "http", "https", 1))},
			"subdomain":             {wrongAssertion, said("origin", strings.Replace(s.URL, "://", "://x.", 1))},
			"origin with a path":    {wrongAssertion, said("origin", s.URL+"/x")},
			"origin in capitals":    {wrongAssertion, said("origin", strings.ToUpper(s.URL))},
			"no origin":             {wrongAssertion, said("origin", "")},
			"another relying party": {wrongAssertion, func(a *servertest.Authenticator) { a.RPID = "evil.example" }},
			"type of registration":  {wrongAssertion, said("type", "webauthn.create")},
			"no type":               {wrongAssertion, said("type", "")},
			"in a frame":            {wrongAssertion, said("crossOrigin", true)},
			"in a foreign frame": {wrongAssertion, func(a *servertest.Authenticator) {
				a.ClientData = func(m map[string]any) { m["crossOrigin"], m["topOrigin"] = true, "https://evil.example" }
			}},
			"bound to a connection":    {wrongAssertion, said("tokenBinding", map[string]any{"status": "present", "id": "x"})},
			"another challenge":        {wrongChallenge, said("challenge", base64.RawURLEncoding.EncodeToString(random[:32]))},
			"nobody there":             {"User presence not verified", func(a *servertest.Authenticator) { a.Flags = servertest.Verified }},
			"not verified":             {"User verification is needed to sign in without a password", func(a *servertest.Authenticator) { a.Flags = servertest.Present }},
			"backed up, unable to be":  {wrongAssertion, func(a *servertest.Authenticator) { a.Flags |= 1 << 4 }},
			"able to be backed up now": {wrongAssertion, func(a *servertest.Authenticator) { a.Flags |= 1 << 3 }},
			"data that is cut":         {"Invalid authenticator data", func(a *servertest.Authenticator) { a.Flags |= 1 << 7 }},
		} {
			for _, body := range []object{{"email": bob}, {}} {
				forged := *a
				c.change(&forged)
				before := len(liveSessions(t, s, bob))
				beginKey(t, s, body).complete(&forged).failed(401, "AUTHENTICATION_ERROR", c.message)
				if after := len(liveSessions(t, s, bob)); after != before {
					t.Errorf("%s, asked %v: a session was made", name, body)
				}
			}
		}
		for _, change := range []func(object){
			func(o object) { o["response"].(map[string]any)["signature"] = "" },
			func(o object) { o["response"].(map[string]any)["signature"] = "!" },
			func(o object) { o["response"].(map[string]any)["clientDataJSON"] = "bm90IGpzb24" },
			func(o object) { o["type"] = "password" },
			func(o object) { o["rawId"] = carols.CredentialID() },
			func(o object) { delete(o, "id") },
		} {
			b := beginKey(t, s, object{})
			body := object(a.Get(b.challenge))
			body["ceremony_token"] = b.token
			change(body)
			b.call("POST", "/api/v1/auth/webauthn/login/complete", body).failed(400, "VALIDATION_ERROR", "")
		}
		nameless := *a
		nameless.User = nil
		beginKey(t, s, object{}).complete(&nameless).failed(401, "AUTHENTICATION_ERROR", wrongAssertion)
		beginKey(t, s, object{"email": bob}).complete(&nameless).succeeded(200, "Login successful")
	})
}

func liveSessions(t *testing.T, s *servertest.Server, email string) []storage.Session {
	t.Helper()
	user, err := s.Accounts.Find(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	live, err := s.DB.LiveSessions(t.Context(), user.ID, time.Now(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return live
}

// MF-17.
// Z-32: the library does not use a challenge up.
func TestAChallengeWorksOnceWhereItWasAskedFor(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		a, carols := passkeyOf(t, s, bob, bobPass), passkeyOf(t, s, carol, bobPass)
		once := beginKey(t, s, object{"email": bob})
		once.complete(a).succeeded(200, "Login successful")
		once.complete(a).failed(401, "AUTHENTICATION_ERROR", wrongChallenge)

		failed := beginKey(t, s, object{"email": bob})
		forged := *a
		forged.Sign = carols.Signature
		failed.complete(&forged).failed(401, "AUTHENTICATION_ERROR", wrongAssertion)
		failed.complete(a).failed(401, "AUTHENTICATION_ERROR", wrongChallenge) // used up all the same

		beginKey(t, s, object{"email": bob}).complete(carols).failed(401, "AUTHENTICATION_ERROR", wrongAssertion)
		mine, theirs := beginKey(t, s, object{}), beginKey(t, s, object{})
		mine.complete(a, "ceremony_token", theirs.token).failed(401, "AUTHENTICATION_ERROR", wrongChallenge)
		mine.complete(a, "ceremony_token", "").failed(401, "AUTHENTICATION_ERROR", noCeremony)
		mine.complete(a, "ceremony_token", "x\u0001").failed(401, "AUTHENTICATION_ERROR", wrongChallenge)
		mine.call("POST", "/api/v1/auth/webauthn/login/complete", object{}).failed(401, "AUTHENTICATION_ERROR", noCeremony)

		c := caller{t: t, s: s, token: beginKey(t, s, object{}).complete(a).text("token")}
		o, _ := c.options("/api/v1/auth/webauthn/register/begin", nil)
		theirs.challenge = o.text("challenge")
		theirs.complete(a).failed(401, "AUTHENTICATION_ERROR", wrongChallenge)
		// A challenge of a sign-in, of another session, and one that was used register nothing.
		fresh := newKey(t, s, servertest.ES256)
		complete := func(c caller, challenge string) outcome {
			return c.call("POST", "/api/v1/auth/webauthn/register/complete", fresh.Create(challenge, a.User))
		}
		complete(c, beginKey(t, s, object{}).challenge).failed(401, "AUTHENTICATION_ERROR", wrongChallenge)
		other := caller{t: t, s: s, token: beginKey(t, s, object{}).complete(a).text("token")}
		complete(other, o.text("challenge")).failed(401, "AUTHENTICATION_ERROR", wrongChallenge)
		complete(c, o.text("challenge")).succeeded(201, registerMessage)
		complete(c, o.text("challenge")).failed(401, "AUTHENTICATION_ERROR", wrongChallenge)
	})
}

// A challenge lives as long as its time, and where the server has been
// started anew.
// Z-32: the library lets a challenge expire only if it is told to.
func TestAChallengeOutlivesARestartButNotItsTime(t *testing.T) {
	t.Parallel()
	address := storagetest.Migrated(t, "postgres")
	s := servertest.Start(t, servertest.Options{DatabaseURL: address})
	a := passkeyOf(t, s, bob, bobPass)
	late, inTime := beginKey(t, s, object{}), beginKey(t, s, object{})
	age(t, s, late.challenge, 6*time.Minute)
	late.complete(a).failed(401, "AUTHENTICATION_ERROR", wrongChallenge)
	age(t, s, inTime.challenge, 4*time.Minute)
	inTime.complete(a).succeeded(200, "Login successful")

	b := beginKey(t, s, object{"email": bob})
	var listen string
	anew := servertest.Start(t, servertest.Options{DatabaseURL: address, Empty: true, Configure: func(c *config.Config) {
		listen, c.PublicURL = c.Listen, s.URL
	}})
	b.s = &servertest.Server{Services: anew.Services, URL: "http://" + listen}
	b.complete(a).succeeded(200, "Login successful")
	b.complete(a).failed(401, "AUTHENTICATION_ERROR", wrongChallenge)
}

// age has a challenge begun so long ago.
func age(t *testing.T, s *servertest.Server, challenge string, by time.Duration) {
	t.Helper()
	ctx := t.Context()
	err := s.DB.Update(ctx, func(tx *storage.Tx) error {
		c, err := tx.Ceremony(ctx, storage.Hash(challenge))
		if err != nil {
			return err
		}
		if err := tx.TakeCeremony(ctx, c.Hash, c.Binding, time.Now()); err != nil {
			return err
		}
		c.CreatedAt, c.ExpiresAt = storage.At(c.CreatedAt.Add(-by)), storage.At(c.ExpiresAt.Add(-by))
		return tx.InsertCeremony(ctx, c)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// MF-19.
// Z-32: the library only notes a counter that does not grow.
func TestACounterThatDoesNotGrowIsRefusedAndRecorded(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		a := passkeyOf(t, s, bob, bobPass)
		const cloned = "Invalid sign counter - potential credential cloning detected"
		var c caller
		for _, step := range []struct {
			sent uint32
			ok   bool
			kept float64
		}{{0, true, 0}, {0, true, 0}, {10, true, 10}, {9, false, 10}, {10, false, 10}, {0, false, 10}, {11, true, 11}} {
			a.Counter = step.sent
			o := beginKey(t, s, object{}).complete(a)
			if step.ok {
				c = caller{t: t, s: s, token: o.succeeded(200, "Login successful").text("token")}
			} else {
				o.failed(401, "AUTHENTICATION_ERROR", cloned)
			}
			keys, _ := c.call("GET", keysPath, nil).at("credentials").([]any)
			if got := keys[0].(map[string]any)["sign_count"]; got != step.kept {
				t.Errorf("after %d the counter is %v, want %v", step.sent, got, step.kept)
			}
		}
		activity := c.call("GET", "/api/v1/users/me/activity?action=webauthn.login.failed", nil)
		if got := strings.Count(activity.Raw, `"reason":"counter"`); got != 3 {
			t.Errorf("%d warnings in %s, want 3", got, activity.Raw)
		}
	})
}

// MF-21.
func TestWhatIsNotARegistrationIsRefused(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		carols := passkeyOf(t, s, carol, bobPass)
		c := logIn(t, s, bob, bobPass)
		said := func(name string, value any) func(*servertest.Authenticator) {
			return func(a *servertest.Authenticator) { a.ClientData = func(m map[string]any) { m[name] = value } }
		}
		for name, one := range map[string]struct {
			message string
			change  func(*servertest.Authenticator)
		}{
			"somebody else's":      {"Credential already registered", func(a *servertest.Authenticator) { a.ID = carols.ID }},
			"RS1":                  {wrongAttest, func(a *servertest.Authenticator) { a.Alg = -65535 }},
			"ES512":                {wrongAttest, func(a *servertest.Authenticator) { a.Alg = -36 }},
			"a key of another alg": {"", func(a *servertest.Authenticator) { a.Alg = servertest.EdDSA }},
			"relying party":        {wrongAttest, func(a *servertest.Authenticator) { a.RPID = "evil.example" }},
			"origin":               {wrongAttest, said("origin", "https://evil.example")},
			"type":                 {wrongAttest, said("type", "webauthn.get")},
			"nobody there":         {"User presence not verified", func(a *servertest.Authenticator) { a.Flags = servertest.Verified }},
			"garbage in none": {wrongAttest, func(a *servertest.Authenticator) {
				a.Attest = func(f string, _ []byte) (string, []byte) { return f, []byte{0xa1, 0x61, 'x', 0x01} }
			}},
			"unknown format": {wrongAttest, func(a *servertest.Authenticator) {
				a.Attest = func(_ string, s []byte) (string, []byte) { return "tpm", s }
			}},
			"packed without proof": {wrongAttest, func(a *servertest.Authenticator) {
				a.Attest = func(_ string, s []byte) (string, []byte) { return "packed", s }
			}},
			"id of a kilobyte":  {"Invalid authenticator data", func(a *servertest.Authenticator) { a.ID = make([]byte, 1024) }},
			"another challenge": {wrongChallenge, said("challenge", "eA")},
		} {
			a := newKey(t, s, servertest.ES256)
			one.change(a)
			if o := registerKey(c, a); o.Code != 401 || one.message != "" && o.Message != one.message {
				t.Errorf("%s: %s, want 401 %q", name, o.Raw, one.message)
			}
		}
		for field, value := range map[string]any{"name": strings.Repeat("x", 101), "transports": "usb", "id": "x", "type": "", "response": object{}} {
			registerKey(c, newKey(t, s, servertest.ES256), field, value).failed(400, "VALIDATION_ERROR", "")
		}
		if o := c.call("GET", keysPath, nil); o.at("count") != float64(0) {
			t.Errorf("registered all the same: %s", o.Raw)
		}
		beginKey(t, s, object{"email": carol}).complete(carols).succeeded(200, "Login successful")
	})
}

func TestThereAreAtMost25PasskeysOfAUser(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := passkeyOf(t, s, bob, bobPass)
	c := caller{t: t, s: s, token: beginKey(t, s, object{}).complete(a).text("token")}
	for range 23 {
		registerKey(c, newKey(t, s, servertest.ES256)).succeeded(201, registerMessage)
	}
	one, _ := c.options("/api/v1/auth/webauthn/register/begin", nil)
	registerKey(c, newKey(t, s, servertest.ES256)).succeeded(201, registerMessage)
	c.call("POST", "/api/v1/auth/webauthn/register/begin", nil).failed(409, "CONFLICT", "")
	late := newKey(t, s, servertest.ES256).Create(one.text("challenge"), a.User)
	c.call("POST", "/api/v1/auth/webauthn/register/complete", late).failed(409, "CONFLICT", "")
	if o := c.call("GET", keysPath, nil); o.at("count") != float64(25) {
		t.Errorf("%v passkeys, want 25", o.at("count"))
	}
}

// MF-23.
func TestSomebodyElsesPasskeyIsNotThere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := passkeyOf(t, s, bob, bobPass)
	c := logIn(t, s, carol, bobPass)
	for _, id := range []string{a.CredentialID(), "..%2F" + a.CredentialID(), "%00", "x", strings.Repeat("y", 3000)} {
		c.call("PATCH", keysPath+"/"+id, object{"name": "mine"}).failed(404, "NOT_FOUND", "")
		c.call("DELETE", keysPath+"/"+id, nil).failed(404, "NOT_FOUND", "")
	}
	in := beginKey(t, s, object{"email": bob}).complete(a).succeeded(200, "Login successful")
	if got := (caller{t: t, s: s, token: in.text("token")}).call("GET", keysPath, nil); strings.Contains(got.Raw, "mine") {
		t.Errorf("renamed by somebody else: %s", got.Raw)
	}
}

// LG-01, D18: an address without passkeys looks like one that has some.
func TestAskingForAPasskeyDoesNotTellWhoHasOne(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := passkeyOf(t, s, bob, bobPass)
	p := caller{t: t, s: s}
	ask := func(email string) (object, string) {
		o, _ := p.options("/api/v1/auth/webauthn/login/begin", object{"email": email})
		allowed, err := json.Marshal(o["allowCredentials"])
		if err != nil {
			t.Fatal(err)
		}
		return o, string(allowed)
	}
	real, _ := ask(bob)
	for _, email := range []string{carol, "nobody@example.com"} {
		o, allowed := ask(email)
		if again, same := ask(strings.ToUpper(email)); same != allowed || again.text("challenge") == o.text("challenge") {
			t.Errorf("%s: %s, then %s", email, allowed, same)
		}
		if got, want := slices.Sorted(maps.Keys(o)), slices.Sorted(maps.Keys(real)); !slices.Equal(got, want) {
			t.Errorf("%s: keys %v, want %v", email, got, want)
		}
		keys, _ := o["allowCredentials"].([]any)
		decoy := keys[0].(map[string]any)
		forged := *a
		forged.ID, _ = base64.RawURLEncoding.DecodeString(decoy["id"].(string))
		if decoy["type"] != "public-key" || len(forged.ID) < 20 {
			t.Errorf("%s: decoy %v", email, decoy)
		}
		for _, key := range []*servertest.Authenticator{&forged, a} {
			beginKey(t, s, object{"email": email}).complete(key).failed(401, "AUTHENTICATION_ERROR", wrongAssertion)
		}
	}
	if o, _ := p.options("/api/v1/auth/webauthn/login/begin", object{}); len(o["allowCredentials"].([]any)) != 0 {
		t.Errorf("without an address: %v", o)
	}
	p.call("POST", "/api/v1/auth/webauthn/login/begin", object{"email": "x"}).failed(400, "VALIDATION_ERROR", "")
}

// MF-07, MF-08, D03.
func TestAPasskeyIsTheSecondFactorOfAPassword(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		c := logIn(t, s, bob, bobPass)
		app := enrolled(t, c)
		c.token = verify(t, s, half(t, s), app.code(0)).text("token")
		a := newKey(t, s, servertest.ES256)
		if o := registerKey(c, a).succeeded(201, registerMessage); o.at("backup_codes") != nil {
			t.Errorf("codes come again: %s", o.Raw)
		}
		p := caller{t: t, s: s}
		send := func() (pending string) {
			o := p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass, "remember_me": true}).succeeded(200, passkeyMessage)
			if o.at("requires_webauthn") != true || o.at("requires_totp") != true || o.at("token") != nil {
				t.Fatalf("half a sign-in: %s", o.Raw)
			}
			return o.text("pending_token")
		}
		a.Flags = servertest.Present // verification is for passkeys alone
		pending := send()
		b := beginKey(t, s, object{"pending_token": pending})
		in := b.complete(a).succeeded(200, "Login successful")
		if expires, err := time.Parse(time.RFC3339, in.text("expires_at")); err != nil || time.Until(expires) < 29*24*time.Hour {
			t.Errorf("remembered, until %s: %v", in.text("expires_at"), err)
		}
		if got := liveSessions(t, s, bob); !slices.ContainsFunc(got, func(one storage.Session) bool {
			return one.Methods.String() == "pwd pop user mfa"
		}) {
			t.Errorf("sessions %v", got)
		}
		verify(t, s, pending, app.recovery[0], "is_backup_code", true).failed(401, "AUTHENTICATION_ERROR", noPending)
		b.complete(a).failed(401, "AUTHENTICATION_ERROR", wrongChallenge)
		verify(t, s, send(), app.recovery[0], "is_backup_code", true).succeeded(200, "TOTP verification successful")

		// What asks for a passkey alone is no password that a code could follow.
		alone := beginKey(t, s, object{"email": bob})
		for _, token := range []string{alone.token, alone.challenge} {
			verify(t, s, token, app.recovery[1], "is_backup_code", true).failed(401, "AUTHENTICATION_ERROR", noPending)
		}
		p.call("POST", "/api/v1/auth/webauthn/login/begin", object{"pending_token": alone.token}).failed(401, "AUTHENTICATION_ERROR", "")
		// Five guesses, whatever they are of.
		pending = send()
		forged := *a
		forged.Sign = func([]byte) []byte { return []byte("x") }
		last := beginKey(t, s, object{"pending_token": pending})
		for range 5 {
			beginKey(t, s, object{"pending_token": pending}).complete(&forged).failed(401, "AUTHENTICATION_ERROR", wrongAssertion)
		}
		last.complete(a).failed(401, "AUTHENTICATION_ERROR", noPending)
		// Carol's passkey is not the second factor of bob.
		carols := passkeyOf(t, s, carol, bobPass)
		beginKey(t, s, object{"pending_token": send()}).complete(carols).failed(401, "AUTHENTICATION_ERROR", wrongAssertion)
	})
}

func TestTheCeremonyAlsoGoesByCookie(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := passkeyOf(t, s, bob, bobPass)
	p := caller{t: t, s: s}
	o := p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).succeeded(200, passkeyMessage)
	pending, _, _ := strings.Cut(o.Header.Get("Set-Cookie"), ";")
	asked, header := p.options("/api/v1/auth/webauthn/login/begin", nil, "Cookie", pending)
	cookie, attributes, _ := strings.Cut(header.Get("Set-Cookie"), "; ")
	if cookie != "authy_api_ceremony="+asked.text("ceremony_token") || !strings.Contains(attributes, "HttpOnly; SameSite=Strict") {
		t.Errorf("Set-Cookie: %s", header.Get("Set-Cookie"))
	}
	if len(asked["allowCredentials"].([]any)) != 1 || asked["userVerification"] != "preferred" {
		t.Errorf("as the second factor: %v", asked)
	}
	in := p.call("POST", "/api/v1/auth/webauthn/login/complete", a.Get(asked.text("challenge")), "Cookie", cookie)
	in.succeeded(200, "Login successful")
	if got := in.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "authy_api_ceremony=; ") || !strings.Contains(got, "Max-Age=0") {
		t.Errorf("afterwards Set-Cookie: %s", got)
	}
	// The pending sign-in is over: its cookie means nothing any more.
	asked, _ = p.options("/api/v1/auth/webauthn/login/begin", nil, "Cookie", pending)
	if len(asked["allowCredentials"].([]any)) != 0 || asked["userVerification"] != "required" {
		t.Errorf("afterwards: %v", asked)
	}
}

// LG-11: who is suspended is refused, and only its owner learns why.
func TestAPasskeyEndsWithItsUser(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := passkeyOf(t, s, bob, bobPass)
	user, err := s.Accounts.Find(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	b := beginKey(t, s, object{})
	if err := s.Accounts.Suspend(t.Context(), audit.Shell(), user.ID); err != nil {
		t.Fatal(err)
	}
	b.complete(a).failed(403, "AUTHORIZATION_ERROR", "Your account has been suspended")
	forged := *a
	forged.Sign = func([]byte) []byte { return []byte("x") }
	beginKey(t, s, object{}).complete(&forged).failed(401, "AUTHENTICATION_ERROR", wrongAssertion)
	if err := s.Accounts.Activate(t.Context(), audit.Shell(), user.ID); err != nil {
		t.Fatal(err)
	}
	beginKey(t, s, object{}).complete(a).succeeded(200, "Login successful")
	if err := s.Accounts.ResetPasskeys(t.Context(), audit.Shell(), user.ID); err != nil {
		t.Fatal(err)
	}
	if live := liveSessions(t, s, bob); slices.ContainsFunc(live, func(one storage.Session) bool {
		current, err := s.DB.User(t.Context(), user.ID)
		return err != nil || one.CreatedAt.After(current.SignedOutAt.Time)
	}) {
		t.Error("a session outlives the reset")
	}
	beginKey(t, s, object{}).complete(a).failed(401, "AUTHENTICATION_ERROR", wrongAssertion)
	logIn(t, s, bob, bobPass)
}

// LG-11: failures from elsewhere lock nobody out, and do not tell which
// passkeys there are.
func TestFailuresOfAPasskeyAreLimitedForWhoMakesThem(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.RateLimit.Enabled, c.TrustedProxies = true, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	}})
	a := passkeyOf(t, s, bob, bobPass)
	unknown := newKey(t, s, servertest.ES256)
	forged := *a
	forged.Sign = func([]byte) []byte { return []byte("x") }
	for name, key := range map[string]*servertest.Authenticator{"forged": &forged, "unknown": unknown} {
		for i := range 11 {
			b := beginKey(t, s, object{})
			body := key.Get(b.challenge)
			body["ceremony_token"] = b.token
			o := b.call("POST", "/api/v1/auth/webauthn/login/complete", body, "X-Forwarded-For", "192.0.2.7")
			if want := map[bool]int{false: 401, true: 429}[i == 10]; o.Code != want {
				t.Errorf("%s, attempt %d: %d, want %d", name, i+1, o.Code, want)
			}
		}
	}
	beginKey(t, s, object{}).complete(a).succeeded(200, "Login successful")
}
