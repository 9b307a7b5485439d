package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

const (
	token = "bench"
	runID = "bench-0"
)

// beHub is the hub's process. It prints its address, and ends when the job is over or its standard input is closed.
func beHub(ctx context.Context, dir string) error {
	p, err := makePlan(dir)
	if err != nil {
		return err
	}
	a := rundir.Dir(p.RunDir).Attempt(0)
	if err := os.MkdirAll(filepath.Join(string(a), "logs"), 0o755); err != nil {
		return err
	}
	server, err := control.Listen(control.ServerOptions{
		Host: "127.0.0.1", Token: token, RunID: runID, Expected: func(roles.Task) bool { return true },
		Heartbeat: p.Timeouts.Heartbeat.Std(), Lost: p.Timeouts.Lost.Std(),
	})
	if err != nil {
		return err
	}
	defer server.Close()
	disk := rundir.NewDisk(rundir.DiskOptions{})
	defer disk.Close(time.Second)
	h := hub.New(hub.Options{Plan: p, Attempt: a, RunID: runID, Server: server, Disk: disk, Log: zap.NewNop()})
	own := server.Local(protocol.Hello{Task: roles.Hub(), Session: "hub", RunID: runID, Node: "hub"})
	go playBenchmark(own)
	fmt.Println(server.Address())
	ctx, cancel := context.WithCancel(ctx)
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
	h.Run(ctx)
	return nil
}

// playBenchmark is the hub's own rank: it starts when it is told to, and ends when it is told to.
func playBenchmark(l control.Link) {
	for d := range l.Commands() {
		switch d.Kind {
		case protocol.CommandStart:
			l.Send(protocol.Event{At: time.Now(), Kind: protocol.EventStarted})
		case protocol.CommandStop:
			o := protocol.Outcome{Started: true, StopReason: d.Reason}
			l.Send(protocol.Event{At: time.Now(), Kind: protocol.EventStopped, Outcome: &o})
			l.Close()
			return
		}
	}
}

// hubProcess is the hub as its agents see it.
type hubProcess struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	address string
}

func startHub(ctx context.Context, dir string) (*hubProcess, error) {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), hubVar+"="+dir), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(errors.New("the hub does not start"), err, in.Close(), cmd.Wait())
	}
	return &hubProcess{cmd: cmd, stdin: in, address: strings.TrimSpace(line)}, nil
}

func (h *hubProcess) end() {
	_ = h.stdin.Close()
	_ = h.cmd.Wait()
}

// standStill stops the hub for a while, and gives it as long to catch up: what came meanwhile waits for it.
func (h *hubProcess) standStill(ctx context.Context, d time.Duration) error {
	for _, signal := range []os.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := h.cmd.Process.Signal(signal); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(d):
		}
	}
	return nil
}

// watchMemory returns the hub's resident memory in bytes after a tenth of the time, at its end, and the most it was.
func (h *hubProcess) watchMemory(ctx context.Context, idle time.Duration) (early, late, most float64, err error) {
	tick := time.NewTicker(idle / 100)
	defer tick.Stop()
	for i := 1; i <= 100; i++ {
		select {
		case <-ctx.Done():
			return 0, 0, 0, context.Cause(ctx)
		case <-tick.C:
		}
		if late, err = resident(h.cmd.Process.Pid); err != nil {
			return 0, 0, 0, err
		}
		if most = max(most, late); i == 10 {
			early = late
		}
	}
	return early, late, most, nil
}

func resident(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := strings.Fields(string(data))
	if err != nil || len(fields) < 2 {
		return 0, errors.Join(errors.New("the hub is gone"), err)
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()), err
}
