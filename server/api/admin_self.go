package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/mail"
	"authy/server/self"
	"authy/server/session"
)

// adminSelfRoutes are what the server tells its administrators of itself.
func (a *API) adminSelfRoutes() {
	const admin = "/api/v1/admin"
	signed(a, "GET "+admin+"/settings", 200, "Settings retrieved successfully", "Every setting, and where it comes from", a.settings)
	signed(a, "GET "+admin+"/mail", 200, "Mail retrieved successfully", "Whether mail gets away, and what waits", a.mail)
	signed(a, "POST "+admin+"/mail/test", 200, "Test mail tried", "Send a mail now, and hear what the relay says", a.testMail)
	signed(a, "POST "+admin+"/public-url/check", 200, "Public URL checked", "See whether the public URL leads here, and what is wrong", a.checkAddress)
}

// settingView is a setting with where it comes from.
type settingView struct {
	Key      string  `json:"key" example:"session.lifetime"`
	Value    string  `json:"value" example:"24h" doc:"A secret is [set] or empty"`
	Origin   string  `json:"origin" example:"authy.toml:12" doc:"default, FILE:LINE, environment NAME or flag --NAME; empty where nobody knows"`
	Variable string  `json:"variable" example:"AUTHY_SESSION_LIFETIME" doc:"The environment variable for it"`
	Meaning  string  `json:"meaning"`
	Risk     *string `json:"risk" nullable:"true" doc:"Why the value is a weak choice"`
}

func settingViewOf(s *config.Setting) settingView {
	return settingView{
		Key: s.Key, Value: s.Value, Origin: s.Origin, Variable: s.Variable(), Meaning: config.Meaning(s.Key), Risk: orNull(s.Risk),
	}
}

type settingsOut struct {
	Settings []settingView `json:"settings" nullable:"false"`
	Count    int           `json:"count"`
}

func (a *API) settings(ctx context.Context, _ *session.Identity, by audit.Actor, _ *struct{}) (*settingsOut, error) {
	all, err := a.Self.Settings(ctx, by)
	if err != nil {
		return nil, err
	}
	return &settingsOut{viewsOf(all, settingViewOf), len(all)}, nil
}

// waitingView is a mail that waits, or was given up, without what it says.
type waitingView struct {
	ID        *string    `json:"id" nullable:"true"`
	To        string     `json:"to" example:"bob@example.com"`
	Kind      string     `json:"kind" example:"reset_password"`
	Attempts  int64      `json:"attempts"`
	Error     *string    `json:"error" nullable:"true" doc:"What the relay said at the last attempt"`
	Reason    *string    `json:"reason" nullable:"true" doc:"Why it was given up: expired or refused"`
	CreatedAt *time.Time `json:"created_at" nullable:"true"`
	NextAt    *time.Time `json:"next_at" nullable:"true" doc:"When it is tried again"`
	ExpiresAt *time.Time `json:"expires_at" nullable:"true" doc:"When it is given up"`
	GivenUpAt *time.Time `json:"given_up_at" nullable:"true"`
}

func waitingViewOf(m *mail.Waiting) waitingView {
	return waitingView{
		ID: &m.ID, To: m.Recipient, Kind: m.Kind, Attempts: m.Attempts, Error: orNull(m.LastError),
		CreatedAt: timeOrNull(m.CreatedAt.Time), NextAt: timeOrNull(m.NextAt.Time), ExpiresAt: timeOrNull(m.ExpiresAt.Time),
	}
}

func givenUpViewOf(m *self.GivenUp) waitingView {
	return waitingView{
		To: m.To, Kind: m.Kind, Attempts: m.Attempts, Error: orNull(m.Error), Reason: orNull(m.Reason), GivenUpAt: timeOrNull(m.At),
	}
}

type mailOut struct {
	Enabled bool          `json:"enabled"`
	From    *string       `json:"from" nullable:"true"`
	Relay   *string       `json:"relay" nullable:"true" example:"smtp.example.com:587"`
	TLS     string        `json:"tls" enum:"starttls,implicit,none"`
	Waiting []waitingView `json:"waiting" nullable:"false" doc:"The oldest first"`
	GivenUp []waitingView `json:"given_up" nullable:"false" doc:"The latest 20, the newest first"`
	Count   int           `json:"count" doc:"Of those that wait, on this page"`
	PageOut
}

type mailIn struct{ PageIn }

func (a *API) mail(ctx context.Context, _ *session.Identity, by audit.Actor, in *mailIn) (*mailOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	m, err := a.Self.ShowMail(ctx, by, after, in.Limit)
	if err != nil {
		return nil, err
	}
	return &mailOut{
		Enabled: m.Enabled, From: orNull(m.From), Relay: orNull(m.Relay), TLS: m.TLS,
		Waiting: viewsOf(m.Waiting, waitingViewOf), GivenUp: viewsOf(m.GivenUp, givenUpViewOf), Count: len(m.Waiting),
		PageOut: PageOut{m.Next},
	}, nil
}

type testMailIn struct {
	Body struct {
		To string `json:"to,omitempty" maxLength:"254" doc:"Your own address, if it is left out" example:"me@example.com"`
	}
}

type testMailOut struct {
	To   string `json:"to"`
	Sent bool   `json:"sent" doc:"Whether the relay took it"`
	Said string `json:"said" doc:"What the relay said, or why it could not be asked"`
}

func (a *API) testMail(ctx context.Context, _ *session.Identity, by audit.Actor, in *testMailIn) (*testMailOut, error) {
	sent, err := a.Self.SendTest(ctx, by, in.Body.To)
	if err != nil {
		return nil, err
	}
	return &testMailOut{sent.To, sent.OK, sent.Said}, nil
}

type addressOut struct {
	URL    string        `json:"url" format:"uri"`
	OK     bool          `json:"ok" doc:"Whether nothing is wrong"`
	Checks []findingView `json:"checks" nullable:"false"`
}

type findingView struct {
	Name string `json:"name" enum:"reach,server,host,authorization,headers,proxy,scheme,certificate"`
	OK   bool   `json:"ok"`
	Text string `json:"text" doc:"What was found, and what to do where it is not right"`
}

func (a *API) checkAddress(ctx context.Context, _ *session.Identity, by audit.Actor, _ *struct{}) (*addressOut, error) {
	found, err := a.Self.CheckAddress(ctx, by)
	if err != nil {
		return nil, err
	}
	return &addressOut{found.URL, found.OK, viewsOf(found.Findings, func(f *self.Finding) findingView {
		return findingView{f.Name, f.OK, f.String()}
	})}, nil
}
