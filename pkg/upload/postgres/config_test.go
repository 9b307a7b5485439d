package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/disagg/disagg/pkg/upload"
)

// A configuration is made of the URL alone, whatever the environment says to other programs; words may have any
// characters.
func TestConfig(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOST": "elsewhere", "PGPORT": "1", "PGUSER": "other", "PGDATABASE": "other", "PGPASSWORD": "other",
	} {
		t.Setenv(name, value)
	}
	for address, want := range map[string]struct {
		host     string
		port     uint16
		user, db string
		tls      bool // nothing is sent that others can read
	}{
		"postgres://u@h/db?sslmode=disable":      {"h", 5432, "u", "db", false},
		"postgres://u@h/db?sslmode=require":      {"h", 5432, "u", "db", true},
		"postgres://u@h/db?sslmode=verify-full":  {"h", 5432, "u", "db", true},
		"postgres://u@[::1]:17/db?sslmode=":      {"::1", 17, "u", "db", true},
		"postgres://u@/db?socket=/run/a%20b":     {"/run/a b", 5432, "u", "db", false},
		"postgres://u@h:17/db?socket=/run/s":     {"/run/s", 17, "u", "db", false},
		"postgres://o'b%5C@h/d%20b'%5C?x=1":      {"h", 5432, `o'b\`, `d b'\`, true},
		"postgres://u%20host=x@h/db%20user=evil": {"h", 5432, "u host=x", "db user=evil", true},
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		c, err := config(u)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if c.Host != want.host || c.Port != want.port || c.User != want.user || c.Database != want.db ||
			(c.TLSConfig != nil) != want.tls {
			t.Errorf("%s: %s %d %s %s, with TLS: %v", address, c.Host, c.Port, c.User, c.Database, c.TLSConfig != nil)
		}
		if c.DefaultQueryExecMode != pgx.QueryExecModeExec {
			t.Errorf("%s: statements are kept on the server", address)
		}
	}
}

// What cannot be a configuration is told without what the URL has, which may be a secret.
func TestConfigFaults(t *testing.T) {
	for address, want := range map[string]string{
		"postgres://u@h:65536/db":                      `port "65536": `,
		"postgres://u@h/db?sslmode=hush":               "its options cannot be read",
		"postgres://u@h/db?sslrootcert=/no/such/hush":  "its options cannot be read",
		"postgres://u@h/db?sslmode=verify-ca&socket=s": "",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		_, err = config(u)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", address, err)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), want) ||
			strings.Contains(err.Error(), "hush")):
			t.Errorf("%s: got %v, want %s", address, err, want)
		}
	}
}

// An error's code decides what becomes of a record; what is not known, or is no answer of the server's, may go well
// later: a record that is given up is lost.
func TestFate(t *testing.T) {
	t.Parallel()
	for want, codes := range map[upload.Fate][]string{
		upload.Denied: {"28000", "28P01", "42501"},
		upload.Never:  {"22001", "22003", "22021", "23502", "23505", "54000"},
		// No database, too many connections, a deadlock, shutting down, a full disk, another limit, no such table.
		upload.Later: {"3D000", "53300", "40P01", "57P01", "53100", "54001", "42P01", ""},
	} {
		for _, code := range codes {
			if got := fate(fmt.Errorf("cannot send: %w", &pgconn.PgError{Code: code})); got != want {
				t.Errorf("%q: %v, want %v", code, got, want)
			}
		}
	}
	for _, err := range []error{io.ErrUnexpectedEOF, context.DeadlineExceeded, errors.New("28000")} {
		if got := fate(err); got != upload.Later {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// That a table or an index is there is told from what else may be wrong with a statement.
func TestExists(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{"42P07": true, "42601": false, "42501": false} {
		if got := dialect().Exists(fmt.Errorf("a statement: %w", &pgconn.PgError{Code: code})); got != want {
			t.Errorf("%s: %v", code, got)
		}
	}
	if dialect().Exists(errors.New("42P07")) {
		t.Error("what is no answer of the server's says that a table is there")
	}
}
