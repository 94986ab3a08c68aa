package doctor_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"authy/server/audit"
	"authy/server/backup"
	"authy/server/config"
	"authy/server/doctor"
	"authy/server/forward"
	"authy/server/machine/machinetest"
	"authy/server/provider"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

// site is a set-up in the making: what a test has beside authy, and what it changes.
type site struct {
	t      *testing.T
	relay  *servertest.Outbox
	stub   *servertest.StubOIDC
	front  *front
	engine string
	file   string // of the state
}

// front is a reverse proxy before authy, and before an application that rules of
// forward-auth guard.
type front struct {
	own, app *httptest.Server
	authy    atomic.Pointer[url.URL]
	headers  func(r *http.Request) // sets what visitors are said to be
}

func newFront(t *testing.T) *front {
	t.Helper()
	f := &front{headers: func(r *http.Request) {
		r.Header.Set("X-Forwarded-For", "192.0.2.7")
		r.Header.Set("X-Forwarded-Proto", "http")
	}}
	pass := func(change func(r *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			proxy := httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
				p.Out.URL.Scheme, p.Out.URL.Host = "http", f.authy.Load().Host
				p.Out.Host = p.In.Host
				change(p.Out)
			}}
			proxy.ServeHTTP(w, r)
		}
	}
	f.own = httptest.NewServer(pass(func(r *http.Request) { f.headers(r) }))
	f.app = httptest.NewServer(pass(func(r *http.Request) {
		r.Header.Set("X-Forwarded-Host", r.Host)
		r.Header.Set("X-Forwarded-Proto", "http")
		r.Header.Set("X-Forwarded-Uri", r.URL.RequestURI())
		r.Header.Set("X-Forwarded-Method", r.Method)
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = forward.CheckPath, "", ""
	}))
	t.Cleanup(f.own.Close)
	t.Cleanup(f.app.Close)
	return f
}

func (f *front) host() string { return f.app.Listener.Addr().String() }

// full configures everything there is to look at, as it should be: a proxy, a relay that
// wants a name and a password, a provider, a host of forward-auth, backups.
func (st *site) full(c *config.Config) {
	st.relay.Configure(c)
	st.relay.Username, st.relay.Password = "authy", "hunter2"
	c.Mail.Username, c.Mail.Password = "authy", "hunter2"
	c.PublicURL = st.front.own.URL
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c.ForwardAuth = []*config.ForwardRule{{Hosts: config.Words{st.front.host()}, Who: config.Words{"signed-in"}}}
	c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	c.State.File = st.file
	c.Backup.Every, c.Backup.Recipient = config.Duration{Duration: 24 * time.Hour}, recipient(st.t)
}

// recipient is a public key for backups: a passphrase takes a second each time.
func recipient(t *testing.T) string {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return key.Recipient().String()
}

// start runs authy as change has it, after everything is as it should be.
func (st *site) start(change func(c *config.Config)) *servertest.Server {
	st.t.Helper()
	s := servertest.Start(st.t, servertest.Options{
		DatabaseURL: storagetest.Migrated(st.t, st.engine), Empty: true,
		Configure: func(c *config.Config) {
			st.full(c)
			st.front.authy.Store(&url.URL{Scheme: "http", Host: c.Listen})
			if change != nil {
				change(c)
			}
		},
	})
	if err := s.ApplyState(st.t.Context()); err != nil {
		st.t.Fatal(err)
	}
	if _, err := s.Backups.Make(st.t.Context(), audit.Shell(), backup.Options{}); err != nil {
		st.t.Fatal(err)
	}
	if _, err := s.Providers.Create(st.t.Context(), audit.Shell(), provider.Description{
		Slug: "stub", Kind: provider.OIDC, Name: "The stub", Issuer: st.stub.Issuer, ClientID: st.stub.ClientID, Secret: st.stub.Secret,
	}); err != nil {
		st.t.Fatal(err)
	}
	return s
}

func newSite(t *testing.T) *site {
	t.Helper()
	st := &site{
		t: t, relay: servertest.NewOutbox(t), stub: servertest.NewStubOIDC(t), front: newFront(t), engine: "sqlite",
		file: filepath.Join(t.TempDir(), "state.toml"),
	}
	st.says("[branding]\nname = 'Acme'\n")
	return st
}

