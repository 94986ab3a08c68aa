package server

import (
	"context"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"authy/server/audit"
	"authy/server/mail"
	"authy/server/metric"
	"authy/server/overview"
	"authy/server/steady"
	"authy/server/webhook"
	"authy/storage"
	"authy/storage/kv"
)

// metrics is what this process counts for Prometheus. A nil one counts nothing. No
// value of a label is anything that a caller has sent.
type metrics struct {
	requests  [int(overview.Classes) + 1][len(methods)][len(codes)]metric.Counter
	took      [int(overview.Classes) + 1]metric.Histogram
	documents metric.Counter // keys and discovery, which nothing else is noted of
	events    tallies
	signIns   tallies
	began     time.Time
	version   string
}

// methods and codes are the values of labels; the last of methods is for all others.
var (
	methods = [...]string{"GET", "POST", "PUT", "PATCH", "DELETE", "other"}
	codes   = [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}
)

// other is the class of requests whose time is not kept: files, and what monitors ask.
const other = int(overview.Classes)

// maxTallies bounds the pairs that are counted: there are fewer actions.
const maxTallies = 1000

// tallies counts by two words, which are of the code.
type tallies struct {
	mu     sync.Mutex
	counts map[[2]string]int64
}

func (t *tallies) inc(one, two string) { t.add(one, two, 1) }

func (t *tallies) add(one, two string, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[[2]string]int64{}
	}
	key := [2]string{one, two}
	if _, known := t.counts[key]; known || len(t.counts) < maxTallies {
		t.counts[key] += n
	}
}

// newMetrics returns what counts for a process of a version that begins now. What rules
// for alerts ask for is there from the beginning: a count that begins at one has not
// grown.
func newMetrics(version string) *metrics {
	m := &metrics{began: time.Now(), version: version}
	for _, method := range []string{"password", "password_and_second_factor", "passkey", "second_factor", "provider", "recovery"} {
		for _, outcome := range []string{audit.Success, "wrong", "throttled", "suspended", "inactive"} {
			m.signIns.add(method, outcome, 0)
		}
	}
	for _, action := range []string{"admin.recovered", "user.panic", mail.Failed} {
		m.events.add(action, audit.Success, 0)
		m.events.add(action, audit.Failure, 0)
	}
	return m
}

// request counts an answer.
func (m *metrics) request(r *http.Request, status int, took time.Duration) {
	if m == nil {
		return
	}
	class := other
	if c, ok := classOf(r); ok {
		class = int(c)
	}
	method := len(methods) - 1
	for i, name := range methods {
		if r.Method == name {
			method = i
		}
	}
	m.requests[class][method][min(max(status/100, 1), len(codes))-1].Inc()
	m.took[class].Observe(took)
}

// document counts an answer that is the same for everyone.
func (m *metrics) document() {
	if m != nil {
		m.documents.Inc()
	}
}

// event counts what was recorded in the audit log, and sign-ins by their method.
func (m *metrics) event(e *storage.Event) {
	m.events.inc(e.Action, e.Outcome)
	if method := signInMethod(e); method != "" {
		outcome := e.Outcome
		if outcome == audit.Failure {
			outcome = refusalOf(e.Reason)
		}
		m.signIns.inc(method, outcome)
	}
}

// signInMethod says how somebody signed in or tried to, "" for any other event.
func signInMethod(e *storage.Event) string {
	switch e.Action {
	case "webauthn.login.failed":
		return "passkey"
	case "totp.verify.failed":
		return "second_factor"
	case "user.login":
	default:
		return ""
	}
	has := func(text string) bool { return strings.Contains(e.Details, text) }
	switch {
	case has(`"provider"`):
		return "provider"
	case has("recovery"):
		return "recovery"
	case e.Outcome == audit.Success && !has("pwd"):
		return "passkey"
	case has("mfa"):
		return "password_and_second_factor"
	}
	return "password"
}

// refusalOf is why a sign-in was refused, in few words.
func refusalOf(reason string) string {
	switch reason {
	case "throttled", "suspended", "inactive":
		return reason
	}
	return "wrong"
}

// serveMetrics writes all of it.
func (s *Services) serveMetrics(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", metric.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	out := metric.NewWriter(w)
	s.metrics.write(out)
	s.writeParts(r.Context(), out)
	writeRuntime(out, s.metrics.began)
	_ = out.Flush() // whoever asked has gone
}

