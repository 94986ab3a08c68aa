package servertest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/server/config"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

// listener is another program, which a webhook tells of events.
type listener struct {
	*httptest.Server
	status atomic.Int64
	mu     sync.Mutex
	got    []heard
}

// heard is what it was told.
type heard struct {
	Type string         `json:"type"`
	Data map[string]any `json:"data"`

	signed     string
	signatures []string
}

func newListener(t *testing.T) *listener {
	t.Helper()
	l := new(listener)
	l.status.Store(http.StatusNoContent)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		h := heard{
			signed:     r.Header.Get("Webhook-Id") + "." + r.Header.Get("Webhook-Timestamp") + "." + string(body),
			signatures: strings.Fields(r.Header.Get("Webhook-Signature")),
		}
		if err != nil || json.Unmarshal(body, &h) != nil {
			t.Errorf("told %s, %v", body, err)
		}
		l.mu.Lock()
		l.got = append(l.got, h)
		l.mu.Unlock()
		w.WriteHeader(int(l.status.Load()))
	}))
	t.Cleanup(l.Close)
	return l
}

// hears waits until it was told of an event of a type by somebody, or by anybody for "", and
// returns that.
func (l *listener) hears(t *testing.T, event, by string) heard {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		l.mu.Lock()
		all := slices.Clone(l.got)
		l.mu.Unlock()
		if at := slices.IndexFunc(all, func(h heard) bool { return h.Type == event && (by == "" || h.Data["actor_id"] == by) }); at >= 0 {
			return all[at]
		}
	}
	t.Fatalf("not told of %s within twenty seconds", event)
	return heard{}
}

// by says whether a secret has signed it.
func (h heard) by(secret string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(h.signed))
	return err == nil && slices.Contains(h.signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// near starts a server that may tell programs on this machine.
func near(t *testing.T, engine string) *servertest.Server {
	t.Helper()
	return servertest.Start(t, servertest.Options{
		DatabaseURL: storagetest.Migrated(t, engine),
		Configure: func(c *config.Config) {
			c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		},
	})
}

func TestAProgramIsToldWhatHappensByTheAPI(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s, l := near(t, engine), newListener(t)
			p := rooted(t, s)
			const all, one = "/api/v1/admin/webhooks", "/api/v1/admin/webhooks/siem"
			made := p.call("POST", all, object{"slug": "siem", "url": l.URL + "/hook", "actions": []string{"user.*", "webhook.*"}}).
				succeeded(201, "Webhook created successfully")
			secret := made.text("secret")
			if strings.Contains(p.call("GET", one, nil).Raw, secret) || made.at("webhook", "state") != "on" {
				t.Errorf("made %s", made.Raw)
			}
			in(t, s, bob)
			if h := l.hears(t, "user.login", userID(t, s, bob)); !h.by(secret) || h.Data["outcome"] != "success" {
				t.Errorf("told %+v", h)
			}
			rotated := p.call("POST", one+"/rotate", object{"grace": 60}).succeeded(200, "Webhook secret rotated successfully")
			tested := p.call("POST", one+"/test", nil).succeeded(200, "Webhook tested")
			if h := l.hears(t, "webhook.test", ""); !h.by(secret) || !h.by(rotated.text("secret")) || rotated.at("webhook", "old_secret_until") == nil {
				t.Errorf("after a rotation told %+v", h)
			}
			if tested.at("delivery", "state") != "delivered" || tested.at("delivery", "status") != 204.0 || tested.at("delivery", "is_test") != true {
				t.Errorf("tested %s", tested.Raw)
			}
			told := p.call("GET", one+"/deliveries?state=delivered&limit=1", nil).succeeded(200, "Deliveries retrieved successfully")
			if told.at("count") != 1.0 {
				t.Errorf("told %s", told.Raw)
			}
			again := p.call("POST", one+"/deliveries/"+tested.text("delivery", "id")+"/redeliver", nil).succeeded(200, "Delivery queued")
			if again.at("delivery", "state") != "pending" {
				t.Errorf("again %s", again.Raw)
			}
			p.call("PATCH", one, object{"is_active": false}).succeeded(200, "Webhook updated successfully")
			p.call("POST", one+"/test", nil).failed(409, "CONFLICT", "This webhook is off: switch it on first.")
			if o := p.call("PATCH", one, object{"is_active": true, "resume": true}); o.at("webhook", "state") != "on" {
				t.Errorf("on again: %s", o.Raw)
			}
			p.call("DELETE", one, nil).succeeded(200, "Webhook deleted successfully")
			p.call("GET", one, nil).failed(404, "NOT_FOUND", "There is no such webhook.")
		})
	}
}

