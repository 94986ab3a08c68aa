// Package doctor looks for what is wrong with a set-up, and with the settings of a relying
// party, and says what to do. It changes nothing, and asks no more of others than whether
// they would answer: no mail is sent. It refuses to know where its findings are shown.
//
// Read this file: what is looked at, and how long that may take. Each of the others has
// what it is about: setting.go, port.go, storage.go, ground.go, reach.go, peer.go, passkey.go,
// state.go, backup.go; and client.go with party.go what is about a relying party.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"authy/server/audit"
	"authy/server/backup"
	"authy/server/config"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/mail"
	"authy/server/outbound"
	"authy/server/provider"
	"authy/server/registry"
	"authy/server/self"
	"authy/server/state"
	"authy/storage"
	"authy/storage/kv"
)

// ErrForbidden is the answer to who does not administer the server.
var ErrForbidden = fault.New(fault.Forbidden, "forbidden", "Only administrators of the server may do this.")

// perAsker is how often an administrator may have a set-up examined.
var perAsker = limit.Rule{Name: "doctor-user", Most: 20, Window: 15 * time.Minute}

const (
	// patience is how long a check may take, and grace how much later it may say itself
	// that it was too long.
	patience, grace = 10 * time.Second, 500 * time.Millisecond
	// longest is how long all of them may take.
	longest = 45 * time.Second
	// atOnce is how many run at once.
	atOnce = 16
)

// Finding is something that is wrong, in words and with what to do.
type Finding = self.Finding

// Config is what a [Service] looks at, and with.
type Config struct {
	DB        *storage.DB
	Config    *config.Config
	Store     kv.Store // counts for all nodes
	Self      *self.Service
	Mail      *mail.Queue
	Backups   *backup.Service
	Providers *provider.Service
	Clients   *registry.Service
	State     *state.State
	Outbound  *outbound.Client
	Limits    *limit.Limits
}

// Service examines a server.
type Service struct {
	Config
	resolve func(ctx context.Context, host string) error // nil if a name is known
}

// New returns the service.
func New(c Config) *Service { return &Service{Config: c, resolve: resolve} }

// check is something that is looked at. An error means that it could not be.
type check struct {
	name string
	look func(ctx context.Context) ([]Finding, error)
}

// bad is a finding; each %s in its text stands for the next of args.
func bad(name, text string, args ...string) Finding {
	for i := range args {
		args[i] = audit.Cut(strings.Join(strings.Fields(args[i]), " "), 300)
	}
	return Finding{Name: name, Text: text, Args: args}
}

// one is a list of a finding.
func one(name, text string, args ...string) []Finding { return []Finding{bad(name, text, args...)} }

// Examine returns, to who administers the server, what is wrong with its set-up; nothing
// is what a sound one has.
func (s *Service) Examine(ctx context.Context, by audit.Actor) ([]Finding, error) {
	if may, err := by.Administers(ctx, s.DB.Reader); err != nil {
		return nil, err
	} else if !may {
		return nil, ErrForbidden
	}
	if by.Kind == audit.User {
		if err := s.Limits.Count(ctx, perAsker, by.ID); err != nil {
			return nil, err
		}
	}
	return withoutConsequences(run(ctx, s.checks(ctx, by))), ctx.Err()
}

// checks are what a set-up is examined for.
func (s *Service) checks(ctx context.Context, by audit.Actor) []check {
	all := []check{
		{"configuration", s.settings},
		{"metrics", s.metrics},
		{"listen", s.ports},
		{"database", s.database},
		{"store", s.store},
		{"ground", s.ground},
		{"disk", s.disk},
		{"reach", s.reach},
		{"cookies", s.cookies},
		{"mail", s.mail},
		{"passkeys", s.passkeys},
		{"state", func(ctx context.Context) ([]Finding, error) { return s.state(ctx, by) }},
		{"backup", func(ctx context.Context) ([]Finding, error) { return s.backup(ctx, by) }},
	}
	all = append(all, s.hosts()...)
	return append(all, s.providers(ctx, by)...)
}

// run looks at everything, as much at once as is good, and returns what was found in the
// order of the checks.
func run(ctx context.Context, checks []check) []Finding {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	found, slots := make([][]Finding, len(checks)), make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i, c := range checks {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found[i] = c.run(ctx)
		})
	}
	running.Wait()
	return slices.Concat(found...)
}

// run looks at one thing. One that takes too long is left to itself, and says nothing any
// more.
func (c check) run(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() {
		found, err := c.look(ctx)
		if err != nil {
			found = append(found, c.undone(err.Error()))
		}
		done <- found
	}()
	late := time.NewTimer(patience + grace)
	defer late.Stop()
	select {
	case found := <-done:
		return found
	case <-late.C:
		return []Finding{c.undone(fmt.Sprintf("it took longer than %s", patience))}
	}
}

// undone says that something could not be looked at.
func (c check) undone(why string) Finding {
	return bad(c.name, "This could not be looked at: %s.", strings.TrimSuffix(why, "."))
}

// causes are, by finding, those that it follows from: they are mended first.
var causes = map[string][]string{
	"reach":        {"certificate", "database", "metrics", "listen", "provider_settings"},
	"server":       {"listen"},
	"proxy":        {"trusted_proxies"},
	"forward_auth": {"certificate", "reach", "server"},
	"passkeys":     {"public_url"},
}

// withoutConsequences returns findings without those that follow from others.
func withoutConsequences(found []Finding) []Finding {
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = f.Name
	}
	return slices.DeleteFunc(found, func(f Finding) bool {
		return slices.ContainsFunc(causes[f.Name], func(cause string) bool { return slices.Contains(names, cause) })
	})
}
