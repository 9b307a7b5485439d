package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	_ "modernc.org/sqlite" // the driver

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/pkg/upload/sqlstore"
)

// SQLite stands for a server here: it needs none, and checks the same statements, keys and references. What only the
// real ones can show is checked by packages mysql and postgres.

// file makes the name of a database that is not there yet.
func file(t *testing.T) string { return filepath.Join(t.TempDir(), "x.db") }

// database opens a file as one client does.
func database(t *testing.T, file string) *sql.DB {
	t.Helper()
	options := "_pragma=busy_timeout(10000)&_pragma=synchronous(off)&_pragma=foreign_keys(1)&_txlock=immediate"
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: file, RawQuery: options}).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// counted are what a dialect was asked for.
type counted struct {
	locks, unlocks atomic.Int32
	mostArgs       atomic.Int32 // of one statement
}

// dialect is SQLite's.
func (c *counted) dialect() sqlstore.Dialect {
	run := func(count *atomic.Int32, statement string) func(context.Context, *sql.Conn) error {
		return func(ctx context.Context, conn *sql.Conn) error {
			count.Add(1)
			_, err := conn.ExecContext(ctx, statement)
			return err
		}
	}
	return sqlstore.Dialect{
		Schema: [][]string{schema()},
		Placeholder: func(n int) string {
			c.mostArgs.Store(max(c.mostArgs.Load(), int32(n)))
			return fmt.Sprintf("?%d", n)
		},
		Ignore: func(string) string { return "on conflict do nothing" },
		Lock:   run(&c.locks, "begin immediate"), Unlock: run(&c.unlocks, "commit"),
		Exists: func(err error) bool { return strings.Contains(err.Error(), "already exists") },
		Fate:   fate,
	}
}

// schema is the first one, with views as SQLite makes them.
func schema() []string {
	list := sqlstore.Schema(sqlstore.Types{Key: "text", Text: "text", Long: "text", Double: "real", Time: "text"})
	for i := range list {
		list[i] = strings.Replace(list[i], "create or replace view", "create view if not exists", 1)
	}
	return list
}

// fate goes by words that tests let a trigger say.
func fate(err error) upload.Fate {
	for f := upload.Later; f <= upload.Denied; f++ {
		if strings.Contains(err.Error(), "fate "+f.String()) {
			return f
		}
	}
	return upload.Later
}

// store opens a file as a sink that is closed with the test.
func store(t *testing.T, file string, d sqlstore.Dialect) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), database(t, file), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// column is the answer to a query of one column.
func column(t *testing.T, db *sql.DB, query string) (list []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var word string
		if err := rows.Scan(&word); err != nil {
			t.Fatal(err)
		}
		list = append(list, word)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// is checks the answer to a query of one column.
func is(t *testing.T, db *sql.DB, query string, want ...string) {
	t.Helper()
	if got := column(t, db, query); !slices.Equal(got, want) {
		t.Errorf("%s:\n%q, want\n%q", query, got, want)
	}
}

// kept sends records of which each must be kept.
func kept(t *testing.T, s upload.Sink, records []results.Record) {
	t.Helper()
	for _, o := range s.Send(t.Context(), records) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
}

// The tables keep the contract of all sinks.
func TestContract(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t *testing.T) sinktest.Opener {
		name := file(t)
		return func(ctx context.Context) (upload.Sink, error) {
			return sqlstore.Open(ctx, database(t, name), new(counted).dialect())
		}
	})
}