func (m *metrics) write(w *metric.Writer) {
	w.Family("authy_build_info", metric.IsGauge, "The version that runs; always 1.")
	w.Int(1, "version", m.version, "go_version", runtime.Version())
	w.Family("authy_http_requests_total", metric.IsCounter, "Requests answered, by their class, method and sort of status.")
	for class := range m.requests {
		for method := range m.requests[class] {
			for code := range m.requests[class][method] {
				n := m.requests[class][method][code].Value()
				if n > 0 || method < 2 && code > 0 { // the usual ones from the beginning
					w.Int(n, "class", className(class), "method", methods[method], "code", codes[code])
				}
			}
		}
	}
	w.Family("authy_http_request_duration_seconds", metric.IsHistogram, "How long requests took, by their class.")
	for class := range m.took {
		w.Histogram(&m.took[class], "class", className(class))
	}
	w.Family("authy_http_documents_total", metric.IsCounter, "Requests for keys and discovery.")
	w.Int(m.documents.Value())
	m.signIns.write(w, "authy_sign_ins_total", "Sign-ins and attempts, by method and outcome.", "method", "outcome")
	m.events.write(w, "authy_events_total", "Events recorded in the audit log by this process.", "action", "outcome")
}

func className(class int) string {
	if class == other {
		return "other"
	}
	return overview.Class(class).String()
}

func (t *tallies) write(w *metric.Writer, family, help, one, two string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.Family(family, metric.IsCounter, help)
	for _, key := range slices.SortedFunc(maps.Keys(t.counts), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		w.Int(t.counts[key], one, key[0], two, key[1])
	}
}

// writeParts writes what the parts of the server have counted. What cannot be asked is
// left out, and counted as such.
func (s *Services) writeParts(ctx context.Context, w *metric.Writer) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	w.Family("authy_http_connections", metric.IsGauge, "Connections that are open.")
	w.Int(int64(s.open.count()))
	w.Family("authy_clock_held_seconds", metric.IsGauge, "How far the server's time is ahead of the clock, which was put back.")
	w.Sample(steady.Ahead().Seconds())
	s.writeHashing(w)
	s.writeStore(w)
	s.log.write(w)
	failed := map[string]bool{}
	for part, write := range map[string]func(context.Context, *metric.Writer) error{
		"storage": s.writeStorage, "keys": s.writeKeys, "audit": s.writeAudit, "backup": s.writeBackup,
		"webhooks": s.writeWebhooks,
	} {
		failed[part] = write(ctx, w) != nil
	}
	w.Family("authy_scrape_failed", metric.IsGauge, "Whether a part could not be asked for its numbers.")
	for part, is := range failed {
		w.Bool(is, "part", part)
	}
}

func (s *Services) writeHashing(w *metric.Writer) {
	load := s.Accounts.HashingLoad()
	for _, one := range []struct {
		name, help string
		value      int
	}{
		{"slots", "Passwords that can be hashed at once.", load.Slots},
		{"busy", "Passwords that are being hashed.", load.Busy},
		{"waiting", "Passwords that wait to be hashed.", load.Waiting},
	} {
		w.Family("authy_hashing_"+one.name, metric.IsGauge, one.help)
		w.Int(int64(one.value))
	}
	w.Family("authy_hashing_turns_total", metric.IsCounter, "Passwords that were hashed or are about to be.")
	w.Int(load.Turns)
	w.Family("authy_hashing_waits_total", metric.IsCounter, "Passwords that had to wait.")
	w.Int(load.Waits)
	w.Family("authy_hashing_wait_seconds_total", metric.IsCounter, "How long passwords have waited in all.")
	w.Sample(load.Waited.Seconds())
	w.Family("authy_hashing_refused_total", metric.IsCounter, "Passwords that were not hashed because too many waited.")
	w.Int(load.Refused)
}

// writeStore writes what was done with the key-value stores.
func (s *Services) writeStore(w *metric.Writer) {
	stores := map[string]kv.Store{"shared": s.kept, "counters": s.Store, "process": s.local}
	usage := func(do func(name string, calls, failures int64, took time.Duration)) {
		for name, store := range stores {
			if watched, ok := store.(*kv.Watched); ok {
				calls, failures, took := watched.Usage()
				do(name, calls, failures, took)
			}
		}
	}
	w.Family("authy_kv_operations_total", metric.IsCounter, "Operations of the key-value stores.")
	usage(func(name string, calls, _ int64, _ time.Duration) { w.Int(calls, "store", name) })
	w.Family("authy_kv_failures_total", metric.IsCounter, "Operations of the key-value stores that failed.")
	usage(func(name string, _, failures int64, _ time.Duration) { w.Int(failures, "store", name) })
	w.Family("authy_kv_seconds_total", metric.IsCounter, "How long operations of the key-value stores took in all.")
	usage(func(name string, _, _ int64, took time.Duration) { w.Sample(took.Seconds(), "store", name) })
}

