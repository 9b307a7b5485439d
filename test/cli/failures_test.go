package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/test/snippets"
	"github.com/disagg/disagg/test/tool"
)

var update = flag.Bool("update", false, "write testdata/failures")

// planted is a fault that a run on this machine ends by.
type planted struct {
	name   string
	faults string   // of the sim engine
	says   string   // name of the snippet that a crash prints
	flags  []string // of run
	after  string   // a line after which run is interrupted
	more   string   // of the profile
}

// crash is a rank that prints a snippet and exits with 1.
func crash(who, says string) planted {
	return planted{name: says, faults: who + ":crash@0.2", says: says}
}

// faults are ways in which runs fail. The first are those which people met who tried the programs for the first time.
func faults() []planted {
	const soon = "--ready-timeout=12s"
	list := []planted{
		{name: "crash while loading", faults: "GEN_0:crash@0.2"},
		{name: "three failed requests", faults: "BENCHMARK:failed-requests=3"},
		{name: "not one token", faults: "GEN_0:zero-tokens"},
		{name: "exit 0 too early", faults: "GEN_0:exit0@0.3"},
		{name: "rank 3 of 4", faults: "GEN_0.3:crash=4@0.3"},
		{name: "kill -9 of a server", faults: "CTX_0:kill@0.3"},
		{name: "never ready", faults: "GEN_0:unready", flags: []string{soon}},
		{name: "hangs", faults: "GEN_0:hang", flags: []string{soon}},
		{name: "Ctrl-C", faults: "GEN_0:unready", after: "servers are loading"},
		{name: "a wrong models_root", more: "models_root: /none/models", flags: []string{"--no-doctor"}},
		{name: "the coordinator crashes", faults: "DISAGG_SERVER:crash=5@0.3"},
		{name: "the client crashes", faults: "BENCHMARK:crash=6"},
		{name: "a benchmark that takes too long", faults: "GEN_0:stall", flags: []string{"--benchmark-timeout=6s"}},
	}
	for _, who := range []string{"GEN_0", "CTX_0", "GEN_0.2", "DISAGG_SERVER"} {
		for _, says := range crashes[who] {
			list = append(list, crash(who, says))
		}
	}
	return list
}

// crashes are what ranks print before they exit.
var crashes = map[string][]string{
	"GEN_0": {
		"cuda-out-of-memory", "cuda-illegal-access", "address-in-use", "- an error of its own", "model-not-found",
		"command-not-found launcher", "trtllm-sizes", "trtllm-kv-cache", "refused-setting", "bus-error",
		"missing-module behind-a-warning", "damaged-weights", "vllm-busy-gpu", "sglang-memory",
	},
	"CTX_0":         {"ucx-transport nixl", "pmi-missing", "missing-library", "disk-full"},
	"GEN_0.2":       {"- the root before several consequences", "missing-weights", "nccl-system", "cuda-no-such-gpu"},
	"DISAGG_SERVER": {"unreadable-yaml", "- an exception group", "dynamo-nats"},
}

// Of every fault the last screen says who is to blame, what happened, and where: each is as it is in testdata/failures.
func TestFailureScreens(t *testing.T) {
	if why := tool.MissingForSim(); why != "" {
		t.Skip(why)
	}
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			got := f.run(t)
			golden := filepath.Join("testdata", "failures", strings.Trim(odd.ReplaceAllString(f.name, "-"), "-")+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("go test -update writes it: %s", diff)
			}
		})
	}
}

var odd = regexp.MustCompile(`[^A-Za-z0-9]+`)

