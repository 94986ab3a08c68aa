package overview

import (
	"context"
	"fmt"
	"slices"
	"time"

	"authy/server/machine"
	"authy/server/registry"
	"authy/server/webhook"
	"authy/storage"
)

// Level says how much a [Notice] matters.
type Level string

// The levels: what is wrong, what should be looked at, and what is good to know.
const (
	Problem Level = "problem"
	Warning Level = "warning"
	Note    Level = "note"
)

// levels are the levels in the order in which they are shown.
var levels = []Level{Problem, Warning, Note}

// Notice is one thing that needs attention.
type Notice struct {
	Code  string // one of those below
	Level Level
	Count int64     // of what; 0 where there is nothing to count
	At    time.Time // when something happens, or has; may be zero
}

// What can need attention.
const (
	DiskLow         = "disk_low"
	NetworkDisk     = "network_disk"
	ClockOff        = "clock_off"
	TLSCertificate  = "tls_certificate"
	ProviderFailing = "provider_failing"
	MailFailing     = "mail_failing"
	MailLost        = "mail_lost"
	BackupFailing   = "backup_failing"
	BackupOff       = "backup_off"
	LogoutFailing   = "logout_failing"
	LogoutLost      = "logout_lost"
	WebhookFailing  = "webhook_failing"
	WebhookOff      = "webhook_turned_off"
	CertificateEnds = "certificate_ends"
	KeyOld          = "key_old"
	KeyTurns        = "key_turns"
	AdminsPlain     = "administrators_without_second_factor"
	OneAdmin        = "one_administrator"
	LimitsOff       = "rate_limits_off"
	PlainHTTP       = "plain_http"
	ClientsOpen     = "client_registration_open"
	SignUpOpen      = "registration_open"
	MailOff         = "mail_off"
	ClientsRelaxed  = "clients_relaxed"
)

const (
	// soon is how long before its time something is announced.
	soon = 7 * 24 * time.Hour
	// certificateSoon is the same for a certificate: peers are slow.
	certificateSoon = 60 * 24 * time.Hour
	// oldKey is how long a key may sign that nobody turns.
	oldKey = 365 * 24 * time.Hour
	// mostRead is how many records of a kind are looked at, at most.
	mostRead = 1000
	// manyFailures is how many people a provider fails in a day, when it lets
	// nobody in, before it is said to fail.
	manyFailures = 5
)

// attention lists what needs attention, what is worse first.
func (s *Service) attention(ctx context.Context, now time.Time, r *Report) ([]Notice, error) {
	out := s.settings()
	out = append(out, people(r)...)
	out = append(out, queues(r)...)
	if r.Room.Total > 0 && r.Room.Free < machine.LowRoom {
		out = append(out, Notice{Code: DiskLow, Level: Problem, Count: r.Room.Free})
	}
	for _, look := range []func(context.Context, time.Time) ([]Notice, error){
		s.machine, s.keys, s.certificates, s.lostMail, s.backup, s.webhooks, s.clients,
	} {
		more, err := look(ctx, now)
		if err != nil {
			return nil, fmt.Errorf("look for what needs attention: %w", err)
		}
		out = append(out, more...)
	}
	slices.SortStableFunc(out, func(a, b Notice) int {
		return slices.Index(levels, a.Level) - slices.Index(levels, b.Level)
	})
	return out, nil
}

// settings is what needs attention of the configuration.
func (s *Service) settings() (out []Notice) {
	c := s.config
	for _, one := range []struct {
		is    bool
		code  string
		level Level
	}{
		{!c.Secure() && !c.Localhost(), PlainHTTP, Problem},
		{!c.RateLimit.Enabled, LimitsOff, Problem},
		{c.OpenID.Registration == "open", ClientsOpen, Warning},
		{!c.Mail.Enabled(), MailOff, Note},
		{c.Backup.Every.Duration == 0, BackupOff, Note},
		{c.Registration.Enabled, SignUpOpen, Note},
	} {
		if one.is {
			out = append(out, Notice{Code: one.code, Level: one.level})
		}
	}
	return out
}

// people is what needs attention of those who administer, and of where people
// come from.
func people(r *Report) (out []Notice) {
	if n := r.Population.PlainAdmins; n > 0 {
		out = append(out, Notice{Code: AdminsPlain, Level: Warning, Count: n})
	}
	if r.Population.Admins == 1 {
		out = append(out, Notice{Code: OneAdmin, Level: Note})
	}
	if today := r.Days[len(r.Days)-1]; today.SignIns[Provider] == 0 && today.Failures[Provider] >= manyFailures {
		out = append(out, Notice{Code: ProviderFailing, Level: Problem, Count: today.Failures[Provider]})
	}
	return out
}

