package doctor

import (
	"context"
	"strings"

	"authy/storage/kv"
)

// database looks at whether the database takes what is written, and keeps it.
func (s *Service) database(ctx context.Context) ([]Finding, error) {
	if err := s.DB.Ping(ctx); err != nil {
		return one("database", "The database does not answer, or cannot be written to: %s. Until that is mended nobody can "+
			"sign in; the log says since when.", err.Error()), nil
	}
	var found []Finding
	if s.DB.IsDeaf(ctx) {
		found = one("database_news", "Notifications of PostgreSQL do not come through: a pooler between hands connections on after each "+
			"transaction. Nodes remember nothing, and “migrate copy” and “restore” cannot see whether a server runs. Have "+
			"database.url lead to PostgreSQL itself, or have the pooler pool by session.")
	}
	forgets, err := s.DB.Forgets(ctx)
	if err != nil || len(forgets) == 0 {
		return found, err
	}
	return append(found, bad("database_settings", "PostgreSQL is set to %s: what authy has said is done can be lost when its machine fails. "+
		"Set that to on, in postgresql.conf or by ALTER SYSTEM, ALTER DATABASE or ALTER ROLE.", strings.Join(forgets, ", "))), nil
}

// store looks at Redis, where attempts are counted.
func (s *Service) store(ctx context.Context) ([]Finding, error) {
	if err := s.Store.Ping(ctx); err != nil {
		return one("store", "The store of redis.url does not answer: %s. Attempts are counted in the database meanwhile; start it, "+
			"or correct redis.url.", err.Error()), nil
	}
	policy, err := kv.Evicts(ctx, s.Store)
	if err != nil || policy == "" {
		return nil, err
	}
	return one("store_settings", "Redis has the maxmemory-policy %s: when its memory is full it forgets counted attempts, and "+
		"passwords can be guessed again. Set maxmemory-policy to noeviction.", policy), nil
}