// run runs a small case with the fault, and returns the end of what is shown.
func (f planted) run(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := filepath.Join(dir, "says")
	if f.says != "" {
		s, err := snippets.Named(f.says)
		if err == nil {
			err = os.WriteFile(text, []byte(s.Log), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	} else {
		text = ""
	}
	profile, err := os.ReadFile(filepath.Join(tool.Root(), "examples", "profiles", "sim.yaml"))
	for name, text := range map[string]string{"small.yaml": smallCase, "sim.yaml": string(profile) + f.more + "\n"} {
		if err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args := append([]string{
		"run", "--launcher=local", "--profile=sim.yaml", "--run-dir=run",
		"--trtllm-dir", filepath.Join(tool.Root(), "examples", "sim"),
	}, f.flags...)
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "disagg-submit"), append(args, "small.yaml")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SIM_FAULTS="+f.faults, "SIM_CRASH_TEXT="+text, "XDG_DATA_HOME="+dir, "COLUMNS=400")
	out := &watched{text: f.after, found: func() { _ = cmd.Process.Signal(syscall.SIGINT) }}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err == nil {
		t.Fatalf("the run passed:\n%s", out)
	}
	_, screen, ok := strings.Cut(out.String(), "\nfailed: ")
	if !ok {
		if _, screen, ok = strings.Cut(out.String(), "\ncancelled: "); !ok {
			t.Fatalf("no verdict:\n%s", out)
		}
	}
	checkLine(t, dir, screen)
	return normal(screen, dir)
}

// checkLine checks that the line of the log which the screen names is the one that it marks.
func checkLine(t *testing.T, dir, screen string) {
	t.Helper()
	at := regexp.MustCompile(`(?m)^  log +(\S+):(\d+)$`).FindStringSubmatch(screen)
	marked := regexp.MustCompile(`(?m)^    > +(\d+) \| (.*)$`).FindStringSubmatch(screen)
	if at == nil && marked == nil {
		return
	}
	if at == nil || marked == nil || at[2] != marked[1] {
		t.Fatalf("log %q, marked %q", at, marked)
	}
	text, err := os.ReadFile(filepath.Join(dir, at[1]))
	if err != nil {
		t.Fatal(err)
	}
	number, _ := strconv.Atoi(at[2])
	lines := strings.Split(string(text), "\n")
	if number > len(lines) || !strings.Contains(lines[number-1], strings.TrimSpace(marked[2])) {
		t.Errorf("line %d of the log is not %q", number, marked[2])
	}
}

// watched is output in which a text is waited for.
type watched struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	text  string // "": none
	found func()
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.buf.Write(b)
	if w.text != "" && strings.Contains(w.buf.String(), w.text) {
		w.text = ""
		w.found()
	}
	return n, err
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// normal is a screen without what differs from run to run: times, names of this machine and of its folders, numbers of
// processes and of lines, what the sim engine says before the fault and after it, who was stopped and who ended
// first, and what was measured.
func normal(screen, dir string) string {
	host, _ := os.Hostname()
	for _, r := range []struct{ old, new string }{
		{regexp.QuoteMeta(dir), "DIR"}, {regexp.QuoteMeta(tool.Root()), "ROOT"},
		{`\b` + regexp.QuoteMeta(host) + `\b`, "HOST"},
		{`127\.0\.0\.1:\d+`, "ADDRESS"}, {`port=\d+`, "port=N"}, {`\b\d+(\.\d+)? (ms|s)\b`, "N s"},
		{`, N s later`, ""}, {`\b\d+(\.\d+)?m?s before`, "N s before"}, {`in \d+\.\d+s =`, "in N s ="},
		{`peaked at \S+ [GM]iB`, "peaked at N MiB"}, {`[=]{9,}`, "==="},
		{`(?m)^  (\d+ other ranks were|Another rank was) stopped.*\n\n`, ""},
		{`(?m)^(    [> ]) *\d+ \|`, "$1 |"}, {`\.log:\d+`, ".log:N"},
		{`(?m)^    > (.*\n)(      \|.*\n)+`, "    > $1"},
		{`(?m)^      \| (\[sim\]|\[[\d/]+-[\d:]+\] \[TRT-LLM\] \[I\] (sim_|load|model|disagg|Rank)).*\n`, ""},
		{`(?m)^      \| Loading safetensors checkpoint shards: .*\n`, ""}, // how many there are by then is chance
		{`(?m)^      \|\n`, ""},
		{`\[[\d/]+-[\d:]+\]`, "[TIME]"}, {`(?s)\n +concurrency .*`, "\n"}, {`(?s)\nreport: .*`, "\n"},
		{`(?m)[ \t]+$`, ""},
		// whether the others were ready when a coordinator ends is chance
		{`while the (?:servers were loading|benchmark was running)(; .*\n\n  DISAGG_SERVER)`, "while PHASE$1"},
	} {
		screen = regexp.MustCompile(r.old).ReplaceAllString(screen, r.new)
	}
	if strings.Contains(screen, "ranks/BENCHMARK.0.log") { // its end may have released the others before
		screen = regexp.MustCompile(`  N other ranks were .*\n\n`).ReplaceAllString(screen, "")
	}
	return strings.TrimRight(screen, "\n") + "\n"
}

// smallCase has a decode server of four ranks, a prefill server of one, and two points.
const smallCase = `metadata:
  model_name: sim_tiny_1b
  precision: bf16
  model_dir_name: sim-tiny-1b
  supported_gpus: [SIM]
benchmark:
  mode: e2e
  multi_round: 4
  streaming: true
  concurrency_list: '2 4'
  input_length: 64
  output_length: 16
hardware:
  gpus_per_node: 4
  num_ctx_servers: 1
  num_gen_servers: 1
slurm:
  job_time: 00:10:00
worker_config:
  gen: &worker
    max_batch_size: 64
    max_num_tokens: 128
    tensor_parallel_size: 4
    kv_cache_config: {free_gpu_memory_fraction: 0.8}
    cache_transceiver_config: {backend: NIXL, max_tokens_in_buffer: 4096}
    sim_startup_seconds: 0.5
  ctx:
    <<: *worker
    tensor_parallel_size: 1
`
