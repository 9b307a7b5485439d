package postgres_test

import (
	"testing"

	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/postgres"
	"github.com/disagg/disagg/test/server"
	"github.com/disagg/disagg/test/sqlsink"
)

func TestMain(m *testing.M) { server.Main(m) }

// The sink keeps the contract of all sinks, and that of those with tables, on a real server.
func TestSink(t *testing.T) { sqlsink.Run(t, postgres.Scheme(), server.Postgres) }

// A URL names a server, a user and a database, and has only options that are known.
func TestURLs(t *testing.T) {
	r := upload.Registry{postgres.Scheme()}
	for address, good := range map[string]bool{
		"postgres://u@h/db": true, "postgres://u@h:1234/db?password_env=P": true,
		"postgres://u@/db?socket=/run/s": true,
		"postgres://h/db":                false, "postgres://u@h": false, "postgres://u@h/a/b": false,
		"postgres://u@h/db?colour=red": false,
		"postgres://u:secret@h/db":     false, "postgres:///db": false,
	} {
		if err := r.Check(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}
