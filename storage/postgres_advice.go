package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// advices say what to do about what PostgreSQL refuses while a server starts, by SQLSTATE.
var advices = map[string]string{
	"28P01": "correct the role's password in database.url, or set it anew: ALTER ROLE role PASSWORD '…'",
	"28000": "let the role in by pg_hba.conf, or name another in database.url",
	"3D000": "make the database: CREATE DATABASE name OWNER role ENCODING 'UTF8' TEMPLATE template0",
	"42501": "have the role own the database: ALTER DATABASE name OWNER TO role; or let it: GRANT USAGE, CREATE ON SCHEMA public TO role",
	"25006": "this server takes no writes: name the primary in database.url, or take back default_transaction_read_only",
	"53300": "raise max_connections of PostgreSQL, or end what else is connected",
	"57014": "raise statement_timeout for the role: ALTER ROLE role SET statement_timeout = 0",
}

// advised adds what to do to an error of PostgreSQL for which that is known.
func advised(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && advices[e.Code] != "" {
		return fmt.Errorf("%w; %s", err, advices[e.Code])
	}
	return err
}

// checkEncoding refuses a database that could not keep every text, or would hand it back otherwise.
func checkEncoding(ctx context.Context, pool *sql.DB) error {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it goes back to the pool
	var encoding string
	err = conn.Raw(func(driver any) error {
		encoding = driver.(*stdlib.Conn).Conn().PgConn().ParameterStatus("server_encoding")
		return nil
	})
	if err != nil || encoding == "UTF8" {
		return err
	}
	return fmt.Errorf("the database's encoding is %s, and authy needs UTF8; make another: "+
		"CREATE DATABASE name OWNER role ENCODING 'UTF8' TEMPLATE template0", encoding)
}
