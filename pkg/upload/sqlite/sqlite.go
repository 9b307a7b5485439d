// Package sqlite is the embedded sink: a file that needs no server.
package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
)

// schema keeps a record whole (body) and its metrics in rows, so that the sqlite3 command line can read both.
const schema = `
create table if not exists records (
	id          text primary key,
	measured_at text not null,
	run_id      text not null,
	job_id      text not null,
	case_name   text not null,
	mode        text not null,
	model       text not null,
	cluster     text not null,
	gpus        integer not null,
	concurrency integer not null,
	invalid     text not null,
	body        text not null
);
create table if not exists metrics (
	record_id text not null references records(id),
	name      text not null,
	value     real not null,
	primary key (record_id, name)
) without rowid;`

type sink struct{ db *sql.DB }

// Scheme is the sink's kind.
func Scheme() upload.Scheme {
	return upload.Scheme{Name: "sqlite", Form: "sqlite:///absolute/path.db", Check: check, Open: open}
}

func check(u *url.URL) error {
	if u.Host != "" || u.Path == "" || u.Opaque != "" {
		return errors.New("it names no absolute path")
	}
	return nil
}

// open opens or creates the file. It waits for other writers: several jobs may end at once. The journal is the classic
// one, because the file may lie on a shared file system, where write-ahead logging does not work.
func open(ctx context.Context, u *url.URL) (upload.Sink, error) {
	file := u.Path
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", file, err)
	}
	options := "_pragma=busy_timeout(10000)&_pragma=journal_mode(delete)&_pragma=synchronous(full)&_txlock=immediate"
	dsn := url.URL{Scheme: "file", Path: file, RawQuery: options}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", file, err)
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", file, errors.Join(err, db.Close()))
	}
	return &sink{db}, nil
}

func (s *sink) Close() error { return s.db.Close() }

// Send keeps all records or none.
func (s *sink) Send(ctx context.Context, records []results.Record) []upload.Outcome {
	return upload.Same(len(records), upload.Outcome{Err: s.send(ctx, records)})
}

func (s *sink) send(ctx context.Context, records []results.Record) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("cannot send records: %w", err)
	}
	defer func() { err = errors.Join(err, ignoreDone(tx.Rollback())) }()
	for _, r := range records {
		if err := insert(ctx, tx, r); err != nil {
			return fmt.Errorf("cannot send record %s: %w", r.ID, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("cannot send records: %w", err)
	}
	return nil
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

func insert(ctx context.Context, tx *sql.Tx, r results.Record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	done, err := tx.ExecContext(ctx, `insert into records values (?,?,?,?,?,?,?,?,?,?,?,?) on conflict(id) do nothing`,
		r.ID, r.MeasuredAt.Format(time.RFC3339Nano), r.RunID, r.JobID, r.Case, r.Mode, r.Model, r.Cluster, r.GPUs,
		r.Point.Concurrency, r.Point.Invalid, string(body))
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err // it is there already
	}
	for name, v := range r.Point.Metrics {
		if _, err := tx.ExecContext(ctx, `insert into metrics values (?,?,?)`, r.ID, name, v); err != nil {
			return err
		}
	}
	return nil
}
