package servertest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

// scraped is what an answer of /metrics says: the value of each series, and the kind of
// each family.
type scraped struct {
	series map[string]float64
	kinds  map[string]string
}

var (
	metricHelp   = regexp.MustCompile(`^# HELP ([a-z_][a-z0-9_]*) \S.*\.$`)
	metricType   = regexp.MustCompile(`^# TYPE ([a-z_][a-z0-9_]*) (counter|gauge|histogram)$`)
	metricSample = regexp.MustCompile(`^([a-z_][a-z0-9_]*)(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\})? (\S+)$`)
	bucketBound  = regexp.MustCompile(`,?le="([^"]*)"`)
)

// readMetrics reads the text format of Prometheus 0.0.4, strictly: each family has its
// help and its type once, before all of its samples, no series comes twice, a counter is
// not negative and is called _total, and the buckets of a histogram grow up to its count.
func readMetrics(text string) (*scraped, error) {
	out := &scraped{series: map[string]float64{}, kinds: map[string]string{}}
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line has no end: %q", text[max(0, len(text)-80):])
	}
	family, helped := "", ""
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if found := metricHelp.FindStringSubmatch(line); found != nil {
			helped = found[1]
			continue
		}
		if found := metricType.FindStringSubmatch(line); found != nil {
			if _, twice := out.kinds[found[1]]; twice || helped != found[1] {
				return nil, fmt.Errorf("%q comes twice, or without its help", line)
			}
			family, out.kinds[found[1]] = found[1], found[2]
			if found[2] == "counter" != strings.HasSuffix(family, "_total") {
				return nil, fmt.Errorf("%q is called so", line)
			}
			continue
		}
		if err := out.sample(family, line); err != nil {
			return nil, err
		}
	}
	return out, out.checkBuckets()
}

// sample reads a line with a value of a family.
func (s *scraped) sample(family, line string) error {
	found := metricSample.FindStringSubmatch(line)
	if found == nil {
		return fmt.Errorf("%q is no sample", line)
	}
	name := found[1]
	if s.kinds[family] == "histogram" {
		name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
	}
	value, err := strconv.ParseFloat(found[3], 64)
	if _, twice := s.series[found[1]+found[2]]; err != nil || twice || name != family || s.kinds[family] != "gauge" && value < 0 {
		return fmt.Errorf("%q in the family %q: %w", line, family, err)
	}
	s.series[found[1]+found[2]] = value
	return nil
}

// checkBuckets checks the histograms.
func (s *scraped) checkBuckets() error {
	last := map[string]float64{} // by the series without its bound
	for _, name := range slices.SortedFunc(maps.Keys(s.series), func(a, b string) int {
		return int(10_000 * (boundOf(a) - boundOf(b)))
	}) {
		if !strings.Contains(name, "_bucket{") {
			continue
		}
		of := bucketBound.ReplaceAllString(name, "")
		if s.series[name] < last[of] {
			return fmt.Errorf("%s has %v, and the one before %v", name, s.series[name], last[of])
		}
		last[of] = s.series[name]
	}
	for of, all := range last {
		if count := strings.Replace(of, "_bucket{", "_count{", 1); s.series[count] != all {
			return fmt.Errorf("%s is %v, and its buckets hold %v", count, s.series[count], all)
		}
	}
	return nil
}

// boundOf is the bound of a bucket, large for all else.
func boundOf(name string) float64 {
	found := bucketBound.FindStringSubmatch(name)
	if found == nil || found[1] == "+Inf" {
		return 1000
	}
	bound, _ := strconv.ParseFloat(found[1], 64)
	return bound
}

const metricsToken = "a-token-for-the-metrics"

// behindToken has the metrics on the main address, behind a token.
func behindToken(t *testing.T, c *config.Config) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(metricsToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Metrics.TokenFile = file
	c.RateLimit.Enabled = true
}

// scrape asks for the metrics.
func scrape(t *testing.T, s *servertest.Server) *scraped {
	t.Helper()
	r := raw(t, http.MethodGet, s.URL+"/metrics", "", bearerOf(metricsToken))
	if r.status != http.StatusOK || r.header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("scrape: %d %v", r.status, r.header)
	}
	got, err := readMetrics(r.body)
	if err != nil {
		t.Fatalf("%v in\n%s", err, r.body)
	}
	return got
}

