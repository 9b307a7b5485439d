package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Lab is a lab that is up. Its methods may be called concurrently, except Down.
type Lab struct {
	dir  dir
	opts Options
	// disk serves the folder that can be frozen; nil if there is none, and in a lab that was opened.
	disk   *os.Process
	diskID string // the kernel's name for it
	// lock is held from Up to Down; it is nil in a lab that was opened.
	lock *os.File
	// down is set once the lab is down: what is up in dir after that is another lab.
	down bool
}

// Up brings up a lab and returns when Slurm counts all its hosts idle. If that fails, or ctx ends, what was begun is
// taken down again, and the error ends with what the logs complain about. A lab that is already up is an error,
// unless o.Replace is set.
func Up(ctx context.Context, o Options) (*Lab, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("cannot bring up the lab: %w", err)
	}
	if missing := Missing(o); len(missing) > 0 {
		return nil, fmt.Errorf("cannot bring up the lab: missing: %s", strings.Join(missing, ", "))
	}
	l := &Lab{dir: dir(o.Dir), opts: o}
	err := l.up(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot bring up the lab: %w", err)
	}
	return l, nil
}

// up takes the lock and builds. It keeps the lock only if that worked.
func (l *Lab) up(ctx context.Context) error {
	lock, err := acquire(ctx, l.dir.lock(), l.opts.LockWait)
	if err != nil {
		return err
	}
	if err := l.raise(ctx); err != nil {
		return errors.Join(err, lock.Close())
	}
	l.lock = lock
	return nil
}

// raise builds the lab where there is none, or one that may be replaced.
func (l *Lab) raise(ctx context.Context) error {
	if err := l.dir.makeRoom(l.opts.Replace); err != nil {
		return err
	}
	err := l.build(ctx)
	if err == nil {
		return nil
	}
	complaints := l.dir.complaints() // before the logs are removed
	return errors.Join(err, complaints, l.Thaw(), l.dir.remove())
}

// build makes the hosts and starts Slurm on them.
func (l *Lab) build(ctx context.Context) error {
	if err := l.lay(ctx); err != nil {
		return err
	}
	if err := l.startHead(ctx); err != nil {
		return err
	}
	if err := each(ctx, l.Hosts(), l.dir.startNode); err != nil {
		return err
	}
	if err := l.WaitIdle(ctx); err != nil {
		return err
	}
	return l.dir.writeReady(l.opts)
}

// lay makes files, hosts and network, in which nothing runs yet.
func (l *Lab) lay(ctx context.Context) error {
	if err := l.dir.prepare(); err != nil {
		return err
	}
	if err := l.dir.writeConf(l.opts); err != nil {
		return err
	}
	if l.opts.Pyxis {
		if err := l.dir.buildPyxis(ctx); err != nil {
			return err
		}
	}
	if l.opts.Disk != "" {
		if err := l.mountDisk(ctx); err != nil {
			return err
		}
	}
	if err := l.dir.makeGPUs(l.opts.GPUs); err != nil {
		return err
	}
	if err := l.dir.makeBridge(ctx); err != nil {
		return err
	}
	hosts := append(l.Hosts(), head)
	if err := each(ctx, hosts, l.dir.makeHost); err != nil {
		return err
	}
	return l.dir.plug(ctx, hosts)
}

// startHead starts what runs on the head, each daemon after those it needs.
func (l *Lab) startHead(ctx context.Context) error {
	if err := l.dir.startMunge(ctx); err != nil {
		return err
	}
	if l.opts.Accounting {
		if err := l.dir.startAccounting(ctx); err != nil {
			return err
		}
	}
	return l.dir.startController(ctx)
}

// each calls do for all hosts at once and returns the first error.
func each(ctx context.Context, hosts []string, do func(context.Context, string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, host := range hosts {
		group.Go(func() error { return do(ctx, host) })
	}
	return group.Wait()
}

// Open returns the lab that is up in dir, as Options.Dir understands it. It takes no lock, so whoever brought the lab
// up may take it down at any time.
func Open(path string) (*Lab, error) {
	d := dir(Dir(path))
	o, err := d.readReady()
	if errors.Is(err, os.ErrNotExist) {
		err = errors.New("no lab is up there")
	} else if err == nil && !d.alive() {
		err = errors.New("it is dead: take it down")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the lab in %s: %w", d, err)
	}
	return &Lab{dir: d, opts: o}, nil
}

// Env returns what a process on the machine needs in its environment to use the cluster.
func (l *Lab) Env() []string { return l.dir.env() }

// Hosts returns the hosts' names in order: gpu1, gpu2, ….
func (l *Lab) Hosts() []string { return hostNames(l.opts.Hosts) }

// Shared returns a directory that the machine and all hosts see, and anyone may write to. It ends with the lab.
func (l *Lab) Shared() string { return l.dir.path("shared") }

// seenByHosts returns wd, or / if only the machine has it.
func seenByHosts(wd string) string {
	if strings.HasPrefix(wd+"/", "/tmp/") {
		return "/"
	}
	return wd
}

// Command prepares a command on a host, or on the machine if host is "", with Env set. It runs in the caller's working
// directory, or in / where that lies below /tmp, which no host shares; setting Dir has no effect on a host. The end of
// ctx kills the command, and not what it started. An unknown host is reported when the command is started.
func (l *Lab) Command(ctx context.Context, host string, argv ...string) *exec.Cmd {
	wd, err := os.Getwd()
	if err == nil && host != "" {
		err = l.checkHost(host)
		wd = seenByHosts(wd)
	}
	cmd := l.dir.command(ctx, host, wd, argv...)
	if err != nil {
		cmd.Err = err
	}
	return cmd
}
