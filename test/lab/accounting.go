package lab

import (
	"context"
	"fmt"
	"os"
)

// databaseOptions make a MariaDB that is small, quick to start, and known only by its socket. Nothing is worth syncing:
// the database ends with the lab. Without grant tables it asks for no password; the folder of the socket is root's.
func (d dir) databaseOptions() []string {
	return []string{
		"--no-defaults", "--user=root", "--datadir=" + d.database(),
		"--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-doublewrite=0",
	}
}

// startAccounting makes a database and starts it, and slurmdbd on top, on the head.
func (d dir) startAccounting(ctx context.Context) error {
	steps := []func(context.Context) error{d.installDatabase, d.startDatabase, d.startSlurmdbd}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return fmt.Errorf("cannot start accounting: %w", err)
		}
	}
	return nil
}

// installDatabase fills the data folder. It takes a few tenths of a second on a tmpfs, so nothing is kept for next
// time.
func (d dir) installDatabase(ctx context.Context) error {
	argv := append([]string{"mariadb-install-db"}, d.databaseOptions()...)
	argv = append(argv, "--skip-test-db", "--skip-name-resolve", "--auth-root-authentication-method=normal")
	_, err := output(d.command(ctx, head, "/", argv...))
	return err
}

// startDatabase starts MariaDB and waits for its socket. It has no background mode, so setsid --fork stands in for one.
func (d dir) startDatabase(ctx context.Context) error {
	argv := append([]string{"setsid", "--fork", "mariadbd"}, d.databaseOptions()...)
	argv = append(argv, "--skip-networking", "--skip-grant-tables", "--socket="+d.databaseSocket(),
		"--pid-file="+d.path("run", "mariadbd.pid"))
	if err := d.daemon(ctx, head, "mariadbd", nil, argv...); err != nil {
		return err
	}
	return d.waitForDaemon(ctx, "mariadbd", func(int) bool {
		_, err := os.Stat(d.databaseSocket())
		return err == nil
	})
}

// startSlurmdbd starts slurmdbd, which makes its tables itself, and waits until it takes connections. slurmdbd.conf has
// no field for a database's socket, but the client library heeds the variable.
func (d dir) startSlurmdbd(ctx context.Context) error {
	env := []string{"SLURM_CONF=" + d.slurmdbdConf(), "MYSQL_UNIX_PORT=" + d.databaseSocket()}
	if err := d.daemon(ctx, head, "slurmdbd", env, "slurmdbd"); err != nil {
		return err
	}
	return d.waitForPort(ctx, "slurmdbd", slurmdbdPort)
}