// says has the state file say something.
func (st *site) says(text string) {
	st.t.Helper()
	if err := os.WriteFile(st.file, []byte(text), 0o600); err != nil {
		st.t.Fatal(err)
	}
}

// names are those of findings, each with its text in the log of the test.
func names(t *testing.T, s *doctor.Service) (out []string) {
	t.Helper()
	found, err := s.Examine(t.Context(), audit.Shell())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Logf("%s: %s", f.Name, f)
		if strings.Contains(f.String(), "%!") || strings.Contains(f.String(), "\n") || f.OK {
			t.Errorf("%s is no line, or nothing wrong: %q", f.Name, f)
		}
		out = append(out, f.Name)
	}
	return out
}

func TestASoundSetUpHasNothingWrong(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(st *site, c *config.Config){
		"all that there is, on SQLite":     func(*site, *config.Config) {},
		"all that there is, on PostgreSQL": nil,
		"nothing set":                      func(_ *site, c *config.Config) { c.Backup.Every.Duration = 0 },
		"with Redis":                       func(st *site, c *config.Config) { c.Redis.URL = redis(st.t, "--maxmemory", "50mb") },
		"Redis without an end of memory": func(st *site, c *config.Config) {
			c.Redis.URL = redis(st.t, "--maxmemory-policy", "allkeys-lru")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := newSite(t)
			if change == nil {
				st.engine = "postgres"
			}
			s := st.start(func(c *config.Config) {
				if change != nil {
					change(st, c)
				}
			})
			if found := names(t, s.Doctor); len(found) > 0 {
				t.Errorf("found %q in a set-up that is sound", found)
			}
		})
	}
}

// redis starts a redis-server of the test's own, with settings.
func redis(t *testing.T, settings ...string) config.Secret {
	t.Helper()
	address, _ := storagetest.Redis(t, settings...)
	return config.Secret("redis://" + address)
}

// free is a port that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil || l.Close() != nil {
		t.Fatal("no port: ", err)
	}
	return port
}

// breakage is a set-up in which one thing is wrong.
type breakage struct {
	finding string
	says    string
	before  func(st *site, c *config.Config)
	after   func(st *site, s *servertest.Server)
}

