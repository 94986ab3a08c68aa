package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

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
		return fmt.Errorf("%w; %s", inOneLine{err}, advices[e.Code])
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fmt.Errorf("%w; see whether PostgreSQL runs, and host and port in database.url lead to it", inOneLine{err})
	}
	return err
}

// inOneLine is an error that names each address that was tried, in one line.
type inOneLine struct{ error }

func (e inOneLine) Unwrap() error { return e.error }

func (e inOneLine) Error() string {
	var lines []string
	for line := range strings.Lines(e.error.Error()) {
		if line = strings.TrimSpace(line); !slices.Contains(lines, line) { // with TLS, and without
			lines = append(lines, line)
		}
	}
	head, tried := lines[0], lines[1:]
	return strings.TrimSpace(head + " " + strings.Join(tried, ", "))
}

// unreadable says why a postgres:// URL cannot be read, and shows nothing of its password.
func unreadable(address string, err error) error {
	const what = "the postgres:// URL cannot be read"
	u, malformed := url.Parse(address)
	if malformed != nil { // whose words may have a piece of the password
		return errors.New(what + ": write what its password has beside letters, digits, '-', '.', '_' and '~' as %XX")
	}
	_, why, _ := strings.Cut(err.Error(), "`: ") // after the URL itself
	password, _ := u.User.Password()
	for _, secret := range []string{password, u.Query().Get("password"), u.Query().Get("sslpassword")} {
		if secret != "" && strings.Contains(why, secret) {
			return errors.New(what)
		}
	}
	return fmt.Errorf("%s: %s", what, why)
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
