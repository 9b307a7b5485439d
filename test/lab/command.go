package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// tool returns the path of a program. Daemons lie in sbin folders, which the PATH of a user may lack.
func tool(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, folder := range []string{"/usr/sbin", "/sbin"} {
		if path, sbinErr := exec.LookPath(filepath.Join(folder, name)); sbinErr == nil {
			return path, nil
		}
	}
	return "", err
}

// command prepares argv to run in folder wd on a host, or on the machine if host is "". A command that cannot be
// prepared fails when it is started.
func (d dir) command(ctx context.Context, host, wd string, argv ...string) *exec.Cmd {
	if host != "" {
		argv = append(d.enter(host, wd), argv...)
	}
	path, err := tool(argv[0])
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Path, cmd.Err, cmd.Dir = path, err, wd
	cmd.Env = append(os.Environ(), d.env()...)
	return cmd
}

// enter is the beginning of a command line that runs its rest on a host. nsenter execs, so the process that is started
// is the one that runs on the host. Joining a mount namespace leads to /, hence --wdns.
func (d dir) enter(host, wd string) []string {
	return []string{"nsenter", "--net=" + d.pin(host,
		"net"), "--uts=" + d.pin(host, "uts"), "--mount=" + d.pin(host, "mnt"),
		"--wdns=" + wd, "--"}
}

func (d dir) env() []string { return []string{"SLURM_CONF=" + d.slurmConf()} }

// output runs cmd and returns what it prints; what it prints on stderr becomes part of the error.
func output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cancelGroup(cmd)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("cannot run %s: %w: %s", strings.Join(cmd.Args, " "), err,
			strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// cancelGroup makes the end of cmd's context end its children too. unshare and mariadb-install-db have some, which
// would wait for ever, on no host where the lab could find them, and keep the pipes open.
func cancelGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// daemon runs a program on a host that puts itself into the background, and returns once it did. Its output goes to
// log/<name>.out: a pipe would stay open in the daemon.
func (d dir) daemon(ctx context.Context, host, name string, env []string, argv ...string) error {
	out, err := os.Create(d.log(name + ".out"))
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := d.command(ctx, host, "/", argv...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot start %s on %s: %w", name, host, err)
	}
	return nil
}
