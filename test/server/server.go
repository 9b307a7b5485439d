// Package server starts real databases for tests: MariaDB, PostgreSQL and OpenSearch, each once a test binary, with its
// own folder and port on the loopback interface, and ends them with it.
//
// Rules:
//   - A server that cannot be started because it is not installed is a skipped test that says what is missing.
//   - A server is ready when it answers, and is ended by its own pid. Nothing of it is left.
//   - Each test gets a database of its own, so that tests do not see each other's rows.
package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// ready is how long a server may take until it answers.
const ready = 90 * time.Second

// process is a server.
type process struct {
	name string
	dir  string
	port int
	make func(p *process) *exec.Cmd // its command, at any time again
	ask  func(p *process) error     // nil if it answers

	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// running are the servers that this test binary has started.
var (
	mu      sync.Mutex
	running []*process
)

// Main runs a package's tests, ends the servers that they have started, and checks that nothing is left.
func Main(m *testing.M) {
	code := m.Run()
	if err := stopAll(); err != nil {
		fmt.Fprintf(os.Stderr, "test/server: %v\n", err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintf(os.Stderr, "test/server: %v\n", err)
		code = 1
	}
	os.Exit(code)
}

// stopAll ends the servers and removes what they stored.
func stopAll() error {
	mu.Lock()
	defer mu.Unlock()
	var errs []error
	for _, p := range running {
		p.stop(syscall.SIGTERM)
		errs = append(errs, os.RemoveAll(p.dir))
	}
	return errors.Join(errs...)
}

// once starts a server if it does not run yet.
func once(name string, start func() (*process, error)) (*process, error) {
	mu.Lock()
	defer mu.Unlock()
	for _, p := range running {
		if p.name == name {
			return p, nil
		}
	}
	p, err := start()
	if p != nil {
		running = append(running, p) // what is left of one that failed is ended too
	}
	return p, err
}

// start starts the server and waits until it answers.
func (p *process) start() error {
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd, p.done = p.make(p), make(chan struct{})
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	p.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL // should this process be killed
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", p.name, err)
	}
	go func(cmd *exec.Cmd, done chan struct{}) { _ = cmd.Wait(); close(done) }(p.cmd, p.done)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(ready)
	for {
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s", p.name, p.tail())
		case <-late:
			return fmt.Errorf("%s does not answer: %s", p.name, p.tail())
		case <-tick.C:
			if p.ask(p) == nil {
				return nil
			}
		}
	}
}

// tail is the end of its log.
func (p *process) tail() string {
	data, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	return string(data[max(0, len(data)-2000):])
}

// stop ends the server with a signal.
func (p *process) stop(sig syscall.Signal) {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// freePort is a port of the loopback interface that nobody has now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// freePortOf is one of a range.
func freePortOf(from, to int) (int, error) {
	for port := from; port <= to; port++ {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no port from %d to %d is free", from, to)
}

// found is the first of some programs that is there, "" if none is.
func found(programs ...string) string {
	for _, p := range programs {
		if files, _ := filepath.Glob(p); len(files) > 0 {
			return files[len(files)-1]
		}
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	return ""
}