// breakages are the broken set-ups, each made of one that is sound.
var breakages = map[string]breakage{
	"the relay wants another password": {
		"mail", "535", func(_ *site, c *config.Config) { c.Mail.Password = "guess" }, nil,
	},
	"the relay wants a password": {
		"mail", "530", func(_ *site, c *config.Config) { c.Mail.Username, c.Mail.Password = "", "" }, nil,
	},
	"the relay has no TLS":     {"mail", "STARTTLS", func(st *site, _ *config.Config) { st.relay.NoTLS = true }, nil},
	"the relay is not there":   {"mail", "refused", func(st *site, c *config.Config) { c.Mail.Port = atoi(free(st.t)) }, nil},
	"the relay turns all away": {"mail", "421", nil, func(st *site, _ *servertest.Server) { st.relay.Down(true) }},
	"the discovery of a provider is gone": {"provider", "stub (discovery)", nil, func(st *site, _ *servertest.Server) {
		st.stub.Set(func(s *servertest.StubOIDC) {
			s.Before = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(404); return true }
		})
	}},
	"Redis forgets": {"store_settings", "allkeys-lru", func(st *site, c *config.Config) {
		c.Redis.URL = redis(st.t, "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
	}, nil},
	"Redis is not there": {"store", "redis.url", func(st *site, c *config.Config) {
		c.Redis.URL = config.Secret("redis://127.0.0.1:" + free(st.t))
	}, nil},
	"PostgreSQL forgets": {"database_settings", "synchronous_commit = off", func(st *site, c *config.Config) {
		u, err := url.Parse(c.Database.URL.Reveal())
		if err != nil {
			st.t.Fatal(err)
		}
		storagetest.Exec(st.t, c.Database.URL.Reveal(), "ALTER DATABASE "+strings.TrimPrefix(u.Path, "/")+" SET synchronous_commit = off")
	}, nil},
	"a pooler keeps the news of PostgreSQL back": {"database_news", "pool by session", func(st *site, c *config.Config) {
		behind, relay := storagetest.Behind(st.t, c.Database.URL.Reveal())
		relay.KeepNewsBack(true)
		c.Database.URL = config.Secret(behind)
	}, nil},
	"the proxy is not trusted": {"proxy", "add “127.0.0.1”", func(_ *site, c *config.Config) {
		c.TrustedProxies, c.ForwardAuth = nil, nil
	}, nil},
	"the proxy says it otherwise": {"proxy", "X-Real-IP", func(st *site, c *config.Config) {
		c.TrustedProxies, c.ForwardAuth = nil, nil
		st.front.headers = func(r *http.Request) { r.Header.Set("X-Real-IP", "192.0.2.7") }
	}, nil},
	"the proxy says another scheme": {"scheme", "visitors come by https", func(st *site, _ *config.Config) {
		before := st.front.headers
		st.front.headers = func(r *http.Request) { before(r); r.Header.Set("X-Forwarded-Proto", "https") }
	}, nil},
	"everybody is trusted": {"trusted_proxies", "anyone can pretend", func(st *site, c *config.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
		st.front.headers = func(*http.Request) {}
	}, nil},
	"nobody is at the public URL": {"reach", "Nothing listens", func(st *site, c *config.Config) {
		c.PublicURL = "http://127.0.0.1:" + free(st.t)
	}, nil},
	"a host of forward-auth leads elsewhere": {"forward_auth", "(404)", func(st *site, c *config.Config) {
		other := httptest.NewServer(http.NotFoundHandler())
		st.t.Cleanup(other.Close)
		c.ForwardAuth[0].Hosts = append(c.ForwardAuth[0].Hosts, other.Listener.Addr().String())
	}, nil},
	"a host of forward-auth is not there": {"forward_auth", "refused", func(st *site, c *config.Config) {
		c.ForwardAuth[0].Hosts = append(c.ForwardAuth[0].Hosts, "127.0.0.1:"+free(st.t))
	}, nil},
	"a cookie for everybody's domain": {"cookies", "co.uk", func(_ *site, c *config.Config) { c.ForwardAuth[0].Domain = "co.uk" }, nil},
	"another program at metrics.listen": {"metrics", "(metrics.listen)", nil, func(st *site, s *servertest.Server) {
		other := httptest.NewServer(http.NotFoundHandler())
		st.t.Cleanup(other.Close)
		s.Config.Metrics.Listen = other.Listener.Addr().String()
	}},
	"another program at listen": {"listen", "(listen)", nil, func(st *site, s *servertest.Server) {
		other := httptest.NewServer(http.NotFoundHandler())
		st.t.Cleanup(other.Close)
		s.Config.Listen = other.Listener.Addr().String()
	}},
	"a token for metrics that is not there": {"metrics", "metrics.token_file: open /nope", nil, func(_ *site, s *servertest.Server) {
		s.Config.Metrics.TokenFile = "/nope"
	}},
	"a token for metrics that all can read": {"token_file", "chmod o-rwx", nil, func(st *site, s *servertest.Server) {
		s.Config.Metrics.TokenFile = filepath.Join(st.t.TempDir(), "token")
		if err := os.WriteFile(s.Config.Metrics.TokenFile, []byte("a-token-that-is-long"), 0o604); err != nil {
			st.t.Fatal(err)
		}
	}},
	"a provider of the configuration that is refused": {"provider_settings", "provider.ex: ", nil, func(_ *site, s *servertest.Server) {
		s.Config.Providers = map[string]*config.Provider{"ex": {Kind: "oidc", Issuer: "http://ex.example.com", ClientID: "id"}}
	}},
	"a weak setting": {"openid.implicit", "", func(_ *site, c *config.Config) { c.OpenID.Implicit = true }, nil},
	"too few files":  {"open_files", "LimitNOFILE", func(_ *site, c *config.Config) { c.Server.MaxConnections = 1 << 40 }, nil},
	"an expired certificate": {"certificate", "ended at", func(st *site, c *config.Config) {
		dir, now := st.t.TempDir(), time.Now()
		c.TLS = config.TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
		pair := machinetest.NewPair(st.t, "localhost", now.Add(-48*time.Hour), now.Add(-time.Hour))
		machinetest.Write(st.t, c.TLS.CertFile, pair.Cert, 0)
		machinetest.Write(st.t, c.TLS.KeyFile, pair.Key, 0)
		_, port, _ := net.SplitHostPort(c.Listen)
		c.PublicURL, c.TrustedProxies, c.ForwardAuth = "https://localhost:"+port, nil, nil
	}, nil},
	"a backup that is too old": {"backup", "The last backup was made at", nil, func(st *site, s *servertest.Server) {
		beside(st.t, s, fmt.Sprintf(
			"UPDATE events SET at = %d WHERE action = 'backup.made'", time.Now().Add(-72*time.Hour).UnixMilli()))
	}},
	"backups that are gone": {"backup", "is the disk mounted", nil, func(st *site, s *servertest.Server) {
		if err := os.RemoveAll(s.Backups.Dir()); err != nil {
			st.t.Fatal(err)
		}
	}},
	"a state file that is refused": {"state", `state.toml:2:1: user.emial: unknown key; did you mean "email"?`, nil, func(st *site, _ *servertest.Server) {
		st.says("[[user]]\nemial = 'ada@example.com'\n")
	}},
	"a state file that was changed": {
		"state", "1 to add, 0 to change, 0 to remove", nil, func(st *site, _ *servertest.Server) {
			st.says("[[user]]\nemail = 'ada@example.com'\nfull_name = 'Ada'\n")
		},
	},
	"passkeys of another host": {"passkeys", "made when the server was at localhost", func(st *site, c *config.Config) {
		c.PublicURL = st.front.own.URL // at 127.0.0.1
	}, func(st *site, s *servertest.Server) {
		here := s.Accounts.PublicURL
		s.Accounts.PublicURL = "http://localhost:5000"
		reside(st.t, s)
		addPasskey(st.t, s)
		s.Accounts.PublicURL = here
		reside(st.t, s)
	}},
}

