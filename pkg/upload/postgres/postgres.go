// Package postgres is the sink for PostgreSQL.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/sqlstore"
)

const form = "postgres://USER@HOST:PORT/DATABASE?password_env=NAME"

// standardPort is that of servers, unless a URL names another.
const standardPort = "5432"

// Scheme is the sink's kind.
func Scheme() upload.Scheme {
	return upload.Scheme{
		Name: "postgres", Form: form, About: "tables of a PostgreSQL server", Port: standardPort, Check: check,
		Open: open,
	}
}

func check(u *url.URL) error {
	return sqlstore.CheckURL(u, map[string][]string{
		"sslmode": {"disable", "prefer", "require", "verify-ca", "verify-full"}, "sslrootcert": nil, "socket": nil,
	})
}

// connectBound is how long a connection may take to be made.
const connectBound = 10 * time.Second

func open(ctx context.Context, u *url.URL) (upload.Sink, error) {
	password, err := upload.Credential(u, "password")
	if err != nil {
		return nil, err
	}
	c, err := config(u)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", u.Redacted(), err)
	}
	c.Password, c.ConnectTimeout = password, connectBound
	s, err := sqlstore.Open(ctx, stdlib.OpenDB(*c), dialect())
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", u.Redacted(), err)
	}
	return s, nil
}

// config is made of the URL alone: what the environment says to other programs (PGHOST and the like) does not count.
func config(u *url.URL) (*pgx.ConnConfig, error) {
	host, portText, err := net.SplitHostPort(sqlstore.Address(u, standardPort))
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", portText, err)
	}
	if socket := u.Query().Get("socket"); socket != "" {
		host = socket
	}
	words := []string{}
	for key, value := range map[string]string{
		"host": host, "port": strconv.FormatUint(port, 10), "user": u.User.Username(),
		"dbname": strings.TrimPrefix(u.Path, "/"), "sslmode": u.Query().Get("sslmode"),
		"sslrootcert": u.Query().Get("sslrootcert"),
	} {
		if value != "" {
			words = append(words, key+"='"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)+"'")
		}
	}
	c, err := pgx.ParseConfig(strings.Join(words, " "))
	if err != nil {
		return nil, errors.New("its options cannot be read")
	}
	// Statements are not kept on the server: a pooler between may hand each to another connection.
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	return c, nil
}

// lock is the number of the advisory lock that migrations hold.
const lock = 4_471_802_611

func dialect() sqlstore.Dialect {
	return sqlstore.Dialect{
		Schema:      [][]string{schema()},
		Placeholder: func(n int) string { return "$" + strconv.Itoa(n) },
		Ignore:      func(string) string { return "on conflict do nothing" },
		Lock: func(ctx context.Context, c *sql.Conn) error {
			_, err := c.ExecContext(ctx, "select pg_advisory_lock($1)", int64(lock))
			return err
		},
		Unlock: func(ctx context.Context, c *sql.Conn) error {
			_, err := c.ExecContext(ctx, "select pg_advisory_unlock($1)", int64(lock))
			return err
		},
		Exists: func(err error) bool {
			var e *pgconn.PgError
			return errors.As(err, &e) && e.Code == "42P07" // duplicate_table, which an index is too
		},
		Fate: fate,
	}
}

func schema() []string {
	return sqlstore.Schema(sqlstore.Types{
		Key: "varchar(128)", Text: "text", Long: "text", Double: "double precision", Time: "timestamp(6)",
	})
}

// fate is what an error means, by the classes of PostgreSQL's error codes.
func fate(err error) upload.Fate {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return upload.Later
	}
	switch {
	case strings.HasPrefix(e.Code, "28"), e.Code == "42501": // authorization, privilege
		return upload.Denied
	case strings.HasPrefix(e.Code, "22"), strings.HasPrefix(e.Code, "23"), // data, constraint
		e.Code == "54000": // too large
		return upload.Never
	}
	return upload.Later
}
