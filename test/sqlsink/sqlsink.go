// Package sqlsink checks a sink that keeps its records in tables of an SQL server, against a real server.
package sqlsink

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/test/server"
)

// Run checks the sink. fresh makes a new database of the server.
func Run(t *testing.T, scheme upload.Scheme, fresh func(testing.TB) server.Database) {
	t.Run("contract", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Opener { return sinktest.OpenerOf(scheme, fresh(t).URL) })
	})
	for name, check := range map[string]func(*testing.T, upload.Scheme, server.Database){
		"many make the tables at once":            manyMigrate,
		"newer tables are left alone":             newerSchema,
		"people see what counts":                  views,
		"who may not enter is told so":            denied,
		"no database":                             noDatabase,
		"one bad record takes no other with it":   badRecord,
		"the server is killed while records come": killed,
	} {
		t.Run(name, func(t *testing.T) { check(t, scheme, fresh(t)) })
	}
}

// admin is the database with all rights.
func admin(t *testing.T, d server.Database) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.Driver, d.Admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// number is the only value of an answer.
func number(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func manyMigrate(t *testing.T, scheme upload.Scheme, d server.Database) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := scheme.Open(t.Context(), d.URL)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := number(t, admin(t, d), "select count(*) from disagg_schema"); n != 1 {
		t.Errorf("%d versions were noted", n)
	}
}

func newerSchema(t *testing.T, scheme upload.Scheme, d server.Database) {
	open(t, scheme, d)
	if _, err := admin(t, d).Exec("insert into disagg_schema (version) values (99)"); err != nil {
		t.Fatal(err)
	}
	if _, err := scheme.Open(t.Context(), d.URL); err == nil || !strings.Contains(err.Error(),
		"newer version of disagg") {
		t.Errorf("%v", err)
	}
}

func open(t *testing.T, scheme upload.Scheme, d server.Database) upload.Sink {
	t.Helper()
	s, err := scheme.Open(t.Context(), d.URL)
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

func views(t *testing.T, scheme upload.Scheme, d server.Database) {
	list := sinktest.Records("a1", 0, 4, 8)
	list[1].Point.Invalid = "9 of 16 requests failed"
	for _, o := range open(t, scheme, d).Send(t.Context(), list) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	db := admin(t, d)
	for query, want := range map[string]int{
		"select count(*) from disagg_runs": 1, "select count(*) from disagg_cases": 1,
		"select count(*) from disagg_results": 2, "select count(*) from disagg_valid_results": 1,
		"select count(*) from disagg_valid_metrics":                                                    3,
		"select concurrency from disagg_valid_metrics where name = 'token_throughput' and value = 401": 4,
	} {
		if got := number(t, db, query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
}

// drained drains records of a fresh run into a URL, and returns what is noted of it.
func drained(t *testing.T, scheme upload.Scheme, u *url.URL, concurrency ...int) (rundir.Outbox, string) {
	t.Helper()
	a := rundir.Dir(t.TempDir()).Attempt(0)
	for _, r := range sinktest.Records("a1", 0, concurrency...) {
		if err := a.RecordStore().Save(r); err != nil {
			t.Fatal(err)
		}
	}
	o := a.OpenOutbox(scheme.Name)
	d := upload.Drain{Outbox: o, Sinks: upload.Registry{scheme}, URL: u.String()}
	return o, d.Run(t.Context()).Error
}

func denied(t *testing.T, scheme upload.Scheme, d server.Database) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	u := *d.URL
	q := u.Query()
	q.Del("password_env")
	q.Set("password_file", file)
	u.RawQuery = q.Encode()
	o, said := drained(t, scheme, &u, 4)
	if pending, _ := o.Pending(); len(pending) != 1 || !strings.Contains(said, "the sink refuses access") {
		t.Errorf("pending %v: %s", pending, said)
	}
	if strings.Contains(said, "wrong") {
		t.Errorf("the password is told: %s", said)
	}
}

func noDatabase(t *testing.T, scheme upload.Scheme, d server.Database) {
	u := *d.URL
	u.Path += "_not"
	if o, said := drained(t, scheme, &u, 4); said == "" {
		t.Errorf("%+v", o)
	}
}

// badRecord has one record whose concurrency no column can hold.
func badRecord(t *testing.T, scheme upload.Scheme, d server.Database) {
	o, said := drained(t, scheme, d.URL, 1, 2, 1<<40, 4, 5)
	sent, _ := o.Sent()
	dead, _ := o.Dead()
	if len(sent) != 4 || len(dead) != 1 || said == "" {
		t.Errorf("sent %v, dead %v: %s", sent, dead, said)
	}
}

// killed kills the server while records are sent: they are sent again when it is back, and each is there once.
func killed(t *testing.T, scheme upload.Scheme, d server.Database) {
	list := sinktest.Records("a1", 0, 1, 2, 3, 4, 5, 6, 7, 8)
	s := open(t, scheme, d)
	begun, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; t.Context().Err() == nil; i++ {
			if got := s.Send(t.Context(), list[i%len(list):]); got[0].Err != nil {
				if got[0].Fate != upload.Later {
					t.Errorf("%v: %v", got[0].Fate, got[0].Err)
				}
				return
			}
			if i == 0 {
				close(begun)
			}
		}
	}()
	<-begun
	d.Kill(t)
	<-ended
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		got := s.Send(ctx, list)
		if got[0].Err == nil {
			break
		}
		if got[0].Fate != upload.Later || ctx.Err() != nil {
			t.Fatal(errors.Join(got[0].Err, ctx.Err()))
		}
	}
	if n := number(t, admin(t, d), "select count(*) from disagg_results"); n != len(list) {
		t.Errorf("%d rows, want %d", n, len(list))
	}
}
