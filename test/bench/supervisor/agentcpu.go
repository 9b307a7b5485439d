package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/tool"
)

// A job of eight ranks on this machine is started so often.
const (
	cpuRounds = 10
	cpuRanks  = 4 // of each of two servers
)

// dirVar names the folder in which children note what they see.
const dirVar = "BENCH_DIR"

// tellParentCPU notes how much CPU time the agent that started this process has used until now, and waits to be
// stopped. The benchmark ends at once, and its job with it.
func tellParentCPU() error {
	role := os.Getenv("DISAGG_SERVING_TYPE")
	if role == "BENCHMARK" {
		return nil
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	used, err := cpuOf(os.Getppid())
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s.%s.%d", role, os.Getenv("DISAGG_RANK"), os.Getpid())
	if err := os.WriteFile(filepath.Join(os.Getenv(dirVar), name), []byte(strconv.FormatInt(int64(used), 10)),
		0o600); err != nil {
		return err
	}
	<-told
	return nil
}

// cpuOf is the CPU time that the threads of a process have used.
func cpuOf(pid int) (total time.Duration, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, errors.New("cannot read the agent's CPU time: the kernel does not tell")
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		var ns int64
		if _, err := fmt.Sscan(string(data), &ns); err != nil {
			return 0, err
		}
		total += time.Duration(ns)
	}
	return total, nil
}

// agentCPU measures what one agent needs from its own exec to that of its child: plan, connection, preflight, files.
func agentCPU(dir string, table *bench.Table) error {
	bin := filepath.Join(dir, "bin")
	if err := tool.Build(bin); err != nil {
		return err
	}
	recipe, kase := filepath.Join(dir, "cpu-recipe.yaml"), filepath.Join(dir, "cpu.yaml")
	job := bench.Job{Gen: 1, Ctx: 1, GPUsPerNode: cpuRanks, GenGPUs: cpuRanks, CtxGPUs: cpuRanks}
	texts := map[string]string{recipe: bench.Recipe(os.Args[0]), kase: job.Case()}
	for name, text := range texts {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	notes := filepath.Join(dir, "cpu-notes")
	if err := os.Mkdir(notes, 0o700); err != nil {
		return err
	}
	for i := range cpuRounds {
		cmd := exec.Command(filepath.Join(bin, "disagg-submit"), "run", "--launcher", "local", "--recipe", recipe,
			"--run-dir",
			filepath.Join(dir, fmt.Sprintf("cpu-run-%d", i)), "--upload",
			"sqlite://"+filepath.Join(dir, "cpu.db"), kase)
		cmd.Env = append(os.Environ(), childVar+"=cpu", dirVar+"="+notes)
		out, err := cmd.CombinedOutput() // the benchmark measures nothing, so the verdict is that it failed
		if !strings.Contains(string(out), "left no result for concurrency") {
			return fmt.Errorf("the job did not run: %w:\n%s", err, out)
		}
	}
	return reportCPU(notes, table)
}

func reportCPU(notes string, table *bench.Table) error {
	files, err := filepath.Glob(filepath.Join(notes, "*"))
	if err != nil {
		return err
	}
	var used []time.Duration
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		ns, err := strconv.ParseInt(string(data), 10, 64)
		if err != nil {
			return err
		}
		used = append(used, time.Duration(ns))
	}
	if want := cpuRounds * (2*cpuRanks + 1); len(used) != want {
		return fmt.Errorf("%d children noted their agent's CPU time, want %d", len(used), want)
	}
	bare, err := bareCPU()
	if err != nil {
		return err
	}
	m := bench.Median(used)
	table.Add(bench.Row{
		Measure:  "CPU time of an agent from its exec to its child's, over a program that does nothing",
		Figure:   bench.Short(m) + " / " + bench.Short(bench.Percentile(used, 99)),
		Baseline: bench.Short(bare), Ratio: fmt.Sprintf("%.1f", float64(m)/float64(bare)),
		Goal: "<= 6ms", Met: m <= 6*time.Millisecond,
	})
	return nil
}

// bareCPU is the CPU time of a Go program that does nothing, which tells how fast this machine is at starting one now.
func bareCPU() (time.Duration, error) {
	var used []time.Duration
	for range cpuRounds * (2*cpuRanks + 1) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVar+"=clock")
		if err := cmd.Run(); err != nil {
			return 0, err
		}
		used = append(used, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	}
	return bench.Median(used), nil
}
