package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/disagg/disagg/pkg/results"
)

// schemaVersion is the file's user_version. 0 is an empty file, or one of before there were versions.
const schemaVersion = 2

// schema keeps a record whole (body) and its metrics in rows, so that the sqlite3 command line can read both. What does
// not count is in the tables, and in no view whose name says valid.
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

// second brings what a file of before lacks.
const second = `
alter table records add column series text not null default '';
alter table records add column digest text not null default '';
create index records_by_series on records(series, measured_at);
create view valid_records as select * from records where invalid = '';
create view valid_metrics as
	select r.id as record_id, r.measured_at, r.run_id, r.job_id, r.case_name, r.mode, r.model, r.cluster, r.gpus,
		r.concurrency, r.series, m.name, m.value
	from records r join metrics m on m.record_id = r.id where r.invalid = '';
create view points as
	select r.id as record_id, r.measured_at, r.run_id, r.case_name, r.concurrency, r.gpus, r.invalid,
		max(m.value) filter (where m.name = 'token_throughput') as output_tok_s,
		max(m.value) filter (where m.name = 'token_throughput') / nullif(r.gpus, 0) as tok_s_gpu,
		1000 / max(m.value) filter (where m.name = 'mean_tpot' and m.value > 0) as tok_s_user,
		max(m.value) filter (where m.name = 'mean_ttft') as ttft_ms,
		max(m.value) filter (where m.name = 'mean_tpot') as tpot_ms
	from records r left join metrics m on m.record_id = r.id group by r.id;
pragma user_version = 2;`

// migrate brings a file to the schema of today, in one transaction. A file of a newer program is left alone.
func migrate(ctx context.Context, db *sql.DB) (err error) {
	tx, err := db.BeginTx(ctx, nil) // immediate: of several that open a new file one makes it
	if err != nil {
		return err
	}
	defer func() { err = undo(tx, err) }()
	var version int
	if err := tx.QueryRowContext(ctx, "pragma user_version").Scan(&version); err != nil {
		return err
	}
	switch {
	case version == schemaVersion:
		return nil
	case version > schemaVersion:
		return fmt.Errorf("it is of a newer version of disagg (schema %d): use that one", version)
	}
	for _, text := range []string{schema, second} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	if err := fill(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// fill computes what records of before lack.
func fill(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, "select id, body from records")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var old []results.Record
	for rows.Next() {
		var id, body string
		if err := rows.Scan(&id, &body); err != nil {
			return err
		}
		r, err := results.DecodeRecord(id, []byte(body))
		if err != nil {
			return err
		}
		old = append(old, r)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, r := range old {
		if _, err := tx.ExecContext(ctx, "update records set series = ?, digest = ?, measured_at = ? where id = ?",
			r.Series(), r.Digest(), stamp(r.MeasuredAt), r.ID); err != nil {
			return err
		}
	}
	return nil
}
