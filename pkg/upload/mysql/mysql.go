// Package mysql is the sink for MySQL and MariaDB.
package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/sqlstore"
)

const form = "mysql://USER@HOST:PORT/DATABASE?password_env=NAME"

// standardPort is that of servers, unless a URL names another.
const standardPort = "3306"

// Scheme is the sink's kind.
func Scheme() upload.Scheme {
	return upload.Scheme{
		Name: "mysql", Form: form, About: "tables of a MySQL or MariaDB server", Port: standardPort, Check: check,
		Open: open,
	}
}

func check(u *url.URL) error {
	return sqlstore.CheckURL(u, map[string][]string{
		"tls": {"true", "skip-verify", "preferred", "false"}, "socket": nil,
	})
}

// Bounds of what the driver waits for.
const (
	connectBound = 10 * time.Second
	answerBound  = time.Minute
)

func open(ctx context.Context, u *url.URL) (upload.Sink, error) {
	password, err := upload.Credential(u, "password")
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName = u.User.Username(), password, strings.TrimPrefix(u.Path, "/")
	c.Net, c.Addr = "tcp", sqlstore.Address(u, standardPort)
	if socket := u.Query().Get("socket"); socket != "" {
		c.Net, c.Addr = "unix", socket
	}
	c.TLSConfig = u.Query().Get("tls")
	c.Timeout, c.ReadTimeout, c.WriteTimeout = connectBound, answerBound, answerBound
	// A value that does not fit must be refused, and not cut; times are kept as they are given.
	c.Params = map[string]string{"sql_mode": "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'", "time_zone": "'+00:00'"}
	c.Collation, c.Logger = "utf8mb4_bin", silent{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", u.Redacted(), err)
	}
	s, err := sqlstore.Open(ctx, sql.OpenDB(connector), dialect())
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", u.Redacted(), err)
	}
	return s, nil
}

// silent keeps the driver from writing to stderr: every error is returned too.
type silent struct{}

func (silent) Print(...any) {}

func dialect() sqlstore.Dialect {
	return sqlstore.Dialect{
		Schema:      [][]string{schema()},
		Placeholder: func(int) string { return "?" },
		Ignore:      func(key string) string { return "on duplicate key update " + key + " = " + key },
		Lock: func(ctx context.Context, c *sql.Conn) error {
			var got sql.NullInt64
			err := c.QueryRowContext(ctx, "select get_lock('disagg_schema', 20)").Scan(&got)
			if err == nil && got.Int64 != 1 {
				err = errors.New("another process holds the lock disagg_schema")
			}
			return err
		},
		Unlock: func(ctx context.Context, c *sql.Conn) error {
			_, err := c.ExecContext(ctx, "do release_lock('disagg_schema')")
			return err
		},
		Exists: func(err error) bool {
			var e *mysql.MySQLError
			return errors.As(err, &e) && (e.Number == 1050 || e.Number == 1061) // a table, an index
		},
		Fate: fate,
	}
}

func schema() []string {
	return sqlstore.Schema(sqlstore.Types{
		Key:  "varchar(128) character set ascii collate ascii_bin",
		Text: "text character set utf8mb4 collate utf8mb4_bin",
		Long: "longtext character set utf8mb4 collate utf8mb4_bin", Double: "double", Time: "datetime(6)",
		End: "engine=InnoDB default character set utf8mb4 collate utf8mb4_bin",
	})
}

// fate is what an error means, by the numbers of MySQL's error reference.
func fate(err error) upload.Fate {
	var e *mysql.MySQLError
	if !errors.As(err, &e) || errors.Is(err, driver.ErrBadConn) {
		return upload.Later
	}
	switch e.Number {
	case 1044, 1045, 1095, 1142, 1143, 1227, 1370, 1698, 3118: // access denied, account locked
		return upload.Denied
	case 1048, 1062, 1153, 1264, 1265, 1292, 1366, 1367, 1406, 1690, 3140: // the content of a row
		return upload.Never
	}
	return upload.Later
}
