package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"authy/server/overview"
	"authy/server/session"
	"authy/server/words"
)

// adminOverviewPage is the data of page "admin_overview".
type adminOverviewPage struct {
	Matters []matterView
	Tiles   []overviewTile
	Charts  []chartView // the first over the whole width, the others beside each other
	Active  []meterView // how many of the users were here
	Storage []meterView
	Speeds  []overviewSpeed
	Facts   []factPart
	Counted time.Time
}

// matterView is one thing that needs attention.
type matterView struct {
	Text     string
	Bad      bool
	Link     string
	LinkText string
}

// overviewTile is a number that stands out.
type overviewTile struct{ Title, Value, More, Link string }

// overviewSpeed is how fast requests of a sort are answered.
type overviewSpeed struct {
	Name          string
	Count         int
	P50, P95, P99 string
	Half, Most    int // how long P50 and P95 are, in percent of the slowest
}

// factPart is one fact, whose name is translated.
type factPart struct{ Name, Value string }

func (wb *Web) registerAdminOverview(get func(string, handler)) {
	get("/admin", wb.admin(wb.showOverview))
}

// matters says of each thing that needs attention what it is, and where it is
// seen to. Those with a count have a place for it.
var matters = map[string]struct{ text, link, linkText string }{
	overview.DiskLow:         {msg("The disk is almost full: %s are left."), "/admin/settings", msg("Settings")},
	overview.NetworkDisk:     {msg("The database is on a network file system, where it can lose data: move it to a local disk."), "/admin/settings", msg("Settings")},
	overview.ClockOff:        {msg("The clock of this machine is off: codes and tokens may be refused. “authy doctor” says more."), doctorPath, msg("Examine this set-up")},
	overview.TLSCertificate:  {msg("The certificate of this server has ended, ends soon, or is not for its address. “authy doctor” says more."), doctorPath, msg("Examine this set-up")},
	overview.ProviderFailing: {msg("Nobody came in from a provider today, and %d people could not."), "/admin/providers", msg("Providers")},
	overview.MailFailing:     {msg("Mail is not getting through: %d messages wait for another attempt."), "/admin/mail", msg("Mail")},
	overview.MailLost:        {msg("Mail was given up in the last 24 hours: %d messages."), "/admin/audit?action=mail.failed", msg("Audit log")},
	overview.BackupFailing:   {msg("The last backup could not be made, on %s."), "/admin/backup", msg("Backup")},
	overview.BackupOff:       {msg("No backup is made by itself."), "/admin/backup", msg("Backup")},
	overview.LogoutFailing:   {msg("Apps that should hear of a sign-out do not answer: %d messages wait."), "/admin/clients", msg("Apps")},
	overview.LogoutLost:      {msg("Apps never heard of a sign-out in the last 24 hours: %d messages."), "/admin/clients", msg("Apps")},
	overview.WebhookFailing:  {msg("Nothing gets through to webhooks: %d."), "/admin/webhooks", msg("Webhooks")},
	overview.WebhookOff:      {msg("Webhooks were turned off because nothing got through: %d."), "/admin/webhooks", msg("Webhooks")},
	overview.CertificateEnds: {msg("The SAML certificate ends on %s. Rotate it while services can still fetch the new one."), "/admin/saml/keys", msg("SAML keys")},
	overview.KeyOld:          {msg("Signing keys are older than a year and are not rotated by themselves: %d."), "/admin/keys", msg("Keys")},
	overview.KeyTurns:        {msg("A new signing key takes over on %s. There is nothing to do."), "/admin/keys", msg("Keys")},
	overview.AdminsPlain:     {msg("Administrators without a second factor: %d."), "/admin/users?kind=plain-admin", msg("Show them")},
	overview.OneAdmin:        {msg("There is only one administrator. If they lose access, somebody needs a shell on the server."), "/admin/users", msg("Users")},
	overview.LimitsOff:       {msg("Attempts to sign in are not limited: passwords can be guessed without end."), "/admin/settings", msg("Settings")},
	overview.PlainHTTP:       {msg("The server is reached without TLS: passwords can be read on the way."), "/admin/settings", msg("Settings")},
	overview.ClientsOpen:     {msg("Any app can register itself, without a token."), "/admin/settings", msg("Settings")},
	overview.SignUpOpen:      {msg("Anyone can make an account."), "/admin/settings", msg("Settings")},
	overview.MailOff:         {msg("No mail is set up: forgotten passwords and invitations need a link from you."), "/admin/mail", msg("Mail")},
	overview.ClientsRelaxed:  {msg("Apps that do without a protection such as PKCE: %d."), "/admin/clients", msg("Apps")},
}

