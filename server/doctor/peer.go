package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"authy/server/audit"
	"authy/server/provider"
	"authy/storage"
)

// mail looks at whether the relay would take mail.
func (s *Service) mail(ctx context.Context) ([]Finding, error) {
	if !s.Mail.Enabled() {
		return nil, nil
	}
	err := s.Mail.Check(ctx)
	if err == nil {
		return nil, nil
	}
	c := s.Config.Config.Mail
	return one("mail", "The relay %s takes no mail: %s. Correct mail.host, mail.port, mail.tls, mail.username, mail.password or "+
		"mail.from; 'authy mail test' tries again.", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), err.Error()), nil
}

// providers are checks of those that people come from.
func (s *Service) providers(ctx context.Context, by audit.Actor) []check {
	all, err := s.Providers.List(ctx, by, "")
	if err != nil {
		return []check{{"provider", func(context.Context) ([]Finding, error) { return nil, err }}}
	}
	checks := []check{{"provider", s.configured}}
	for i := range all {
		if p := &all[i]; p.IsActive {
			checks = append(checks, check{"provider", func(ctx context.Context) ([]Finding, error) { return s.provider(ctx, by, p) }})
		}
	}
	return checks
}

// configured looks at whether the server starts with the providers of the configuration.
func (s *Service) configured(ctx context.Context) ([]Finding, error) {
	err := s.Providers.Refused(ctx, s.Config.Config.Providers)
	if err == nil || ctx.Err() != nil || errors.Is(err, storage.ErrUnavailable) {
		return nil, ctx.Err() // what is wrong with the database is another finding
	}
	return one("provider_settings", "A provider of the configuration is refused, and the server does not start with it: %s", err.Error()), nil
}

// provider tries a provider, as 'authy provider test' does; nobody comes from one whose
// organization is suspended.
func (s *Service) provider(ctx context.Context, by audit.Actor, p *provider.Provider) ([]Finding, error) {
	usable, err := s.Providers.Usable(ctx, s.DB.Reader, p)
	if err != nil || !usable {
		return nil, err
	}
	tried, err := s.Providers.Test(ctx, by, "", p.Slug)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Slug, err)
	}
	for _, c := range tried {
		if !c.OK {
			return one("provider", "People cannot come from the provider %s (%s): %s 'authy provider test' says more.",
				p.Slug, c.Name, c.Text), nil
		}
	}
	return nil, nil
}
