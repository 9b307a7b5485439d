package server

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// Postgres makes a database of a PostgreSQL server, which is started if there is none yet.
func Postgres(t testing.TB) Database {
	t.Helper()
	server, initdb := found("/usr/lib/postgresql/*/bin/postgres", "postgres"),
		found("/usr/lib/postgresql/*/bin/initdb", "initdb")
	if server == "" || initdb == "" {
		t.Skip("PostgreSQL is not installed: apt-get install postgresql")
	}
	p, err := once("postgres", func() (*process, error) { return startPostgres(server, initdb) })
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(passwordVar, password)
	name := "t" + strconv.Itoa(int(databases.Add(1)))
	admin := func(database string) string {
		return fmt.Sprintf("host=%s port=%d user=admin dbname=%s", p.dir, p.port, database)
	}
	run(t, "pgx", admin("postgres"), fmt.Sprintf("create user %s password '%s'", name, password))
	run(t, "pgx", admin("postgres"), fmt.Sprintf("create database %[1]s owner %[1]s", name))
	return Database{
		URL: &url.URL{
			Scheme: "postgres", User: url.User(name), Host: "127.0.0.1:" + strconv.Itoa(p.port), Path: "/" + name,
			RawQuery: "sslmode=disable&password_env=" + passwordVar,
		},
		Driver: "pgx", Admin: admin(name), server: p,
	}
}

// somebody is a user that is not root, as whom a server runs that refuses root; nil: it runs as this one.
func somebody() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: true}, err
}

func startPostgres(server, initdb string) (*process, error) {
	dir, err := os.MkdirTemp("", "postgres-")
	if err != nil {
		return nil, err
	}
	p := &process{name: "postgres", dir: dir}
	if p.port, err = freePort(); err != nil {
		return p, err
	}
	who, err := somebody()
	if err != nil {
		return p, err
	}
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return p, err
		}
	}
	data := filepath.Join(dir, "data")
	as := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: who}
		return cmd
	}
	out, err := as(initdb, "-D", data, "-U", "admin", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync",
		"--encoding=UTF8", "--locale=C").CombinedOutput()
	if err != nil {
		return p, fmt.Errorf("cannot make the database: %w: %s", err, out)
	}
	p.make = func(p *process) *exec.Cmd {
		return as(server, "-D", data, "-p", strconv.Itoa(p.port), "-h", "127.0.0.1", "-k", dir, "-c",
			"shared_buffers=16MB")
	}
	p.ask = func(p *process) error {
		db, err := sql.Open("pgx", fmt.Sprintf("host=%s port=%d user=admin dbname=postgres", dir, p.port))
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }()
		return db.Ping()
	}
	return p, p.start()
}
