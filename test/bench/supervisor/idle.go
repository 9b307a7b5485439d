package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/tool"
)

const (
	idleCase  = "sim_tiny-1b_1k1k_con4_ctx2_tp2_gen1_tp4_eplb0_mtp0_ccb-NIXL"
	idleFor   = 20 * time.Second
	idleStart = time.Minute
)

// idleAgent measures what agents use while their servers serve and nothing happens: memory and time on a processor.
func idleAgent(dir string, table *bench.Table) error {
	if missing := tool.MissingForSim(); missing != "" {
		return errors.New(missing)
	}
	bin, runDir := filepath.Join(dir, "bin"), filepath.Join(dir, "run")
	if err := tool.Build(bin); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	examples := filepath.Join(tool.Root(), "examples")
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "disagg-submit"), "run", "--launcher", "local", "--run-dir",
		runDir,
		"--profile", filepath.Join(examples, "profiles", "sim.yaml"), "--trtllm-dir", filepath.Join(examples, "sim"),
		filepath.Join(examples, "cases", idleCase+".yaml"))
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "SIM_FAULTS=BENCHMARK:stall")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	agents, err := agentsOf(cmd.Process.Pid, runDir)
	if err != nil {
		return err
	}
	hub := slices.IndexFunc(agents, isHub)
	if hub < 0 {
		return errors.New("no agent is the hub")
	}
	all := watchIdle(agents)
	addIdle(table, "the hub, while its benchmark runs", all[hub:hub+1], 20e6, 0.005)
	addIdle(table, "idle agent", slices.Delete(slices.Clone(all), hub, hub+1), 15e6, 0.002)
	return nil
}

// isHub tells whether a process is the agent of BENCHMARK, which reads along with the benchmark and hears all others.
func isHub(pid int) bool {
	env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return strings.Contains("\x00"+string(env), "\x00DISAGG_SERVING_TYPE=BENCHMARK\x00")
}

func addIdle(table *bench.Table, who string, all []use, maxMemory, maxCPU float64) {
	var memory, cpu float64
	for _, u := range all {
		memory, cpu = max(memory, u.memory), max(cpu, u.cpu)
	}
	table.Add(bench.Row{
		Measure: fmt.Sprintf("%s, resident (largest of %d)", who, len(all)), Figure: fmt.Sprintf("%.1f MB", memory/1e6),
		Goal: fmt.Sprintf("< %.0f MB", maxMemory/1e6), Met: memory < maxMemory,
	})
	table.Add(bench.Row{
		Measure: fmt.Sprintf("%s, of a core (busiest of %d)", who, len(all)), Figure: fmt.Sprintf("%.3f %%", 100*cpu),
		Goal: fmt.Sprintf("< %.1f %%", 100*maxCPU), Met: cpu < maxCPU,
	})
}

// agentsOf waits until the benchmark runs, and lists the agents that a launcher has started.
func agentsOf(launcher int, runDir string) ([]int, error) {
	state := filepath.Join(runDir, "current", "state.json")
	for deadline := time.Now().Add(idleStart); ; time.Sleep(100 * time.Millisecond) {
		if data, _ := os.ReadFile(state); strings.Contains(string(data), `"phase": "measuring"`) {
			break
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the servers are not ready within %v: see %s", idleStart, runDir)
		}
	}
	var agents []int
	for _, batch := range children(launcher) { // it plays the batch script, and starts the agents
		agents = append(agents, children(batch)...)
	}
	if len(agents) == 0 {
		return nil, errors.New("the launcher has no agents")
	}
	return agents, nil
}

// children lists the processes that a process has started.
func children(pid int) (pids []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		data, _ := os.ReadFile(f)
		for word := range strings.FieldsSeq(string(data)) {
			child, _ := strconv.Atoi(word)
			pids = append(pids, child)
		}
	}
	return pids
}

// use is what a process uses: memory in bytes, and a share of a core.
type use struct{ memory, cpu float64 }

// watchIdle watches processes for a while.
func watchIdle(pids []int) []use {
	before := make([]time.Duration, len(pids))
	begun := time.Now()
	for i, pid := range pids {
		before[i] = onCPU(pid)
	}
	time.Sleep(idleFor)
	all := make([]use, len(pids))
	for i, pid := range pids {
		all[i] = use{memory: resident(pid), cpu: (onCPU(pid) - before[i]).Seconds() / time.Since(begun).Seconds()}
	}
	return all
}

// onCPU is how long the threads of a process have run: the first field of /proc/<pid>/task/<tid>/schedstat, in
// nanoseconds.
func onCPU(pid int) (sum time.Duration) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, f := range files {
		data, _ := os.ReadFile(f)
		ns, _, _ := strings.Cut(string(data), " ")
		v, _ := strconv.ParseInt(ns, 10, 64)
		sum += time.Duration(v)
	}
	return sum
}

func resident(pid int) float64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize())
}