func TestTheReaderOfMetricsIsStrict(t *testing.T) {
	t.Parallel()
	const head = "# HELP a_total What it is.\n# TYPE a_total counter\n"
	for name, text := range map[string]string{
		"no end":           head + "a_total 1",
		"no help":          "# TYPE a_total counter\na_total 1\n",
		"a family twice":   head + head + "a_total 1\n",
		"a series twice":   head + "a_total 1\na_total 1\n",
		"another family":   head + "b_total 1\n",
		"a negative count": head + "a_total -1\n",
		"no number":        head + "a_total x\n",
		"a counter's name": strings.ReplaceAll(head, "a_total", "a") + "a 1\n",
		"an open label":    head + "a_total{b=\"c} 1\n",
		"a bare quote":     head + "a_total{b=\"c\"d\"} 1\n",
		"buckets that shrink": "# HELP h What it is.\n# TYPE h histogram\nh_bucket{c=\"d\",le=\"1\"} 2\nh_bucket{c=\"d\",le=\"+Inf\"} 1\n" +
			"h_sum{c=\"d\"} 1\nh_count{c=\"d\"} 1\n",
		"a count of its own": "# HELP h What it is.\n# TYPE h histogram\nh_bucket{c=\"d\",le=\"+Inf\"} 1\nh_sum{c=\"d\"} 1\nh_count{c=\"d\"} 2\n",
	} {
		if _, err := readMetrics(text); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := readMetrics(head + "a_total{b=\"c\\\"d\",e=\"f\"} 1e+06\n"); err != nil {
		t.Error(err)
	}
}

func TestMetricsSayWhatHasHappened(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := servertest.Start(t, servertest.Options{
				DatabaseURL: storagetest.Migrated(t, engine), Configure: func(c *config.Config) { behindToken(t, c) },
			})
			before := scrape(t, s)
			for _, series := range []string{ // whose growth from nothing is an alert
				`authy_events_total{action="admin.recovered",outcome="success"}`,
				`authy_sign_ins_total{method="password",outcome="throttled"}`,
				`authy_http_requests_total{class="api",method="POST",code="5xx"}`,
			} {
				if got, there := before.series[series]; !there || got != 0 {
					t.Errorf("%s = %v, %t before anything has happened", series, got, there)
				}
			}
			p := logIn(t, s, bob, bobPass)
			caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": "wrong"}).wantOneOf(401)
			acmePortal.tokens(t, s, servertest.Browser(t))
			app := enrolled(t, p)
			caller{t: t, s: s}.call("POST", "/api/v1/auth/totp/verify", object{"pending_token": half(t, s), "code": app.code(0)}).wantOneOf(200)
			servertest.Get(t, http.DefaultClient, s.URL+"/.well-known/openid-configuration")
			after := scrape(t, s)
			for series, least := range map[string]float64{
				`authy_sign_ins_total{method="password",outcome="success"}`:                   2,
				`authy_sign_ins_total{method="password",outcome="wrong"}`:                     1,
				`authy_sign_ins_total{method="password_and_second_factor",outcome="success"}`: 1,
				`authy_events_total{action="totp.enroll.completed",outcome="success"}`:        1,
				`authy_http_requests_total{class="sign_in",method="POST",code="4xx"}`:         1,
				`authy_http_requests_total{class="token",method="POST",code="2xx"}`:           1,
				`authy_http_request_duration_seconds_count{class="sign_in"}`:                  3,
				`authy_http_documents_total`:                                                  1,
				`authy_hashing_turns_total`:                                                   3,
				`authy_storage_transactions_total`:                                            5,
				`authy_storage_commits_total`:                                                 3,
				`authy_kv_operations_total{store="shared"}`:                                   3,
			} {
				if got := after.series[series] - before.series[series]; got < least {
					t.Errorf("%s has grown by %v, want %v at least", series, got, least)
				}
			}
			for series, want := range map[string]float64{
				`authy_storage_failing{engine="` + engine + `"}`: 0, `authy_scrape_failed{part="storage"}`: 0,
				`authy_scrape_failed{part="keys"}`: 0, `authy_scrape_failed{part="audit"}`: 0,
			} {
				if got, there := after.series[series]; !there || got != want {
					t.Errorf("%s = %v, %t, want %v", series, got, there, want)
				}
			}
			if after.series["authy_storage_size_bytes"] < 1000 || after.series["authy_http_connections"] < 1 {
				t.Errorf("size %v, connections %v", after.series["authy_storage_size_bytes"], after.series["authy_http_connections"])
			}
		})
	}
}

