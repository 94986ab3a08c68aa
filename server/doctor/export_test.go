package doctor

import "context"

// Resolve has names looked up by do: name servers are somebody else's.
func (s *Service) Resolve(do func(ctx context.Context, host string) error) { s.resolve = do }

// Overdue is overdue, for tests.
var Overdue = overdue