// matter says what a notice is about.
func (wb *Web) matter(r *http.Request, n overview.Notice) matterView {
	m, ok := matters[n.Code]
	if !ok {
		return matterView{Text: n.Code}
	}
	out := matterView{Bad: n.Level == overview.Problem, Link: m.link, LinkText: m.linkText}
	switch {
	case n.Code == overview.DiskLow:
		out.Text = wb.say(r, m.text, inBytes(wb.speaks(r), n.Count))
	case slices.Contains([]string{overview.CertificateEnds, overview.KeyTurns, overview.BackupFailing}, n.Code):
		out.Text = wb.say(r, m.text, wb.speaks(r).Day(n.At))
	case n.Count > 0:
		out.Text = wb.say(r, m.text, n.Count)
	default:
		out.Text = wb.say(r, m.text)
	}
	return out
}

// methodNames name the ways to sign in, and the colours they have.
var methodNames = []struct{ method, name, class string }{
	{overview.Password, msg("Password"), "series-1"},
	{overview.Passkey, msg("Passkey"), "series-2"},
	{overview.Provider, msg("Provider"), "series-3"},
}

// requestClasses name the sorts of requests.
var requestClasses = map[overview.Class]string{
	overview.Pages: msg("Pages"), overview.SignIns: msg("Sign-in"), overview.Authorize: msg("Apps sending users"),
	overview.Tokens: msg("Tokens"), overview.API: msg("API"),
}

