package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/bench"
)

const startRounds = 60

// tellTime prints when this program began.
func tellTime() { fmt.Println(time.Now().UnixNano()) }

// startOverhead compares how long it takes until a child runs with a bare fork and exec.
func startOverhead(dir string, table *bench.Table) error {
	s, err := supervisor.New()
	if err != nil {
		return err
	}
	defer s.Close()
	env := append(os.Environ(), childVar+"=clock")
	var ours, bare, extra []time.Duration
	for i := range startRounds {
		b, err := bareStart(env)
		if err != nil {
			return err
		}
		o, err := supervisedStart(s, env, filepath.Join(dir, fmt.Sprintf("start-%d.log", i)))
		if err != nil {
			return err
		}
		ours, bare, extra = append(ours, o), append(bare, b), append(extra, o-b)
	}
	e := bench.Median(extra)
	table.Add(bench.Row{
		Measure: "start to exec, over fork and exec", Figure: bench.Short(bench.Median(ours)),
		Baseline: bench.Short(bench.Median(bare)),
		Ratio:    "+" + bench.Short(e), Goal: "+5ms", Met: e < 5*time.Millisecond,
	})
	return nil
}

func bareStart(env []string) (time.Duration, error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = env
	begun := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	return since(begun, out)
}

func supervisedStart(s *supervisor.Supervisor, env []string, log string) (time.Duration, error) {
	begun := time.Now()
	f, err := openLog(log)
	if err != nil {
		return 0, err
	}
	p := s.Start(supervisor.Spec{
		Argv: []string{os.Args[0]}, Env: env, Output: logtee.Options{Log: f}, DiesWithParent: true,
	})
	<-p.Done()
	out, err := os.ReadFile(log)
	if err != nil {
		return 0, err
	}
	return since(begun, out)
}

func since(begun time.Time, printed []byte) (time.Duration, error) {
	ns, err := strconv.ParseInt(strings.TrimSpace(string(printed)), 10, 64)
	return time.Duration(ns - begun.UnixNano()), err
}

const (
	stormSize   = 300
	sweepRounds = 10
)

// forkMany starts so many processes, each in a session of its own, and waits.
func forkMany(count string) {
	n, _ := strconv.Atoi(count)
	for range n {
		cmd := exec.Command("sleep", "600")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Println("ready")
	select {}
}

// killTree measures how long it takes to end a tree of many processes that left its group, without any patience.
func killTree(dir string, table *bench.Table) error {
	s, err := supervisor.New()
	if err != nil {
		return err
	}
	defer s.Close()
	var took []time.Duration
	for i := range sweepRounds {
		log := filepath.Join(dir, fmt.Sprintf("tree-%d.log", i))
		f, err := openLog(log)
		if err != nil {
			return err
		}
		p := s.Start(supervisor.Spec{
			Argv: []string{os.Args[0], strconv.Itoa(stormSize)}, Env: append(os.Environ(), childVar+"=storm"),
			Output: logtee.Options{Log: f},
		})
		for out := []byte(nil); !bytes.Contains(out, []byte("ready")); out, _ = os.ReadFile(log) {
			time.Sleep(5 * time.Millisecond)
		}
		begun := time.Now()
		p.Stop("measured")
		<-p.Done()
		took = append(took, time.Since(begun))
		if o := p.Outcome(); len(o.Survivors) > 0 {
			return fmt.Errorf("%d processes survived the tree kill", len(o.Survivors))
		}
	}
	m := bench.Median(took)
	table.Add(bench.Row{
		Measure: fmt.Sprintf("tree kill of %d processes", stormSize), Figure: bench.Short(m),
		Goal: "< 200ms", Met: m < 200*time.Millisecond,
	})
	return nil
}
