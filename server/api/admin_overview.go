package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/overview"
	"authy/server/session"
)

// adminOverviewRoutes are for administrators of the server.
func (a *API) adminOverviewRoutes() {
	signed(a, "GET /api/v1/admin/overview", 200, "Overview retrieved successfully", "How the server fares", a.overview)
}

// dayView is what happened on a day.
type dayView struct {
	Date     string           `json:"date" format:"date" doc:"In UTC"`
	SignIns  map[string]int64 `json:"sign_ins" doc:"How many, by password, passkey or provider"`
	Failures map[string]int64 `json:"failures" doc:"How many attempts failed, by password, passkey, provider or second_factor"`
	NewUsers int64            `json:"new_users"`
}

// totals is how many of everything there are.
type totals struct {
	Users          map[string]int64 `json:"users" doc:"By their status"`
	Administrators int64            `json:"administrators"`
	Organizations  int64            `json:"organizations"`
	Clients        int64            `json:"clients"`
	SAMLServices   int64            `json:"saml_services"`
	Sessions       int64            `json:"sessions" doc:"That are alive"`
	ActiveDay      int64            `json:"active_day" doc:"Users who signed in or used a session within a day"`
	ActiveWeek     int64            `json:"active_week"`
	ActiveMonth    int64            `json:"active_month" doc:"Within thirty days"`
	MailsWaiting   int64            `json:"mails_waiting"`
	LogoutsWaiting int64            `json:"logouts_waiting" doc:"Of what applications are to be told"`
	CountedAt      time.Time        `json:"counted_at" doc:"The counts are kept for a while if they take long"`
}

// speedView is how long requests of a class took within an hour.
type speedView struct {
	Class string `json:"class" enum:"pages,sign_in,authorize,token,api"`
	Count int64  `json:"count"`
	P50   int64  `json:"p50_us" doc:"Microseconds"`
	P95   int64  `json:"p95_us"`
	P99   int64  `json:"p99_us"`
}

// roomView is how much room there is.
type roomView struct {
	Engine   string `json:"engine" enum:"sqlite,postgres"`
	Database int64  `json:"database_bytes"`
	Free     int64  `json:"disk_free_bytes" doc:"Where the data directory is; 0 if it cannot be told"`
	Total    int64  `json:"disk_total_bytes"`
}

// noticeView is one thing that needs attention.
type noticeView struct {
	Code  string     `json:"code" example:"mail_failing"`
	Level string     `json:"level" enum:"problem,warning,note"`
	Count int64      `json:"count" doc:"Of what; 0 where there is nothing to count"`
	At    *time.Time `json:"at" nullable:"true" doc:"When it happens, or has"`
}

type overviewOut struct {
	Version   string       `json:"version"`
	StartedAt time.Time    `json:"started_at" doc:"When this process did"`
	Days      []dayView    `json:"days" doc:"The last thirty, the oldest first"`
	Totals    totals       `json:"totals"`
	Speeds    []speedView  `json:"speeds" doc:"Of this process within an hour"`
	Storage   roomView     `json:"storage"`
	Attention []noticeView `json:"attention" doc:"What needs attention, what is worse first"`
}

func (a *API) overview(ctx context.Context, _ *session.Identity, by audit.Actor, _ *struct{}) (*overviewOut, error) {
	r, err := a.Overview.Report(ctx, by)
	if err != nil {
		return nil, err
	}
	out := &overviewOut{
		Version: r.Version, StartedAt: r.Started.UTC(), Totals: totalsOf(r), Storage: roomView(r.Room),
		Days:      viewsOf(r.Days, func(d *overview.Day) dayView { return dayView(*d) }),
		Speeds:    viewsOf(r.Speeds, speedOf),
		Attention: viewsOf(r.Attention, noticeOf),
	}
	return out, nil
}

func totalsOf(r *overview.Report) totals {
	p := r.Population
	out := totals{
		Users: map[string]int64{}, Administrators: p.Admins, Organizations: p.Organizations, Clients: p.Clients,
		SAMLServices: p.Services, Sessions: p.Sessions, ActiveDay: p.ActiveDay, ActiveWeek: p.ActiveWeek,
		ActiveMonth: p.ActiveMonth, MailsWaiting: p.Mails, LogoutsWaiting: p.Logouts, CountedAt: r.CountedAt.UTC(),
	}
	for status, n := range p.Users {
		out.Users[string(status)] = n
	}
	return out
}

func speedOf(s *overview.Speed) speedView {
	return speedView{s.Class.String(), s.Count, s.P50.Microseconds(), s.P95.Microseconds(), s.P99.Microseconds()}
}

func noticeOf(n *overview.Notice) noticeView {
	return noticeView{n.Code, string(n.Level), n.Count, timeOrNull(n.At)}
}