// beside changes the SQLite database of a server that runs.
func beside(t *testing.T, s *servertest.Server, statement string) {
	t.Helper()
	storagetest.Exec(t, s.Config.DatabaseURL()+"?_pragma=busy_timeout(10000)", statement)
}

func reside(t *testing.T, s *servertest.Server) {
	t.Helper()
	if err := s.Accounts.Reside(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond) // times are kept in milliseconds
}

func addPasskey(t *testing.T, s *servertest.Server) {
	t.Helper()
	now := time.Now()
	user := &storage.User{
		ID: storage.NewID(), Email: "ada@example.com", FullName: "Ada", Status: storage.Active,
		CreatedAt: storage.At(now), UpdatedAt: storage.At(now),
	}
	err := s.DB.Update(t.Context(), func(tx *storage.Tx) error {
		if err := tx.InsertUser(t.Context(), user); err != nil {
			return err
		}
		return tx.InsertPasskey(t.Context(), &storage.Passkey{
			ID: storage.NewID(), UserID: user.ID, CredentialID: "credential", PublicKey: "key", Name: "Phone", CreatedAt: storage.At(now),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond)
}

func atoi(text string) (n int) {
	_, _ = fmt.Sscan(text, &n) // it is a port
	return n
}

func TestEachBrokenSetUpHasExactlyOneFinding(t *testing.T) {
	t.Parallel()
	for name, b := range breakages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := newSite(t)
			if strings.HasPrefix(b.finding, "database_") {
				st.engine = "postgres"
			}
			s := st.start(func(c *config.Config) {
				if b.before != nil {
					b.before(st, c)
				}
			})
			if b.after != nil {
				b.after(st, s)
			}
			found, err := s.Doctor.Examine(t.Context(), audit.Shell())
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != 1 || found[0].Name != b.finding || !strings.Contains(found[0].String(), b.says) {
				t.Errorf("found %v, want one called %s that says %q", found, b.finding, b.says)
			}
			for _, f := range found {
				t.Logf("%s: %s", f.Name, f)
				if strings.Contains(f.String(), "hunter2") || strings.Contains(f.String(), "s3cret") {
					t.Errorf("a secret is told: %s", f)
				}
			}
		})
	}
}

