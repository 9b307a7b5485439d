package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/pkg/upload/sqlstore"
)

const versions = "select version from disagg_schema order by version"

// Of many that find no tables each can use them, and one makes them; who finds them made waits for nobody.
func TestOneMigrates(t *testing.T) {
	t.Parallel()
	name := file(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := sqlstore.Open(t.Context(), database(t, name), new(counted).dialect())
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
	is(t, database(t, name), versions, "1")
	var late counted
	store(t, name, late.dialect())
	if n := late.locks.Load(); n != 0 {
		t.Errorf("the lock was taken %d times", n)
	}
}

// Tables of an older version get what was added since, and nothing of what they have; their records stay.
func TestOlderTablesAreBroughtUp(t *testing.T) {
	t.Parallel()
	var c counted
	name, d := file(t), c.dialect()
	list := sinktest.Records("a1", 0, 4)
	kept(t, store(t, name, d), list)
	d.Exists = func(error) bool { return false } // a statement of the first version would fail
	d.Schema = append(d.Schema, []string{"alter table disagg_cases add column note text not null default 'new'"},
		[]string{"create table disagg_third (x int)"})
	s := store(t, name, d)
	db := database(t, name)
	is(t, db, versions, "1", "2", "3")
	is(t, db, "select note from disagg_cases", "new")
	if got, err := s.Stored(t.Context(), list); err != nil || got[list[0].ID] != list[0].Digest() {
		t.Errorf("%v, %v", got, err)
	}
	if c.locks.Load() != 2 || c.unlocks.Load() != 2 {
		t.Errorf("locked %d times, unlocked %d times", c.locks.Load(), c.unlocks.Load())
	}
}

// Tables of a newer version are left alone, and the lock is given back.
func TestNewerTablesAreLeftAlone(t *testing.T) {
	t.Parallel()
	var c counted
	name := file(t)
	db := database(t, name)
	store(t, name, c.dialect())
	exec(t, db, "insert into disagg_schema (version) values (7)")
	want := "its tables are of a newer version of disagg (schema 7): use that one"
	if _, err := sqlstore.Open(t.Context(), database(t, name), c.dialect()); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	is(t, db, versions, "1", "7")
	if c.locks.Load() != c.unlocks.Load() {
		t.Errorf("locked %d times, unlocked %d times", c.locks.Load(), c.unlocks.Load())
	}
}

// A process that was killed between making tables and noting that is no hindrance: what is there is taken as it is.
func TestHalfMadeTablesAreCompleted(t *testing.T) {
	t.Parallel()
	for _, made := range []int{1, 4, len(schema())} { // a table; all but views and one table, with an index; everything
		name := file(t)
		exec(t, database(t, name), schema()[:made]...)
		kept(t, store(t, name, new(counted).dialect()), sinktest.Records("a1", 0, 4, 8))
	}
}

// What cannot be made is an error that says so; the version is not noted, so that the next one tries again.
func TestWhatCannotBeMade(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(*testing.T, *sql.DB, *sqlstore.Dialect)
		want  string
	}{
		"a table": {
			func(_ *testing.T, _ *sql.DB, d *sqlstore.Dialect) { d.Schema[0][1] = "create nonsense" },
			"cannot make the tables: ",
		},
		"the table of versions": {
			func(t *testing.T, db *sql.DB, _ *sqlstore.Dialect) {
				exec(t, db, "create view disagg_schema as select 1")
			},
			"no such column: version",
		},
		"a note of the version": {
			func(t *testing.T, db *sql.DB, _ *sqlstore.Dialect) {
				exec(t, db, "create table disagg_schema (version int not null primary key)",
					"create trigger no before insert on disagg_schema begin select raise(abort, 'full'); end")
			},
			"cannot note the version of the tables: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c counted
			name, d := file(t), c.dialect()
			tt.spoil(t, database(t, name), &d)
			_, err := sqlstore.Open(t.Context(), database(t, name), d)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if c.unlocks.Load() != 1 {
				t.Errorf("unlocked %d times", c.unlocks.Load())
			}
			if strings.HasPrefix(tt.want, "no such column") {
				return
			}
			db := database(t, name)
			is(t, db, versions)
			exec(t, db, "drop trigger if exists no")
			store(t, name, new(counted).dialect())
			is(t, db, versions, "1")
		})
	}
}

