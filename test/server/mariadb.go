package server

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver
)

// Database is a database of a server, for one test.
type Database struct {
	// URL is of a sink that keeps its records there; the password is in the variable that it names.
	URL *url.URL
	// Admin is the driver's name for the database, with all rights.
	Driver, Admin string
	server        *process
}

// Kill kills the server, as the end of its machine would, and starts it again.
func (d Database) Kill(t testing.TB) {
	t.Helper()
	d.server.stop(syscall.SIGKILL)
	err := d.server.start()
	for late := time.Now().Add(ready); err != nil && d.server.lingers() && time.Now().Before(late); {
		time.Sleep(100 * time.Millisecond)
		err = d.server.start()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// lingers tells whether a server could not be started because processes of the one before are still ending: PostgreSQL
// has one for each connection, which find out by themselves that it was killed.
func (p *process) lingers() bool {
	select {
	case <-p.done:
		return strings.Contains(p.tail(), "is still in use")
	default:
		return false
	}
}

var databases atomic.Int32

// password is that of the user of every database.
const (
	password    = "of the tests"
	passwordVar = "DISAGG_TEST_PASSWORD"
)

// MariaDB makes a database of a MariaDB server, which is started if there is none yet.
func MariaDB(t testing.TB) Database {
	t.Helper()
	server, install := found("mariadbd", "/usr/sbin/mariadbd"), found("mariadb-install-db")
	if server == "" || install == "" {
		t.Skip("MariaDB is not installed: apt-get install mariadb-server")
	}
	p, err := once("mariadb", func() (*process, error) { return startMariaDB(server, install) })
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(passwordVar, password)
	name := "t" + strconv.Itoa(int(databases.Add(1)))
	admin := func(database string) string {
		return fmt.Sprintf("root@unix(%s)/%s?multiStatements=true", filepath.Join(p.dir, "socket"), database)
	}
	run(t, "mysql", admin(""), fmt.Sprintf(
		`create database %[1]s character set utf8mb4; create user '%[1]s'@'%%' identified by '%[2]s';
		grant all on %[1]s.* to '%[1]s'@'%%'`, name, password))
	return Database{
		URL: &url.URL{
			Scheme: "mysql", User: url.User(name), Host: "127.0.0.1:" + strconv.Itoa(p.port), Path: "/" + name,
			RawQuery: "password_env=" + passwordVar,
		},
		Driver: "mysql", Admin: admin(name), server: p,
	}
}

func run(t testing.TB, driver, admin, statements string) {
	t.Helper()
	db, err := sql.Open(driver, admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

func startMariaDB(server, install string) (*process, error) {
	dir, err := os.MkdirTemp("", "mariadb-")
	if err != nil {
		return nil, err
	}
	p := &process{name: "mariadb", dir: dir}
	if p.port, err = freePort(); err != nil {
		return p, err
	}
	data := filepath.Join(dir, "data")
	cmd := exec.Command(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal",
		"--skip-test-db", "--user=root")
	if out, err := cmd.CombinedOutput(); err != nil {
		return p, fmt.Errorf("cannot make the database: %w: %s", err, out)
	}
	p.make = func(p *process) *exec.Cmd {
		return exec.Command(server, "--no-defaults", "--datadir="+data, "--user=root", "--bind-address=127.0.0.1",
			"--port="+strconv.Itoa(p.port), "--socket="+filepath.Join(dir, "socket"), "--skip-name-resolve",
			"--pid-file="+filepath.Join(dir, "pid"), "--innodb-buffer-pool-size=32M", "--performance-schema=off")
	}
	p.ask = func(p *process) error {
		db, err := sql.Open("mysql", fmt.Sprintf("root@unix(%s)/", filepath.Join(dir, "socket")))
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }()
		return db.Ping()
	}
	return p, p.start()
}