func (s *Services) writeStorage(ctx context.Context, w *metric.Writer) error {
	st := s.DB.Stats()
	for _, one := range []struct {
		name, kind, help string
		value            float64
	}{
		{"transactions_total", metric.IsCounter, "Transactions that took effect.", float64(st.Transactions)},
		{"commits_total", metric.IsCounter, "Commits by which they did; on SQLite many share one.", float64(st.Commits)},
		{"refused_total", metric.IsCounter, "Transactions that were refused because too many waited.", float64(st.Refused)},
		{"waiting", metric.IsGauge, "Transactions that wait for their commit.", float64(st.Waiting)},
		{"wal_bytes", metric.IsGauge, "Size of SQLite's write-ahead log.", float64(st.WAL)},
		{"pool_open", metric.IsGauge, "Connections to the database.", float64(st.Pool.OpenConnections)},
		{"pool_in_use", metric.IsGauge, "Connections to the database that are in use.", float64(st.Pool.InUse)},
		{"pool_max", metric.IsGauge, "Connections to the database that there can be.", float64(st.Pool.MaxOpenConnections)},
		{"pool_waits_total", metric.IsCounter, "Times that a connection was waited for.", float64(st.Pool.WaitCount)},
		{"pool_wait_seconds_total", metric.IsCounter, "How long connections were waited for in all.", st.Pool.WaitDuration.Seconds()},
	} {
		w.Family("authy_storage_"+one.name, one.kind, one.help)
		w.Sample(one.value)
	}
	w.Family("authy_storage_failing", metric.IsGauge, "Whether the database refuses what is written, or does not answer.")
	w.Bool(st.Failing, "engine", st.Engine)
	size, err := s.DB.Size(ctx)
	if err != nil {
		return err
	}
	w.Family("authy_storage_size_bytes", metric.IsGauge, "Size of the database, with SQLite's log.")
	w.Int(size)
	return nil
}

func (s *Services) writeKeys(ctx context.Context, w *metric.Writer) error {
	keys, err := s.DB.Keys(ctx)
	if err != nil {
		return err
	}
	w.Family("authy_signing_key_timestamp_seconds", metric.IsGauge, "Since when the key signs that signs now, by its algorithm.")
	counts := map[[2]string]int64{}
	for i := range keys {
		k := &keys[i]
		counts[[2]string{k.Algorithm, k.State}]++
		if k.State == storage.SigningKey {
			w.Time(k.SignsAt.Time, "algorithm", k.Algorithm)
		}
	}
	w.Family("authy_keys", metric.IsGauge, "Keys, by algorithm and state.")
	for key, n := range counts {
		w.Int(n, "algorithm", key[0], "state", key[1])
	}
	return nil
}

func (s *Services) writeAudit(ctx context.Context, w *metric.Writer) error {
	n, err := s.DB.CountUnlinkedEvents(ctx)
	if err != nil {
		return err
	}
	w.Family("authy_audit_unlinked_events", metric.IsGauge, "Events that the chain of the audit log does not hold yet.")
	w.Int(n)
	return nil
}

// writeWebhooks writes how webhooks fare, and what this process has told them.
func (s *Services) writeWebhooks(ctx context.Context, w *metric.Writer) error {
	delivered, failed, givenUp := s.Webhooks.Counts()
	w.Family("authy_webhook_attempts_total", metric.IsCounter, "Attempts to tell webhooks of an event, by how they ended.")
	w.Int(delivered, "outcome", "delivered")
	w.Int(failed, "outcome", "failed")
	w.Family("authy_webhook_given_up_total", metric.IsCounter, "Events that were given up to tell a webhook of.")
	w.Int(givenUp)
	all, err := s.DB.Webhooks(ctx)
	if err != nil {
		return err
	}
	counts := map[string]int64{}
	for i := range all {
		counts[webhook.StateOf(&all[i])]++
	}
	w.Family("authy_webhooks", metric.IsGauge, "Webhooks, by how they fare.")
	for _, state := range []string{webhook.On, webhook.Failing, webhook.Off, webhook.TurnedOff} {
		w.Int(counts[state], "state", state)
	}
	return nil
}

// writeBackup writes of when the latest backup is, where any are made.
func (s *Services) writeBackup(_ context.Context, w *metric.Writer) error {
	if s.Config.Backup.Every.Duration == 0 {
		return nil
	}
	files, err := s.Backups.Files()
	if err != nil {
		return err
	}
	var latest time.Time
	for i := range files {
		if at := files[i].MadeAt; at.After(latest) {
			latest = at
		}
	}
	w.Family("authy_backup_timestamp_seconds", metric.IsGauge, "Of when the latest backup is.")
	w.Time(latest)
	w.Family("authy_backup_interval_seconds", metric.IsGauge, "How often a backup is made.")
	w.Sample(s.Config.Backup.Every.Seconds())
	return nil
}
