package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// migrate brings the tables to the schema of today.
func migrate(ctx context.Context, db *sql.DB, d Dialect) (err error) {
	if version, err := version(ctx, db); err == nil && version == len(d.Schema) {
		return nil
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := d.Lock(ctx, conn); err != nil {
		return fmt.Errorf("cannot wait for others that change the tables: %w", err)
	}
	defer func() { err = errors.Join(err, d.Unlock(context.WithoutCancel(ctx), conn)) }()
	const table = `create table if not exists disagg_schema (version int not null primary key)`
	if _, err := conn.ExecContext(ctx, table); err != nil {
		return fmt.Errorf("cannot make the tables: %w", err)
	}
	from, err := version(ctx, conn)
	if err != nil {
		return err
	}
	if from > len(d.Schema) {
		return fmt.Errorf("its tables are of a newer version of disagg (schema %d): use that one", from)
	}
	for i, statements := range d.Schema[from:] {
		for _, s := range statements {
			if _, err := conn.ExecContext(ctx, s); err != nil && !d.Exists(err) {
				return fmt.Errorf("cannot make the tables: %w", err)
			}
		}
		insert := "insert into disagg_schema (version) values (" + d.Placeholder(1) + ")"
		if _, err := conn.ExecContext(ctx, insert, from+i+1); err != nil {
			return fmt.Errorf("cannot note the version of the tables: %w", err)
		}
	}
	return nil
}

// querier is a database, or a connection of it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// version is the version of the tables that are there; 0: there are none.
func version(ctx context.Context, q querier) (n int, err error) {
	err = q.QueryRowContext(ctx, "select coalesce(max(version), 0) from disagg_schema").Scan(&n)
	return n, err
}
