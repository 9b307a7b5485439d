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
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
)

type sink struct {
	file string
	db   *sql.DB
}

// Scheme is the sink's kind.
func Scheme() upload.Scheme {
	return upload.Scheme{
		Name: "sqlite", Form: "sqlite:///absolute/path.db", About: "a file that needs no server", Local: true,
		Check: upload.CheckPath, Open: open,
	}
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
	if err := migrate(ctx, db); err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", file, errors.Join(err, db.Close()))
	}
	return &sink{file, db}, nil
}

func (s *sink) Close() error { return s.db.Close() }

// Send keeps all records or none.
func (s *sink) Send(ctx context.Context, records []results.Record) []upload.Outcome {
	if err := s.send(ctx, records); err != nil {
		return upload.Same(len(records), upload.Failed(upload.Later, err))
	}
	return upload.Same(len(records), upload.Outcome{})
}

func (s *sink) send(ctx context.Context, records []results.Record) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.cannotSend(err)
	}
	defer func() { err = undo(tx, err) }()
	in, err := prepare(ctx, tx)
	if err != nil {
		return s.cannotSend(err)
	}
	for _, r := range records {
		if err := in.insert(ctx, r); err != nil {
			return s.cannotSend(fmt.Errorf("record %s: %w", r.ID, err))
		}
	}
	if err := tx.Commit(); err != nil {
		return s.cannotSend(err)
	}
	return nil
}

// cannotSend names the file: SQLite itself names none, and of what its system says it tells only the kind.
func (s *sink) cannotSend(why error) error {
	return fmt.Errorf("cannot send records to %s: %w", s.file, why)
}

// undo undoes a transaction that was not committed, and returns why it was not. Some SQLite has undone by itself, such
// as on a disk that is full, and says so; that is no news.
func undo(tx *sql.Tx, why error) error {
	if err := tx.Rollback(); why == nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return why
}

// inserter inserts records in one transaction.
type inserter struct{ record, metric *sql.Stmt }

func prepare(ctx context.Context, tx *sql.Tx) (in inserter, err error) {
	in.record, err = tx.PrepareContext(ctx, `insert into records(id, digest, series, measured_at, run_id, job_id,
		case_name, mode, model, cluster, gpus, concurrency, invalid, body)
		values (?,?,?,?,?,?,?,?,?,?,?,?,?,?) on conflict(id) do nothing`)
	if err == nil {
		in.metric, err = tx.PrepareContext(ctx, `insert into metrics values (?,?,?)`)
	}
	return in, err
}

func (in inserter) insert(ctx context.Context, r results.Record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	done, err := in.record.ExecContext(ctx, r.ID, r.Digest(), r.Series(), stamp(r.MeasuredAt), r.RunID, r.JobID, r.Case,
		r.Mode, r.Model, r.Cluster, r.GPUs, r.Point.Concurrency, r.Point.Invalid, string(body))
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err // it is there already
	}
	for name, v := range r.Point.Metrics {
		if _, err := in.metric.ExecContext(ctx, r.ID, name, v); err != nil {
			return err
		}
	}
	return nil
}

// stamp is a time as a text that sorts like the time.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

// Stored implements [upload.Sink].
func (s *sink) Stored(ctx context.Context, records []results.Record) (map[string]string, error) {
	list, err := json.Marshal(upload.IDs(records))
	if err != nil {
		return nil, err
	}
	rows, err := s.db.QueryContext(ctx, `select id, digest from records where id in (select value from json_each(?))`,
		string(list))
	if err != nil {
		return nil, fmt.Errorf("cannot read records: %w", err)
	}
	defer func() { _ = rows.Close() }()
	found := map[string]string{}
	for rows.Next() {
		var id, digest string
		if err := rows.Scan(&id, &digest); err != nil {
			return nil, fmt.Errorf("cannot read records: %w", err)
		}
		found[id] = digest
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("cannot read records: %w", err)
	}
	return found, nil
}

// History implements [upload.Sink].
func (s *sink) History(ctx context.Context, q upload.Query) ([]results.Record, error) {
	where, args := []string{"true"}, []any{}
	if len(q.Series) > 0 {
		list, err := json.Marshal(q.Series)
		if err != nil {
			return nil, err
		}
		where, args = append(where, "series in (select value from json_each(?))"), append(args, string(list))
	}
	if !q.Since.IsZero() {
		where, args = append(where, "measured_at >= ?"), append(args, stamp(q.Since))
	}
	if !q.Before.IsZero() {
		where, args = append(where, "measured_at < ?"), append(args, stamp(q.Before))
	}
	limit := -1
	if q.Limit > 0 {
		limit = q.Limit
	}
	rows, err := s.db.QueryContext(ctx, `select id, body from (
			select id, body, measured_at, row_number() over (partition by series order by measured_at desc, id) as age
			from records where `+strings.Join(where, " and ")+`)
		where ? < 0 or age <= ? order by measured_at, id`, append(args, limit, limit)...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the history: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []results.Record
	for rows.Next() {
		var id, body string
		if err := rows.Scan(&id, &body); err != nil {
			return nil, fmt.Errorf("cannot read the history: %w", err)
		}
		r, err := results.DecodeRecord(id, []byte(body))
		if err != nil {
			return nil, fmt.Errorf("cannot read the history: %w", err)
		}
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the history: %w", err)
	}
	return list, nil
}