func TestTheAPINamesWhatIsWrongWithAWebhook(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := rooted(t, s)
	const all = "/api/v1/admin/webhooks"
	for _, c := range []struct {
		body  object
		field string
	}{
		{object{"slug": "A b", "url": "https://siem.example.com"}, "slug"},
		{object{"slug": "siem", "url": "http://127.0.0.1/"}, "url"},
		{object{"slug": "siem", "url": "http://169.254.169.254/latest"}, "url"},
		{object{"slug": "siem", "url": "https://siem.example.com", "actions": []string{"USER"}}, "actions"},
		{object{"slug": "siem", "url": "https://siem.example.com", "actions": []string{"user.lgin"}}, "actions"},
		{object{"slug": "siem", "url": "https://siem.example.com", "organization_id": "nobody"}, "organization_id"},
		{object{"slug": "siem", "url": "https://siem.example.com", "secret": "x"}, "secret"},
	} {
		o := p.call("POST", all, c.body).failed(400, "VALIDATION_ERROR", "")
		if o.Problem == nil || len(o.Problem.Details[c.field]) == 0 {
			t.Errorf("%v: %s, want something about %s", c.body, o.Raw, c.field)
		}
	}
	p.call("POST", all, object{"slug": "siem", "url": "https://siem.example.com"}).succeeded(201, "Webhook created successfully")
	p.call("POST", all, object{"slug": "siem", "url": "https://siem.example.com"}).failed(409, "CONFLICT", "")
	o := p.call("PATCH", all+"/siem", object{"resume": true}).failed(400, "VALIDATION_ERROR", "")
	if o.Problem == nil || len(o.Problem.Details["resume"]) == 0 {
		t.Errorf("resumed while it is on: %s", o.Raw)
	}
	if o := p.call("GET", all+"/siem/deliveries?state=odd", nil); o.Code != 400 {
		t.Errorf("an odd state: %s", o.Raw)
	}
}

func TestWebhooksAreLookedAfterOnTheirPages(t *testing.T) {
	t.Parallel()
	s, l := near(t, "sqlite"), newListener(t)
	stranger, member, v := newVisitor(t, s), newVisitor(t, s), rootVisitor(t, s)
	s.SignIn(t, member.browser, bob, bobPass)
	const all, one = "/admin/webhooks", "/admin/webhooks/siem"
	stranger.leads(stranger.get(all), "/sign-in")
	member.shows(member.get(all), 403)
	member.shows(member.post(all, "slug", "siem", "url", l.URL), 403)

	v.shows(v.get(all), 200, "There are no webhooks.", "authy webhook add SLUG --url URL")
	v.shows(v.post(all, "slug", "siem", "url", "http://10.0.0.1/", "actions", "<b>"), 400,
		"plain http goes only to addresses that outbound.allow permits", "Each is an action such as user.login", "&lt;b&gt;")
	v.shows(v.post(all, "slug", "siem", "url", l.URL, "actions", "user.logn"), 400, "Nothing is recorded as user.logn: did you mean user.login?",
		`id="all-actions"`, "<code>user.login</code>", "<code>webhook.update</code>")
	v.leads(v.post(all, "slug", "siem", "name", "Our <SIEM>", "url", l.URL+"/hook?a=b", "actions", "user.*\r\nwebhook.test"), one)
	page := v.get(one)
	v.shows(page, 200, "Our &lt;SIEM&gt;", "whsec_", "user.*", `id="test"`, "authy webhook deliveries siem", `id="all-actions"`)
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(strings.ReplaceAll(page.Body, "&#43;", "+"))
	if again := v.get(one); strings.Contains(again.Body, "whsec_") {
		t.Error("the secret is shown twice")
	}
	v.shows(v.post(one+"/test"), 200, "The receiver has taken the event: 204")
	if h := l.hears(t, "webhook.test", ""); !h.by(secret) {
		t.Errorf("told %+v", h)
	}
	l.status.Store(500)
	v.shows(v.post(one+"/test"), 200, "it answered 500")
	page = v.get(one)
	v.shows(page, 200, "Given up", "Delivered", "Send again")
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page.Body)
	v.leads(v.post(one+"/redeliver", "id", id[1]), one)
	v.shows(v.post(one+"/redeliver", "id", "nothing"), 404, "There is no such delivery")
	v.shows(v.post(one, "url", "ftp://x"), 400, "It cannot be used")
	v.leads(v.post(one, "name", "Other", "url", l.URL, "actions", ""), one)
	v.shows(v.get(one), 200, "Other", "<code>*</code>")
	v.shows(v.get(one+"/rotate"), 200, "authy webhook rotate siem")
	v.leads(v.post(one+"/rotate"), one)
	v.shows(v.get(one), 200, "whsec_", "The old secret signs until")
	v.leads(v.post(one+"/state", "to", "off"), one)
	v.shows(v.get(one), 200, "It is switched off", `id="resume"`)
	v.shows(v.post(one+"/test"), 409, "This webhook is off")
	v.leads(v.post(one+"/state", "to", "resume"), one)
	v.shows(v.get(one+"/remove"), 200, "authy webhook remove siem")
	v.leads(v.post(one+"/remove"), all)
	v.shows(v.get(all), 200, "The webhook is removed.", "There are no webhooks.")
}