// showOverview shows how the server fares.
func (wb *Web) showOverview(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	report, err := wb.Overview.Report(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	page := adminOverviewPage{
		Tiles: wb.tiles(r, report), Active: activeMeters(report.Population), Storage: wb.storageMeters(r, report.Room), Charts: wb.charts(r, report), Facts: wb.serverFacts(r, report), Counted: report.CountedAt,
	}
	for _, n := range report.Attention {
		page.Matters = append(page.Matters, wb.matter(r, n))
	}
	l := wb.speaks(r)
	var slowest time.Duration
	for _, s := range report.Speeds {
		slowest = max(slowest, s.P95)
	}
	for _, s := range report.Speeds {
		page.Speeds = append(page.Speeds, overviewSpeed{
			Name: requestClasses[s.Class], Count: int(s.Count), P50: inMillis(l, s.P50), P95: inMillis(l, s.P95), P99: inMillis(l, s.P99),
			Half: percent(int64(s.P50), int64(slowest)), Most: percent(int64(s.P95), int64(slowest)),
		})
	}
	wb.adminPage(w, r, http.StatusOK, "admin_overview", "Overview", page)
	return nil
}

// tiles are the numbers that stand out.
func (wb *Web) tiles(r *http.Request, report *overview.Report) []overviewTile {
	p := report.Population
	var users int64
	for _, n := range p.Users {
		users += n
	}
	today := report.Days[len(report.Days)-1]
	return []overviewTile{
		{msg("Users"), inDigits(users), wb.count(r, int(p.Admins), "%d is an administrator", "%d are administrators"), "/admin/users"},
		{
			msg("Active today"), inDigits(p.ActiveDay),
			wb.say(r, "%d in a week, %d in 30 days", p.ActiveWeek, p.ActiveMonth), "",
		},
		{msg("Sign-ins today"), inDigits(totalOf(today.SignIns)), wb.count(r, int(totalOf(today.Failures)), "%d attempt failed", "%d attempts failed"), "/admin/audit?action=user.login"},
		{msg("Sessions"), inDigits(p.Sessions), wb.say(r, "open now"), "/admin/sessions"},
		{msg("Organizations"), inDigits(p.Organizations), "", "/admin/organizations"},
		{msg("Apps"), inDigits(p.Clients), wb.count(r, int(p.Services), "and %d SAML service", "and %d SAML services"), "/admin/clients"},
	}
}

// charts are drawn of what happened in thirty days.
func (wb *Web) charts(r *http.Request, report *overview.Report) []chartView {
	days := make([]string, len(report.Days))
	of := func(value func(overview.Day) int64) []int64 {
		out := make([]int64, len(report.Days))
		for i, d := range report.Days {
			out[i] = value(d)
		}
		return out
	}
	for i, d := range report.Days {
		if at, err := time.Parse(time.DateOnly, d.Date); err == nil {
			days[i] = wb.speaks(r).Day(at)
		}
	}
	signIns := make([]series, len(methodNames))
	for i, m := range methodNames {
		signIns[i] = series{m.name, m.class, of(func(d overview.Day) int64 { return d.SignIns[m.method] })}
	}
	failures := of(func(d overview.Day) int64 { return totalOf(d.Failures) })
	newUsers := of(func(d overview.Day) int64 { return d.NewUsers })
	out := []chartView{
		drawChart("sign-ins", msg("Sign-ins"), days, signIns),
		drawChart("failures", msg("Failed attempts"), days, []series{{msg("Failed attempts"), "series-bad", failures}}),
		drawChart("new-users", msg("New users"), days, []series{{msg("New users"), "series-1", newUsers}}),
	}
	for i, all := range [][]series{signIns, {{values: failures}}, {{values: newUsers}}} {
		var n int64
		for _, s := range all {
			for _, v := range s.values {
				n += v
			}
		}
		out[i].Summary = wb.say(r, "%d in 30 days, at most %s on one day.", n, out[i].Most)
	}
	return out
}

// serverFacts are about the process and its room.
func (wb *Web) serverFacts(r *http.Request, report *overview.Report) []factPart {
	p := report.Population
	return []factPart{
		{msg("Version"), report.Version},
		{msg("Running since"), wb.speaks(r).Moment(report.Started)},
		{msg("Database"), engineName(report.Room)},
		{msg("Mail that waits"), inDigits(p.Mails)},
		{msg("Sign-outs that apps are yet to hear of"), inDigits(p.Logouts)},
	}
}

func engineName(room overview.Room) string {
	if room.Engine == "postgres" {
		return "PostgreSQL"
	}
	return "SQLite"
}

// activeMeters are how many of all users were here within which time.
func activeMeters(p overview.Population) []meterView {
	var users int64
	for _, n := range p.Users {
		users += n
	}
	return []meterView{
		{msg("Today"), inDigits(p.ActiveDay), percent(p.ActiveDay, users), true},
		{msg("In 7 days"), inDigits(p.ActiveWeek), percent(p.ActiveWeek, users), true},
		{msg("In 30 days"), inDigits(p.ActiveMonth), percent(p.ActiveMonth, users), true},
	}
}

// storageMeters are how much room is taken. A database on another machine is drawn on no disk.
func (wb *Web) storageMeters(r *http.Request, room overview.Room) []meterView {
	l, here := wb.speaks(r), room.Total > 0 && room.Engine != "postgres"
	out := []meterView{{msg("Database"), inBytes(l, room.Database), percent(room.Database, room.Total), here}}
	if room.Total > 0 {
		free := wb.say(r, "%s of %s free", inBytes(l, room.Free), inBytes(l, room.Total))
		out = append(out, meterView{msg("Disk"), free, percent(room.Total-room.Free, room.Total), true})
	}
	return out
}

func totalOf(parts map[string]int64) (n int64) {
	for _, one := range parts {
		n += one
	}
	return n
}

// inDigits is a number for people: 12,345 with thin spaces, which every language reads.
func inDigits(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:]
	}
	return digits
}

// inBytes is a number of bytes for people.
func inBytes(l *words.Language, bytes int64) string {
	const unit = 1000
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, names := float64(bytes)/unit, "kMGTPE"
	for value >= unit && len(names) > 1 {
		value, names = value/unit, names[1:]
	}
	return l.Decimal(fmt.Sprintf("%.1f %cB", value, names[0]))
}

// inMillis is a duration for people.
func inMillis(l *words.Language, d time.Duration) string {
	ms := float64(d.Microseconds()) / 1000
	if ms < 10 {
		return l.Decimal(fmt.Sprintf("%.1f ms", ms))
	}
	return fmt.Sprintf("%.0f ms", ms)
}
