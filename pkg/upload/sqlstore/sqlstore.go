package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
)

// openBound is how long opening may take, which may make the tables.
const openBound = 30 * time.Second

// Store is a sink.
type Store struct {
	db *sql.DB
	d  Dialect
}

// Open opens a database whose tables it makes if they are missing or old. It closes the database if it fails.
func Open(ctx context.Context, db *sql.DB, d Dialect) (*Store, error) {
	ctx, cancel := context.WithTimeout(ctx, openBound)
	defer cancel()
	db.SetMaxOpenConns(2)
	err := db.PingContext(ctx)
	if err == nil {
		err = migrate(ctx, db, d)
	}
	if err == nil {
		return &Store{db: db, d: d}, nil
	}
	err = errors.Join(err, db.Close())
	if d.Fate(err) == upload.Denied {
		return nil, upload.Refused(err)
	}
	return nil, err
}

// Close implements [upload.Sink].
func (s *Store) Close() error { return s.db.Close() }

// Send implements [upload.Sink]: all records are kept, or none.
func (s *Store) Send(ctx context.Context, records []results.Record) []upload.Outcome {
	if len(records) == 0 {
		return nil
	}
	err := s.send(ctx, records)
	if err == nil {
		return upload.Same(len(records), upload.Outcome{})
	}
	fate := s.d.Fate(err)
	if fate == upload.Never && len(records) > 1 {
		fate = upload.Apart
	}
	return upload.Same(len(records), upload.Failed(fate, err))
}

func (s *Store) send(ctx context.Context, records []results.Record) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("cannot send records: %w", err)
	}
	defer func() {
		if undone := tx.Rollback(); undone != nil && !errors.Is(undone, sql.ErrTxDone) {
			err = errors.Join(err, undone)
		}
	}()
	for part := range slices.Chunk(inOrder(records), rowsAtOnce) {
		if err := s.insert(ctx, tx, part); err != nil {
			return fmt.Errorf("cannot send records: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("cannot send records: %w", err)
	}
	return nil
}

// rowsAtOnce is how many records one statement inserts.
const rowsAtOnce = 100

// inOrder are records in the order of their ids, so that two processes that send the same wait for each other in one
// direction only; of each id the first.
func inOrder(records []results.Record) []results.Record {
	sorted := slices.SortedStableFunc(slices.Values(records), func(a, b results.Record) int {
		return strings.Compare(a.ID, b.ID)
	})
	return slices.CompactFunc(sorted, func(a, b results.Record) bool { return a.ID == b.ID })
}

// insert inserts the records that are not there yet.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, records []results.Record) error {
	there, err := s.stored(ctx, tx, upload.IDs(records))
	if err != nil {
		return err
	}
	records = slices.DeleteFunc(records, func(r results.Record) bool { _, is := there[r.ID]; return is })
	if len(records) == 0 {
		return nil
	}
	rows := rowsOf(records)
	for _, t := range tables {
		if err := s.insertRows(ctx, tx, t, rows[t.name]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) insertRows(ctx context.Context, tx *sql.Tx, t table, rows [][]any) error {
	for part := range slices.Chunk(rows, rowsAtOnce) {
		var args []any
		for _, row := range part {
			args = append(args, row...)
		}
		if _, err := tx.ExecContext(ctx, s.d.insert(t.name, t.columns, len(part), t.columns[0]), args...); err != nil {
			return err
		}
	}
	return nil
}

// table is one of the tables that records are kept in.
type table struct {
	name    string
	columns []string // the first is part of the key
}

// tables are in the order in which they are filled: a result refers to its run and its case.
var tables = [...]table{
	{"disagg_runs", []string{
		"run_id", "job_id", "cluster", "user_name", "hosts", "gpu", "gpu_name", "driver", "engine", "commit_hash",
		"branch", "image", "run_dir", "tool", "tags", "note", "first_at",
	}},
	{"disagg_cases", []string{
		"case_id", "test_id", "case_name", "mode", "model", "recipe", "ctx_servers", "gen_servers", "gpus",
	}},
	{"disagg_results", []string{
		"id", "digest", "run_id", "case_id", "series_id", "series", "measured_at", "measured_ns", "point",
		"concurrency", "gpus", "input_length", "output_length", "successful", "failed", "invalid", "body",
	}},
	{"disagg_metrics", []string{"result_id", "name", "value"}},
}

// rowsOf are the rows of each table that records lead to.
func rowsOf(records []results.Record) map[string][][]any {
	rows := map[string][][]any{}
	runs, cases := map[string]bool{}, map[string]bool{}
	for _, r := range records {
		p, caseID := r.Provenance, short(r.TestID+results.Variant(r.Settings))
		at := r.MeasuredAt.UTC().Truncate(time.Microsecond)
		if !runs[r.RunID] {
			runs[r.RunID] = true
			rows["disagg_runs"] = append(rows["disagg_runs"], []any{
				r.RunID, r.JobID, r.Cluster, p.User, strings.Join(p.Hosts, ","), p.GPU, p.GPUName, p.Driver, p.Engine,
				p.Commit, p.Branch, p.Image, p.RunDir, p.Tool, strings.Join(p.Tags, ","), printable(p.Note), at,
			})
		}
		if !cases[caseID] {
			cases[caseID] = true
			rows["disagg_cases"] = append(rows["disagg_cases"], []any{
				caseID, r.TestID, r.Case, r.Mode, r.Model, r.Recipe, r.CtxServers, r.GenServers, r.GPUs,
			})
		}
		body, _ := json.Marshal(r) // it was read from JSON
		rows["disagg_results"] = append(rows["disagg_results"], []any{
			r.ID, r.Digest(), r.RunID, caseID, short(r.Series()), r.Series(), at, r.MeasuredAt.UnixNano(),
			r.Point.Index, r.Point.Concurrency, r.GPUs, r.Load.InputLength, r.Load.OutputLength,
			r.Point.Successful, r.Point.Failed, printable(r.Point.Invalid), string(body),
		})
		for _, name := range slices.Sorted(maps.Keys(r.Point.Metrics)) {
			rows["disagg_metrics"] = append(rows["disagg_metrics"], []any{r.ID, name, r.Point.Metrics[name]})
		}
	}
	return rows
}

// printable is a text without the one character that not every server keeps; the body has it.
func printable(text string) string { return strings.ReplaceAll(text, "\x00", "") }

// short stands for a text in a key, whose length is bounded.
func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}
