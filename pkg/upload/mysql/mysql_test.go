package mysql_test

import (
	"testing"

	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/mysql"
	"github.com/disagg/disagg/test/server"
	"github.com/disagg/disagg/test/sqlsink"
)

func TestMain(m *testing.M) { server.Main(m) }

// The sink keeps the contract of all sinks, and that of those with tables, on a real server.
func TestSink(t *testing.T) { sqlsink.Run(t, mysql.Scheme(), server.MariaDB) }

// A URL names a server, a user and a database, and has only options that are known.
func TestURLs(t *testing.T) {
	r := upload.Registry{mysql.Scheme()}
	for address, good := range map[string]bool{
		"mysql://u@h/db": true, "mysql://u@h:1234/db?password_env=P": true, "mysql://u@/db?socket=/run/s": true,
		"mysql://h/db": false, "mysql://u@h": false, "mysql://u@h/a/b": false, "mysql://u@h/db?colour=red": false,
		"mysql://u:secret@h/db": false, "mysql:///db": false,
	} {
		if err := r.Check(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}
