package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/doctor"
	"authy/server/machine"
	"authy/server/self"
	"authy/storage"
)

// Examine looks at a set-up, beside a running server or without one, and returns
// what is wrong with it; nothing is what a sound one has. It changes nothing. Where the
// database cannot be opened, the rest is not looked at, and whole is false.
func Examine(ctx context.Context, c *config.Config, report *config.Report) (found []self.Finding, whole bool) {
	s, trouble := openAsItIs(ctx, c)
	if trouble != nil {
		return append(doctor.Weak(report), *trouble), false
	}
	defer s.closeAsItWas()
	s.Self.Report = report
	found, err := s.Doctor.Examine(ctx, audit.Shell())
	if err != nil {
		found = append(found, self.Wrong("database", err.Error()))
	}
	return found, err == nil
}

// openAsItIs opens what c names without changing it, or says what is wrong with it.
func openAsItIs(ctx context.Context, c *config.Config) (*Services, *self.Finding) {
	wrong := func(name string, err error) *self.Finding {
		f := self.Wrong(name, err.Error())
		return &f
	}
	db, err := OpenDB(ctx, c)
	if err != nil {
		return nil, wrong("database", err)
	}
	err = Explain(db.FitsSecret(ctx))
	if err == nil {
		err = current(ctx, db)
	}
	if err != nil {
		return nil, wrong("database", errors.Join(err, db.Close()))
	}
	s, err := build(ctx, c, db)
	switch {
	case err == nil:
		return s, nil
	case strings.HasPrefix(err.Error(), "mail."):
		return nil, wrong("mail", errors.Join(err, db.Close()))
	}
	return nil, wrong("store", errors.Join(err, db.Close()))
}

// ExamineClient is [Examine] for the settings of a relying party. What keeps them from
// being looked at is a finding, too; then there is no client.
func ExamineClient(ctx context.Context, c *config.Config, clientID string) (*doctor.Patient, error) {
	s, trouble := openAsItIs(ctx, c)
	if trouble != nil {
		return &doctor.Patient{Findings: []self.Finding{*trouble}}, nil
	}
	defer s.closeAsItWas()
	return s.Doctor.ExamineClient(ctx, audit.Shell(), clientID)
}

// closeAsItWas closes what openAsItIs has opened; nothing was written.
func (s *Services) closeAsItWas() {
	_, _ = s.closeStores(), s.DB.Close()
}

// current says why the schema is not that of this build.
func current(ctx context.Context, db *storage.DB) error {
	steps, err := db.Migrations(ctx, Migrations())
	if err != nil {
		return err
	}
	waiting := 0
	for _, step := range steps {
		switch {
		case !step.Known:
			return fmt.Errorf("the database has migration %s, which this authy does not know: "+
				"it was last used by a newer version; install that one", step.Name)
		case step.AppliedAt.IsZero():
			waiting++
		}
	}
	if waiting > 0 {
		return fmt.Errorf("%d of %d steps of the schema wait: 'authy serve' applies them when it starts, "+
			"'authy migrate up' applies them now", waiting, len(steps))
	}
	return nil
}

const (
	// addressPause is how long a server runs before it looks for itself at its public
	// URL, addressPatience how long it then lets the proxy take to start.
	addressPause    = 2 * time.Second
	addressPatience = time.Minute
)

// warnUntil warns until ctx ends, or what it returns is called, which waits for that.
func (s *Services) warnUntil(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { s.warn(ctx) })
	return func() { cancel(); running.Wait() }
}

func (s *Services) ground() machine.Ground {
	c := s.Config
	return machine.Ground{DB: s.DB, CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, Host: c.Host()}
}

// warn logs what is wrong with the machine, and with the way to the server once it
// has begun to answer; a proxy may start later, and is looked for once more.
func (s *Services) warn(ctx context.Context) {
	found, err := machine.Look(ctx, s.ground(), time.Now())
	if err != nil && ctx.Err() == nil {
		slog.WarnContext(ctx, "the machine could not be looked at", "err", err)
	}
	for _, t := range found {
		slog.WarnContext(ctx, "something is wrong with this machine", "check", t.Name, "warning", t.Text)
	}
	for i, pause := range []time.Duration{addressPause, addressPatience} {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		address, err := s.Self.CheckAddress(ctx, audit.Shell())
		switch {
		case err != nil:
			return
		case address.OK && i > 0:
			slog.InfoContext(ctx, "the public URL leads here now", "url", address.URL)
		case address.OK:
			return
		default:
			logAddress(ctx, address)
		}
	}
}

func logAddress(ctx context.Context, address *self.Address) {
	for _, f := range address.Findings {
		if !f.OK {
			slog.WarnContext(ctx, "the public URL does not lead here as it should; 'authy doctor' looks again",
				"url", address.URL, "check", f.Name, "warning", f.String())
		}
	}
}