// Without the lock nothing is made, and it is not given back. A lock that cannot be given back is told.
func TestLockFaults(t *testing.T) {
	t.Parallel()
	name := file(t)
	db := database(t, name)
	var c counted
	d := c.dialect()
	d.Lock = func(context.Context, *sql.Conn) error { return errors.New("held by another") }
	want := "cannot wait for others that change the tables: held by another"
	if _, err := sqlstore.Open(t.Context(), database(t, name), d); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	is(t, db, "select name from sqlite_master")
	if c.unlocks.Load() != 0 {
		t.Error("a lock that was not taken was given back")
	}
	d = c.dialect()
	unlock := d.Unlock
	d.Unlock = func(ctx context.Context, conn *sql.Conn) error {
		return errors.Join(unlock(ctx, conn), errors.New("cannot unlock"))
	}
	if _, err := sqlstore.Open(t.Context(), database(t, name), d); err == nil || err.Error() != "cannot unlock" {
		t.Errorf("%v", err)
	}
}

// The lock is given back when time is over, too: others wait for it.
func TestLockIsGivenBackWithoutTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var c counted
	d := c.dialect()
	d.Schema = [][]string{{"create nonsense"}}
	d.Exists = func(error) bool { cancel(); return false }
	unlock := d.Unlock
	d.Unlock = func(ctx context.Context, conn *sql.Conn) error {
		return errors.Join(ctx.Err(), unlock(ctx, conn))
	}
	_, err := sqlstore.Open(ctx, database(t, file(t)), d)
	if err == nil || errors.Is(err, context.Canceled) || c.unlocks.Load() != 1 {
		t.Errorf("unlocked %d times: %v", c.unlocks.Load(), err)
	}
}

// A database that is of no use is closed, and a refusal is told from what may be well later.
func TestOpenFaults(t *testing.T) {
	t.Parallel()
	for said, denied := range map[string]bool{"fate denied": true, "fate later": false} {
		d := new(counted).dialect()
		d.Lock = func(context.Context, *sql.Conn) error { return errors.New(said) }
		db := database(t, file(t))
		s, err := sqlstore.Open(t.Context(), db, d)
		if s != nil || err == nil || strings.Contains(err.Error(), "the sink refuses access") != denied {
			t.Errorf("%s: %v", said, err)
		}
		if err := db.Ping(); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s: the database is still open: %v", said, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sqlstore.Open(ended, database(t, file(t)), new(counted).dialect()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// The statements name every type that a server was asked for, none of another server, and no word that stands for one.
func TestSchemaHasTheServersTypes(t *testing.T) {
	t.Parallel()
	types := sqlstore.Types{Key: "key_", Text: "text_", Long: "long_", Double: "double_", Time: "time_", End: "end_"}
	list := sqlstore.Schema(types)
	all := strings.Join(list, ";\n")
	for _, word := range []string{"KEY", "TEXT", "LONG", "DOUBLE", "TIME", "END"} {
		if strings.Contains(all, word) || !strings.Contains(all, strings.ToLower(word)+"_") {
			t.Errorf("%s:\n%s", word, all)
		}
	}
	tables := slices.DeleteFunc(list, func(s string) bool { return !strings.HasPrefix(s, "create table") })
	for _, s := range tables {
		if !strings.HasPrefix(s, "create table if not exists disagg_") || !strings.HasSuffix(s, ") end_") {
			t.Error(s)
		}
	}
	if len(tables) != 4 {
		t.Errorf("%d tables", len(tables))
	}
}
