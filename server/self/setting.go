package self

import (
	"context"

	"authy/server/audit"
	"authy/server/config"
)

// Settings returns to who administers the server every setting, in the order of
// the example file. Secrets are not among it.
func (s *Service) Settings(ctx context.Context, by audit.Actor) ([]config.Setting, error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	return s.report().Settings(), nil
}

func (s *Service) report() *config.Report {
	if s.Report != nil {
		return s.Report
	}
	return config.ReportOf(s.Config.Config)
}

// originOf returns where a setting came from, "" if nobody knows.
func (s *Service) originOf(key string) string {
	for _, one := range s.report().Settings() {
		if one.Key == key {
			return one.Origin
		}
	}
	return ""
}
