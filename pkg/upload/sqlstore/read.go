package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
)

// askedAtOnce is how many ids one statement asks for.
const askedAtOnce = 500

// Stored implements [upload.Sink].
func (s *Store) Stored(ctx context.Context, records []results.Record) (map[string]string, error) {
	found, err := s.stored(ctx, s.db, upload.IDs(records))
	if err != nil && s.d.Fate(err) == upload.Denied {
		err = upload.Refused(err)
	}
	return found, err
}

type rowsQuerier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (s *Store) stored(ctx context.Context, q rowsQuerier, ids []string) (map[string]string, error) {
	found := map[string]string{}
	for part := range slices.Chunk(ids, askedAtOnce) {
		query := "select id, digest from disagg_results where id in (" + s.d.list(1, len(part)) + ")"
		err := each(ctx, q, query, anyOf(part), func(rows *sql.Rows) error {
			var id, digest string
			if err := rows.Scan(&id, &digest); err != nil {
				return err
			}
			found[id] = digest
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("cannot read records: %w", err)
		}
	}
	return found, nil
}

// History implements [upload.Sink].
func (s *Store) History(ctx context.Context, q upload.Query) ([]results.Record, error) {
	where, args := []string{"1 = 1"}, []any{}
	add := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if n := len(q.Series); n > 0 {
		var ids []any
		for _, name := range q.Series {
			ids = append(ids, short(name))
		}
		add("series_id in ("+s.d.list(1, n)+")", ids...)
	}
	if !q.Since.IsZero() {
		add("measured_ns >= "+s.d.Placeholder(len(args)+1), q.Since.UnixNano())
	}
	if !q.Before.IsZero() {
		add("measured_ns < "+s.d.Placeholder(len(args)+1), q.Before.UnixNano())
	}
	query := "select id, body from disagg_results where " + strings.Join(where, " and ") + " order by measured_ns, id"
	if q.Limit > 0 {
		query = `select id, body from (
				select id, body, measured_ns,
					row_number() over (partition by series_id order by measured_ns desc, id) as age
				from disagg_results where ` + strings.Join(where, " and ") + `
			) as newest where age <= ` + s.d.Placeholder(len(args)+1) + ` order by measured_ns, id`
		args = append(args, q.Limit)
	}
	var list []results.Record
	err := each(ctx, s.db, query, args, func(rows *sql.Rows) error {
		var id, body string
		if err := rows.Scan(&id, &body); err != nil {
			return err
		}
		r, err := results.DecodeRecord(id, []byte(body))
		list = append(list, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the history: %w", err)
	}
	return list, nil
}

// each calls a function for every row of an answer.
func each(ctx context.Context, q rowsQuerier, query string, args []any, do func(*sql.Rows) error) (err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func anyOf(words []string) []any {
	list := make([]any, len(words))
	for i, w := range words {
		list[i] = w
	}
	return list
}
