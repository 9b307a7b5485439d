package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/disagg/disagg/pkg/upload"
)

// An error's number decides what becomes of a record; what is not known, or is no answer of the server's, may go well
// later: a record that is given up is lost.
func TestFate(t *testing.T) {
	t.Parallel()
	for want, numbers := range map[upload.Fate][]uint16{
		upload.Denied: {1044, 1045, 1095, 1142, 1143, 1227, 1370, 1698, 3118},
		upload.Never:  {1048, 1062, 1153, 1264, 1265, 1292, 1366, 1367, 1406, 1690, 3140},
		// Too many connections, a disk that is full, no such database, a lock's time, a deadlock, shutting down.
		upload.Later: {1040, 1021, 1049, 1205, 1213, 1053, 0},
	} {
		for _, n := range numbers {
			err := fmt.Errorf("cannot send: %w", &mysql.MySQLError{Number: n})
			if got := fate(err); got != want {
				t.Errorf("%d: %v, want %v", n, got, want)
			}
		}
	}
	broken := errors.Join(&mysql.MySQLError{Number: 1406}, driver.ErrBadConn)
	for _, err := range []error{io.ErrUnexpectedEOF, context.DeadlineExceeded, broken} {
		if got := fate(err); got != upload.Later {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// That a table or an index is there is told from what else may be wrong with a statement.
func TestExists(t *testing.T) {
	t.Parallel()
	for number, want := range map[uint16]bool{1050: true, 1061: true, 1064: false, 1045: false} {
		err := fmt.Errorf("a statement: %w", &mysql.MySQLError{Number: number})
		if got := dialect().Exists(err); got != want {
			t.Errorf("%d: %v", number, got)
		}
	}
	if dialect().Exists(errors.New("1050")) {
		t.Error("what is no answer of the server's says that a table is there")
	}
}

// A lock is held only if the server says 1: it says 0 after its time, and null after an error.
func TestLock(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer driver.Value
		err    error
		want   string
	}{
		"held":     {answer: int64(1)},
		"no time":  {answer: int64(0), want: "another process holds the lock disagg_schema"},
		"an error": {answer: nil, want: "another process holds the lock disagg_schema"},
		"no rows":  {err: io.EOF, want: sql.ErrNoRows.Error()},
	} {
		db := sql.OpenDB(&oneAnswer{tt.answer, tt.err})
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := dialect().Lock(t.Context(), conn); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
		if err := errors.Join(conn.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// oneAnswer is a server that says the same to whatever it is asked.
type oneAnswer struct {
	value driver.Value
	err   error // of the first row
}

func (s *oneAnswer) Connect(context.Context) (driver.Conn, error) { return s, nil }
func (s *oneAnswer) Driver() driver.Driver                        { return nil }
func (s *oneAnswer) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (s *oneAnswer) Begin() (driver.Tx, error)                    { return nil, errors.ErrUnsupported }
func (s *oneAnswer) Close() error                                 { return nil }
func (s *oneAnswer) Columns() []string                            { return []string{"got"} }

func (s *oneAnswer) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	if !strings.Contains(query, "get_lock('disagg_schema', 20)") {
		return nil, fmt.Errorf("asked for %q", query)
	}
	return s, nil
}

func (s *oneAnswer) Next(row []driver.Value) error {
	row[0] = s.value
	return s.err
}
