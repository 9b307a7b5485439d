package supervisor_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/supervisor"
)

// bound is how long anything may take that should happen at once.
const bound = 20 * time.Second

// child is a supervised child of a test.
type child struct {
	*supervisor.Process
	t     *testing.T
	log   string
	ready chan struct{} // closed when it has printed "ready"
}

// run starts one of this binary's programs.
func run(t *testing.T, s *supervisor.Supervisor, change func(*supervisor.Spec), name string, args ...string) *child {
	t.Helper()
	c := &child{t: t, log: filepath.Join(t.TempDir(), "child.log"), ready: make(chan struct{})}
	var once sync.Once
	spec := supervisor.Spec{
		Argv: append([]string{os.Args[0]}, args...), Env: append(os.Environ(), childVar+"="+name),
		Output: logtee.Options{
			Log:    open(t, c.log),
			Sealed: func() error { return os.WriteFile(strings.TrimSuffix(c.log, ".log")+".done", nil, 0o600) },
			OnLine: func(l logtee.Line) {
				if l.Text == "ready" {
					once.Do(func() { close(c.ready) })
				}
			},
		},
		StopPolicy: supervisor.StopPolicy{Budget: bound, Grace: bound},
	}
	if change != nil {
		change(&spec)
	}
	c.Process = s.Start(spec)
	return c
}

// open opens a child's log.
func open(t *testing.T, file string) *os.File {
	t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (c *child) awaitReady() {
	c.t.Helper()
	select {
	case <-c.ready:
	case <-time.After(bound):
		c.t.Fatal("the child is not ready")
	}
}

// awaitState waits until the child is in a state of proc(5).
func (c *child) awaitState(state byte) {
	c.t.Helper()
	for deadline := time.Now().Add(bound); ; time.Sleep(time.Millisecond) {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PID()))
		if i := bytes.LastIndexByte(stat, ')'); i >= 0 && len(stat) > i+2 && stat[i+2] == state {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the child is not in state %c: %s", state, stat)
		}
	}
}

func (c *child) outcome() supervisor.Outcome {
	c.t.Helper()
	select {
	case <-c.Done():
		return c.Outcome()
	case <-time.After(bound):
		c.t.Fatal("the child is not done")
		return supervisor.Outcome{}
	}
}

func (c *child) output() string {
	c.t.Helper()
	data, err := os.ReadFile(c.log)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}