// All of it at once is found at once, each under its name.
func TestFindingsDoNotHideEachOther(t *testing.T) {
	t.Parallel()
	st := newSite(t)
	s := st.start(func(c *config.Config) {
		for _, name := range []string{"the relay wants another password", "a weak setting", "too few files", "a cookie for everybody's domain"} {
			breakages[name].before(st, c)
		}
	})
	got := names(t, s.Doctor)
	slices.Sort(got)
	if want := []string{"cookies", "mail", "open_files", "openid.implicit"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestWhatHangsIsSaidAndHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	st := newSite(t)
	s := st.start(nil)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // that never says a word
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // it ends either way
	s.Config.Mail.Port = l.Addr().(*net.TCPAddr).Port
	// What the relay is was taken when the server was built.
	again := servertest.Start(t, servertest.Options{Empty: true, Configure: func(c *config.Config) {
		st.relay.Configure(c)
		c.Mail.Port, c.Mail.Timeout.Duration = s.Config.Mail.Port, 2*time.Second
	}})
	began := time.Now()
	if got := names(t, again.Doctor); !slices.Equal(got, []string{"mail"}) {
		t.Errorf("found %q, want the relay that hangs", got)
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestALowDiskIsSaid(t *testing.T) {
	t.Parallel()
	dir, inside := storagetest.Disk(t, 64<<10)
	if !inside {
		return
	}
	s := servertest.Start(t, servertest.Options{Empty: true, Configure: func(c *config.Config) { c.DataDir = dir }})
	if got := names(t, s.Doctor); !slices.Equal(got, []string{"disk"}) {
		t.Errorf("found %q, want disk", got)
	}
}

func TestWhetherABackupIsOverdue(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Now()
	there := []backup.Kept{{}}
	for name, c := range map[string]struct {
		every     time.Duration
		files     []backup.Kept
		last, age time.Duration // ago; 0 for none
		sqlite    bool
		want      string
	}{
		"made today":                       {day, there, time.Hour, 100 * day, true, ""},
		"a little late":                    {day, there, 47 * time.Hour, 100 * day, true, ""},
		"late":                             {day, there, 49 * time.Hour, 100 * day, true, "The last backup was made at"},
		"new, with none yet":               {day, nil, 0, time.Hour, true, ""},
		"old, with none":                   {day, nil, 0, 3 * day, true, "No backup was ever made, and"},
		"gone":                             {day, nil, time.Hour, 3 * day, true, "is the disk mounted"},
		"by hand, elsewhere":               {day, nil, time.Hour, 3 * day, true, ""},
		"no schedule, new":                 {0, nil, 0, day, true, ""},
		"no schedule, old":                 {0, nil, 0, 8 * day, true, "No backup was ever made: set"},
		"no schedule, by hand":             {0, there, 20 * day, 100 * day, true, ""},
		"no schedule, by hand long ago":    {0, there, 40 * day, 100 * day, true, "run 'authy backup' by cron"},
		"no schedule, on PostgreSQL":       {0, nil, 0, 100 * day, false, ""},
		"no schedule, PostgreSQL, by hand": {0, nil, 90 * day, 100 * day, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			last := time.Time{}
			if c.last > 0 {
				last = now.Add(-c.last)
			}
			state := &backup.State{Every: c.every, Files: c.files, Dir: "/b", MadeAt: last}
			if strings.HasSuffix(name, "elsewhere") {
				state.MadeAt = time.Time{}
			}
			got := doctor.Overdue(state, last, c.age, c.sqlite)
			if len(got) > 1 || (len(got) == 1) != (c.want != "") || len(got) == 1 && !strings.Contains(got[0].String(), c.want) {
				t.Errorf("found %v, want %q", got, c.want)
			}
		})
	}
}

// Who does not administer the server learns nothing of it.
func TestOnlyAdministratorsExamine(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	bob, err := s.DB.UserByEmail(t.Context(), "bob@acme-corp.com")
	if err != nil {
		t.Fatal(err)
	}
	by := audit.Actor{Kind: audit.User, ID: bob.ID}
	if _, err := s.Doctor.Examine(t.Context(), by); err == nil {
		t.Error("a member examines the server")
	}
	if _, err := s.Doctor.ExamineClient(t.Context(), by, "acme-portal-001"); err == nil {
		t.Error("a member examines a client")
	}
}