// queues is what needs attention of what is to be sent.
func queues(r *Report) (out []Notice) {
	p := r.Population
	for _, one := range []Notice{
		{Code: MailFailing, Level: Problem, Count: p.MailsFailing},
		{Code: LogoutFailing, Level: Warning, Count: p.LogoutsFailing},
		{Code: LogoutLost, Level: Warning, Count: p.LogoutsLost},
	} {
		if one.Count > 0 {
			out = append(out, one)
		}
	}
	return out
}

// machine is what is wrong with what the server stands on.
func (s *Service) machine(ctx context.Context, now time.Time) (out []Notice, err error) {
	found, err := machine.Look(ctx, machine.Ground{
		DB: s.db, CertFile: s.config.TLS.CertFile, KeyFile: s.config.TLS.KeyFile, Host: s.config.Host(),
	}, now)
	codes := map[string]string{
		machine.ClockOff: ClockOff, machine.NetworkDisk: NetworkDisk,
		machine.CertificateWrong: TLSCertificate,
	}
	for _, t := range found {
		out = append(out, Notice{Code: codes[t.Name], Level: Problem})
	}
	return out, err
}

// keys announces that a key is to sign, and that one has signed for very long.
func (s *Service) keys(ctx context.Context, now time.Time) (out []Notice, err error) {
	keys, err := s.db.Keys(ctx)
	if err != nil {
		return nil, err
	}
	var next time.Time
	old := int64(0)
	for _, k := range keys {
		switch {
		case k.State == storage.PublishedKey && now.Add(soon).After(k.SignsAt.Time):
			if next.IsZero() || k.SignsAt.Before(next) {
				next = k.SignsAt.Time
			}
		case k.State == storage.SigningKey && s.config.Keys.RotateEvery.Duration == 0 &&
			now.Sub(k.SignsAt.Time) > oldKey:
			old++
		}
	}
	if !next.IsZero() {
		out = append(out, Notice{Code: KeyTurns, Level: Note, At: next})
	}
	if old > 0 {
		out = append(out, Notice{Code: KeyOld, Level: Warning, Count: old})
	}
	return out, nil
}

// certificates announces that the certificate that signs for SAML ends.
func (s *Service) certificates(ctx context.Context, now time.Time) ([]Notice, error) {
	all, err := s.db.Certificates(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.State == storage.SigningKey && now.Add(certificateSoon).After(c.NotAfter.Time) {
			return []Notice{{Code: CertificateEnds, Level: Warning, At: c.NotAfter.Time}}, nil
		}
	}
	return nil, nil
}

// lostMail counts the mails that were given up within a day.
func (s *Service) lostMail(ctx context.Context, now time.Time) ([]Notice, error) {
	lost, err := s.db.EventsMatching(ctx, storage.EventFilter{
		Action: "mail.failed", From: now.AddDate(0, 0, -1),
	}, storage.EventKey{}, mostRead)
	if err != nil || len(lost) == 0 {
		return nil, err
	}
	return []Notice{{Code: MailLost, Level: Warning, Count: int64(len(lost)), At: lost[0].At.Time}}, nil
}

// backup says that the last attempt at a backup came to nothing.
func (s *Service) backup(ctx context.Context, _ time.Time) ([]Notice, error) {
	last := map[string]time.Time{}
	for _, action := range []string{"backup.made", "backup.failed"} {
		events, err := s.db.EventsMatching(ctx, storage.EventFilter{Action: action}, storage.EventKey{}, 1)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			last[action] = e.At.Time
		}
	}
	if at := last["backup.failed"]; at.After(last["backup.made"]) {
		return []Notice{{Code: BackupFailing, Level: Problem, At: at}}, nil
	}
	return nil, nil
}

// clients counts those that do without a protection, but for those that only ask
// webhooks looks for those to which nothing gets through, and those that were turned off
// for it.
func (s *Service) webhooks(ctx context.Context, _ time.Time) (out []Notice, err error) {
	all, err := s.db.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for i := range all {
		counts[webhook.StateOf(&all[i])]++
	}
	if n := counts[webhook.Failing]; n > 0 {
		out = append(out, Notice{Code: WebhookFailing, Level: Warning, Count: n})
	}
	if n := counts[webhook.TurnedOff]; n > 0 {
		out = append(out, Notice{Code: WebhookOff, Level: Warning, Count: n})
	}
	return out, nil
}

// nobody for consent.
func (s *Service) clients(ctx context.Context, _ time.Time) ([]Notice, error) {
	all, err := s.db.Clients(ctx, "", "", mostRead)
	if err != nil {
		return nil, err
	}
	var n int64
	for i := range all {
		relaxed := registry.Relaxed(&all[i])
		if all[i].IsActive && slices.ContainsFunc(relaxed, func(name string) bool { return name != "consent" }) {
			n++
		}
	}
	if n == 0 {
		return nil, nil
	}
	return []Notice{{Code: ClientsRelaxed, Level: Note, Count: n}}, nil
}
