// Package self is what the server tells those who administer it of itself: its
// settings and where they come from, whether its mail gets away, and whether it
// can be reached at its public URL. It changes nothing but for noting in the
// audit log what was tried, and refuses to know where its answers are shown.
//
// Read this file, then setting.go, mail.go, and address.go with answer.go (the two
// sides of the look at the public URL) and trouble.go (what can be wrong with it).
package self

import (
	"context"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/mail"
	"authy/server/outbound"
	"authy/storage"
)

// ErrForbidden is the answer to who does not administer the server.
var ErrForbidden = fault.New(fault.Forbidden, "forbidden", "Only administrators of the server may do this.")

// Config is what a [Service] needs.
type Config struct {
	DB     *storage.DB
	Config *config.Config
	Mail   *mail.Queue
	Limits *limit.Limits
}

// Service answers questions about the server.
type Service struct {
	Config
	// Report says where each setting came from; nil where nobody knows.
	Report *config.Report

	outside *outbound.Client
}

// New returns the service.
func New(c Config) *Service {
	return &Service{Config: c, outside: outbound.Own(c.Config.PublicURL)}
}

func (s *Service) mayAdminister(ctx context.Context, by audit.Actor) error {
	may, err := by.Administers(ctx, s.DB.Reader)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}
