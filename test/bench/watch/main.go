// Command watch measures what it costs to watch a job of 64 ranks on 16 hosts on a terminal: `make bench-watch`. The
// job is played: its journal has a past of thousands of entries, and both files grow while it is watched.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/terminal"
	"github.com/disagg/disagg/test/tool"
)

const (
	past     = 20_000           // entries before the watch begins
	warm     = 5 * time.Second  // to read them
	measured = 30 * time.Second // of watching
	most     = 2.0              // percent of a core
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "disagg-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := tool.Build(dir); err != nil {
		return err
	}
	runDir := filepath.Join(dir, "run")
	if err := os.Mkdir(runDir, 0o700); err != nil {
		return err
	}
	prefill, decode := roles.Server{Count: 4, GPUs: 4}, roles.Server{Count: 3, GPUs: 16}
	j, err := terminal.NewJob(runDir, time.Hour, prefill, decode, 4, 16)
	if err != nil {
		return err
	}
	defer func() { _ = j.End() }()
	percent, err := watch(j, filepath.Join(dir, "disagg-submit"))
	if err != nil {
		return err
	}
	var table bench.Table
	table.Add(bench.Row{
		Measure: "watch of 64 ranks on 16 hosts, of a core", Figure: fmt.Sprintf("%.2f %%", percent),
		Goal: fmt.Sprintf("< %g %%", most), Met: percent < most,
	})
	if err := table.Print(os.Stdout); err != nil {
		return err
	}
	if !table.Met() {
		return errors.New("a goal was missed")
	}
	return nil
}

// watch watches a job while it goes on, and tells which part of a core that takes, in percent.
func watch(j *terminal.Job, program string) (float64, error) {
	j.Load()
	for i := range past {
		unready(j, float64(i)/10)
	}
	if err := j.Write(); err != nil {
		return 0, err
	}
	cmd := exec.Command(program, "watch", string(j.Dir))
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "XDG_DATA_HOME="+string(j.Dir))
	term, err := terminal.Start(cmd, 120, 40)
	if err != nil {
		return 0, err
	}
	if err := goOn(j, warm); err != nil {
		return 0, err
	}
	begun, before := time.Now(), cpu(term.PID())
	if err := goOn(j, measured); err != nil {
		return 0, err
	}
	used, took := cpu(term.PID())-before, time.Since(begun)
	if err := j.Judge(protocol.Passed, 0); err != nil {
		return 0, err
	}
	if code := term.End(); code != 0 {
		return 0, fmt.Errorf("the watch ended with code %d:\n%s", code, strings.Join(term.Lines(), "\n"))
	}
	return 100 * used.Seconds() / took.Seconds(), nil
}

// unready is what a hub hears most often.
func unready(j *terminal.Job, seconds float64) {
	pl := j.Plan.Layout.Placements[len(j.Entries)%7]
	j.Event(protocol.EntryKind(protocol.EventUnready), roles.Task{Role: pl.Role}, "status: 503 loading", seconds)
}

// goOn lets the job go on: state.json is replaced twice a second, and five entries come.
func goOn(j *terminal.Job, d time.Duration) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		now := time.Since(j.Begin).Seconds()
		for range 5 {
			unready(j, now)
		}
		for i, pl := range j.Plan.Layout.Placements[:7] {
			j.Progress(pl.Role, "weights", (int(now)+i)%100, now)
		}
		if err := j.Write(); err != nil {
			return err
		}
	}
	return nil
}

// cpu is how much time of a processor a process has used.
func cpu(pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if err != nil || len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	const ticks = 100 // a second
	return time.Duration(user+system) * time.Second / ticks
}