// Nothing that a stranger sends becomes a series.
func TestNoStrangerAddsASeries(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { behindToken(t, c) }})
	send := func(i int) {
		for _, path := range []string{"/x", "/api/v1/x", "/oidc/x", "/static/x", "/metrics/x"} {
			raw(t, "GET", fmt.Sprintf("%s%s%d", s.URL, path, i), "", nil)
		}
		raw(t, fmt.Sprintf("M%d", i), s.URL+"/x", "", nil)
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": fmt.Sprintf("x%d@example.com", i), "password": "wrong"})
	}
	send(0)
	before := len(scrape(t, s).series)
	for i := range 20 {
		send(i)
	}
	if after := len(scrape(t, s).series); after > before+2 { // a limit that is reached has its own
		t.Errorf("%d series have become %d", before, after)
	}
}

func TestMetricsAreForWhoShowsTheToken(t *testing.T) {
	t.Parallel()
	off := servertest.New(t)
	if r := raw(t, http.MethodGet, off.URL+"/metrics", "", nil); r.status != http.StatusNotFound {
		t.Errorf("a server that was told nothing: %d", r.status)
	}
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { behindToken(t, c) }})
	root, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: rootEmail, Admin: true, Password: passphrase})
	if err != nil {
		t.Fatal(root, err)
	}
	for name, auth := range map[string]func(*http.Request){
		"nobody": nil, "another token": bearerOf(metricsToken + "x"), "half of it": bearerOf(metricsToken[:8]),
		"an administrator": bearerOf(logIn(t, s, rootEmail, passphrase).token),
		"without a scheme": func(r *http.Request) { r.Header.Set("Authorization", metricsToken) },
		"by basic":         func(r *http.Request) { r.SetBasicAuth("", metricsToken) },
	} {
		r := raw(t, http.MethodGet, s.URL+"/metrics", "", auth)
		if r.status != http.StatusUnauthorized || strings.Contains(r.body, "authy_") || r.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %d %v", name, r.status, r.header)
		}
	}
	lower := func(r *http.Request) { r.Header.Set("Authorization", "bearer "+metricsToken) }
	if r := raw(t, http.MethodGet, s.URL+"/metrics", "", lower); r.status != http.StatusOK {
		t.Errorf("a scheme in lower case: %d", r.status)
	}
}

func TestMetricsHaveAnAddressOfTheirOwn(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.Metrics.Listen = address }})
	servertest.Get(t, http.DefaultClient, s.URL+"/sign-in") // the server has started
	r := raw(t, http.MethodGet, "http://"+address+"/metrics", "", nil)
	if _, err := readMetrics(r.body); r.status != http.StatusOK || err != nil {
		t.Errorf("at its own address: %d, %v", r.status, err)
	}
	for name, url := range map[string]string{"the main address": s.URL + "/metrics", "a page there": "http://" + address + "/"} {
		if r := raw(t, http.MethodGet, url, "", nil); r.status != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", name, r.status)
		}
	}
}

// What the documents name is what a server says, and the other way round.
func TestTheDocumentsNameTheMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		behindToken(t, c)
		c.Backup.Every.Duration, c.Backup.Unencrypted = 24*60*60*1e9, true
	}})
	logIn(t, s, bob, bobPass)
	got := scrape(t, s)
	name := regexp.MustCompile(`\b(authy|process|go)_[a-z_]+\b`)
	named := map[string]bool{}
	for _, file := range []string{"monitoring.md", "monitoring/alerts.yaml", "monitoring/grafana.json"} {
		text, err := os.ReadFile(filepath.Join("../../docs", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range name.FindAllString(string(text), -1) {
			of := one
			if got.kinds[of] == "" {
				of = strings.TrimSuffix(of, "_bucket")
			}
			if got.kinds[of] == "" && of != "go_version" {
				t.Errorf("%s names %s, which there is not", file, one)
			}
			if file == "monitoring.md" {
				named[of] = true
			}
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(text) {
			t.Errorf("%s is not JSON", file)
		}
	}
	for family := range got.kinds {
		if strings.HasPrefix(family, "authy_") && !named[family] {
			t.Errorf("docs/monitoring.md does not name %s", family)
		}
	}
}
