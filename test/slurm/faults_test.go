package slurm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/check"
	"github.com/disagg/disagg/test/lab"
	"github.com/disagg/disagg/test/tool"
)

// repeats is how often each fault is tried: `make faults` tries 20 times.
var repeats = flag.Int("repeat", 1, "how often each fault is tried")

// bound is what a time is held to whose goal is given. The goal itself is for the series, on a machine that does
// nothing else. A single try may share its machine: it shows that nobody waited for what comes far later.
func bound(goal time.Duration) time.Duration {
	if *repeats > 1 {
		return goal
	}
	return 3 * goal
}

// killWait is the lab's time from Slurm's TERM to its KILL.
const killWait = 10 * time.Second

// fault is one way in which a job can end, and what must be said of it.
type fault struct {
	name    string
	sim     string                   // SIM_FAULTS
	env     []string                 // of the submission, and so of the job
	flags   []string                 // of disagg-submit
	profile string                   // added to the sim's profile
	recipe  func(text string) string // changes the recipe trtllm-serve
	// "started", "measuring" or "submitted": what must be before act; "": there is no act
	when string
	act  func(*job)
	heal func(*cluster) error // what act has broken
	away string               // a host that is out of reach afterwards
	both bool                 // the kind of process tracking matters

	verdict protocol.Verdict
	cause   string        // how the first cause begins: who, on which host, what kind; "" if there is none
	detail  string        // what it must say
	screen  []string      // lines of the failure screen, as patterns
	state   string        // the job's, in sacct
	step    string        // a step's name, state and code in sacct: 22.05 shows codes from 128 on less 128
	within  time.Duration // from the cause until nothing is left; 3 s if 0
	joining bool          // ranks fall or are stopped while others join MPI: a launcher may wait until it is killed
	// mute says that the scheduler may kill the hub before it can give a verdict: whoever asks next says so. That is
	// rare, and so not accepted twice in a row.
	mute bool
}

const loading = "SIM_STARTUP_SECONDS=300" // for ever

func live(text string) string {
	const probe = "live: {url: 'http://{{.Address}}/health'"
	return strings.ReplaceAll(text, probe, probe+", period: 300ms, timeout: 200ms, failures: 2")
}

// faults is every way that is tried. The case has GEN_0 with four ranks on gpu1, CTX_0 and CTX_1 with two each on gpu2
// and gpu3; coordinator and benchmark are on gpu1.
func faults() []fault {
	failed, plain := protocol.Failed, "FAILED 1:0"
	return []fault{
		{name: "nothing", verdict: protocol.Passed, state: "COMPLETED 0:0"},
		{
			name: "decode crashes while it loads", sim: "GEN_0:crash=3@0.2", env: []string{loading}, verdict: failed,
			cause: "GEN_0.0 on gpu1: exited with code 3", detail: "RuntimeError: sim fault", state: plain,
			step: "GEN_0 FAILED 3:0",
		},
		{
			name: "a rank of decode crashes", sim: "GEN_0.2:crash=4@1.5", env: []string{loading}, verdict: failed,
			cause: "GEN_0.2 on gpu1: exited with code 4", state: plain, step: "GEN_0 FAILED 4:0",
		},
		{
			name: "prefill ends early", sim: "CTX_0:exit0@0.2", env: []string{loading}, verdict: failed,
			cause: "CTX_0.0 on gpu2: exited with ", detail: "code 0 before the benchmark was done", state: plain,
			step: "CTX_0 FAILED 1:0",
		},
		{
			name: "a rank of prefill ends early", sim: "CTX_1.1:exit0@1.5", env: []string{loading}, verdict: failed,
			cause: "CTX_1.", state: plain, step: "CTX_1 FAILED 1:0",
		},
		{
			name: "decode is killed", sim: "GEN_0:kill@0.2", env: []string{loading}, verdict: failed,
			cause: "GEN_0.0 on gpu1: exited with code 137", detail: "SIGKILL", state: plain,
			step: "GEN_0 FAILED 1:0", both: true,
		},
		{
			name: "a rank of prefill is killed", sim: "CTX_0.1:kill@1.5", env: []string{loading}, verdict: failed,
			cause: "CTX_0.1 on gpu2: killed by SIGKILL", state: plain, step: "CTX_0 FAILED 9:0",
			both: true,
		},
		{
			name: "a rank of prefill is killed before it joins MPI", sim: "CTX_0.1:kill@0", env: []string{loading},
			verdict: failed, cause: "CTX_0.1 on gpu2: killed by SIGKILL", state: plain, step: "CTX_0 FAILED 9:0",
			joining: true,
		},
		{
			name: "decode crashes in the benchmark", sim: "GEN_0:crash=3@3",
			env: []string{"SIM_STARTUP_SECONDS=0.5", "SIM_REQUEST_SCALE=20"}, verdict: failed,
			cause: "GEN_0.0 on gpu1: exited with code 3", state: plain, step: "GEN_0 FAILED 3:0",
		},
		{
			name: "decode crashes under an older launcher", sim: "GEN_0:launcher-stays; GEN_0:crash=3@0.2",
			env: []string{loading}, verdict: failed,
			cause:  "GEN_0.0 on gpu1: ended, and its launcher went on",
			detail: "RuntimeError: sim fault", state: plain, step: "GEN_0 FAILED 1:0", within: 5 * time.Second,
		},
		{
			name: "prefill is killed under an older launcher in the benchmark",
			sim:  "CTX_0:launcher-stays; CTX_0:kill@3; BENCHMARK:stall",
			env:  []string{"SIM_STARTUP_SECONDS=0.5"}, verdict: failed,
			cause: "CTX_0.0 on gpu2: ended, and its launcher went on", state: plain,
			within: 5 * time.Second,
		},
		{
			// A second after a rank has ended PMIx has Slurm kill all of its step, agents included.
			name: "a rank is killed, and the others take their time", sim: "GEN_0.2:kill@0.2; GEN_0.*:slow-stop=5",
			env: []string{loading}, verdict: failed, cause: "GEN_0.2 on gpu1: killed by SIGKILL", state: plain,
			within: 8 * time.Second,
		},
		{
			name: "the coordinator crashes", sim: "DISAGG_SERVER:crash=5@1", env: []string{"SIM_STARTUP_SECONDS=10"},
			verdict: failed, cause: "DISAGG_SERVER.0 on gpu1: exited with code 5", state: plain,
			step: "DISAGG_SERVER FAILED 5:0",
		},
		{
			name: "the coordinator ends early", sim: "DISAGG_SERVER:exit0@1", env: []string{"SIM_STARTUP_SECONDS=10"},
			verdict: failed, cause: "DISAGG_SERVER.0 on gpu1: exited with code 0", state: plain,
			step: "DISAGG_SERVER FAILED 1:0",
		},
		{
			name: "the benchmark crashes", sim: "BENCHMARK:crash=7@0.2", verdict: failed,
			cause: "BENCHMARK.0 on gpu1: the benchmark exited with code 1", state: plain, step: "BENCHMARK FAILED 1:0",
		},
		{
			name: "requests fail", sim: "BENCHMARK:failed-requests=2", verdict: failed,
			cause: "BENCHMARK.0 on gpu1: the benchmark exited with code 1", state: plain,
		},
		{
			name: "no token comes out", sim: "GEN_0:zero-tokens", verdict: failed, cause: "BENCHMARK.0 on gpu1: ",
			state: plain,
		},
		{
			name: "the benchmark hangs", sim: "BENCHMARK:stall",
			flags: []string{"--time", "2m", "--ready-timeout", "5500ms", "--benchmark-timeout", "7s"}, verdict: failed,
			cause: "BENCHMARK.0 on gpu1: the benchmark ran for more than 7s", state: "FAILED 124:0",
		},
		{
			name: "decode is never ready", sim: "GEN_0:unready",
			flags: []string{"--time", "2m", "--ready-timeout", "5500ms", "--benchmark-timeout", "7s"}, verdict: failed,
			cause: "GEN_0.0 on gpu1: not ready within 5.5s", detail: "503", state: "FAILED 124:0",
		},
		{
			name: "decode does not answer", sim: "GEN_0:hang",
			flags: []string{"--time", "2m", "--ready-timeout", "5500ms", "--benchmark-timeout", "7s"}, verdict: failed,
			cause: "GEN_0.0 on gpu1: not ready within 5.5s", detail: "timeout", state: "FAILED 124:0",
		},
		{
			name: "decode says that it is unhealthy", sim: "GEN_0:unhealthy",
			flags: []string{"--time", "2m", "--ready-timeout", "5500ms", "--benchmark-timeout", "7s"},
			recipe: func(s string) string {
				return strings.Replace(s, "ready: {url: 'http://{{.Address}}/health'}",
					"ready: {url: 'http://{{.Address}}/health', expect: {status: ok}}", 1)
			},
			verdict: failed, cause: "GEN_0.0 on gpu1: not ready within 5.5s: body", detail: "unhealthy",
			state: "FAILED 124:0",
		},
		{
			name: "decode falls silent", sim: "GEN_0:hang@3",
			env: []string{"SIM_STARTUP_SECONDS=0.5", "SIM_REQUEST_SCALE=20"}, recipe: live, verdict: failed,
			cause: "GEN_0.0 on gpu1: its service no longer answers: timeout", state: plain,
		},
		{
			name: "decode stalls", sim: "GEN_0:stall@3",
			env: []string{"SIM_STARTUP_SECONDS=0.5", "SIM_REQUEST_SCALE=20"},
			recipe: func(s string) string {
				// prefill has nothing to do meanwhile
				s = strings.Replace(s, "peers: [GEN]\n", "peers: [GEN]\n    stall: null\n", 1)
				return strings.Replace(s, "    peers: [CTX] ",
					"    stall: {line: 'iter = ', within: 2s}\n    peers: [CTX] ", 1)
			},
			verdict: failed, cause: "GEN_0.0 on gpu1: it makes no progress",
			detail: "no line that matches iter = ", state: plain,
		},
		{
			name: "noise, orphans and slow stops",
			sim: "GEN_0:orphans=3@0.5; GEN_0.1:flood=5; CTX_0:long-line@0.3; CTX_1:binary@0.3; " +
				"DISAGG_SERVER:slow-stop=1; CTX_1:ignore-term",
			verdict: protocol.Passed, state: "COMPLETED 0:0",
		},

		{
			name: "scancel", env: []string{loading}, when: "started", act: func(j *job) { j.scancel(j.id) },
			verdict: protocol.Cancelled, cause: "", detail: "cancelled", state: "CANCELLED",
			within: killWait + 2*time.Second, both: true,
			screen: []string{
				`the whole job was cancelled`,
				`somebody asked for that: stopped by SIGTERM`,
				`again +disagg-submit run --again .*`,
			},
		},
		{
			name: "TERM, as before preemption", env: []string{loading}, when: "started",
			act: func(j *job) { j.scancel("--signal=TERM", j.id) }, verdict: protocol.Cancelled, detail: "cancelled",
			state: plain, step: "GEN_0 FAILED 1:0", both: true,
		},
		{
			name: "TERM to a step", env: []string{loading}, when: "started",
			act: func(j *job) { j.scancel("--signal=TERM", j.step("CTX_1")) }, verdict: protocol.Cancelled,
			cause: "CTX_1.", detail: "cancelled", state: plain, step: "CTX_1 FAILED 1:0", both: true,
			screen: []string{
				`CTX_1\.[01] on gpu3 was cancelled`,
				`somebody asked for that: stopped by SIGTERM`,
				`log +\S+/logs/ranks/CTX_1\.[01]\.log`,
			},
		},
		{
			name: "Slurm warns of the time limit", env: []string{loading}, when: "started",
			act: func(j *job) { j.scancel("--signal=USR1", j.step("BENCHMARK")) }, verdict: failed,
			cause: "the whole job: out of time", state: "FAILED 124:0", both: true,
			screen: []string{
				`the whole job ran out of time`,
				`the scheduler warns that the job's time is nearly over \(SIGUSR1\)`,
			},
		},
		{
			name: "the batch script is killed", env: []string{loading}, when: "started",
			act: func(j *job) { j.scancel("--batch", "--signal=KILL", j.id) }, verdict: protocol.Cancelled,
			detail: "cancelled: the batch script", state: "FAILED 0:9", within: killWait + 2*time.Second, both: true,
			mute: true,
			screen: []string{
				`the whole job was cancelled`,
				`somebody asked for that: the batch script has ended: the scheduler ends .*`,
			},
		},
		{
			name: "kill -9 of an agent", env: []string{loading}, when: "started",
			act: func(j *job) { j.kill9(j.published("CTX_0").PID) }, verdict: failed,
			cause: "CTX_0.0 on gpu2: its agent is lost", state: plain, both: true, within: 5 * time.Second,
			screen: []string{
				`CTX_0.0 on gpu2 vanished`,
				`its agent is lost: its connection broke and was not back within 1s.*`,
				`log +\S+/logs/ranks/CTX_0\.0\.log`,
			},
		},
		{
			name: "kill -9 of a child's leader", env: []string{loading}, when: "started",
			act: func(j *job) { j.kill9(j.childOf("GEN_0")) }, verdict: failed,
			cause: "GEN_0.0 on gpu1: killed by SIGKILL", state: plain, step: "GEN_0 FAILED 9:0",
			both: true,
		},
		{
			name: "kill -9 of the hub", env: []string{loading}, when: "started",
			act: func(j *job) { j.kill9(j.published("BENCHMARK").PID) }, verdict: failed,
			cause: "BENCHMARK.0: lost: it ended without a verdict", state: "FAILED 9:0", both: true,
			within: 5 * time.Second,
			screen: []string{
				`BENCHMARK.0 left no verdict`,
				`it ended without a verdict.*`,
			},
		},

		{
			name: "a host is cut off", env: []string{loading}, when: "started",
			act: func(j *job) { j.must(j.Cut("gpu2")) }, heal: func(c *cluster) error { return c.Heal("gpu2") },
			away: "gpu2", verdict: failed, cause: "host gpu2: lost: all of its agents (2) fell silent",
			detail: "is not reached from gpu1 and gpu3", state: plain,
			screen: []string{
				`host gpu2 vanished`,
				`all of its agents \(2\) fell silent: no sign of life for 2(\.\d)?s, and its host is not reached ` +
					`from .*`,
			},
		},
		{
			name: "a host is lost", env: []string{loading}, when: "started",
			act:  func(j *job) { j.must(j.StopNode("gpu2")) },
			heal: func(c *cluster) error { return c.StartNode("gpu2") }, away: "gpu2", verdict: failed, cause: "CTX_0.",
			detail: "on gpu2: its agent is lost", state: plain,
			screen: []string{
				`CTX_0\.[01] on gpu2 vanished`,
				`its agent is lost: .*`,
			},
		},
		{
			name: "two hosts are cut from each other in the benchmark", sim: "BENCHMARK:stall", when: "measuring",
			act:     func(j *job) { j.must(j.CutBetween("gpu2", "gpu3")) },
			heal:    func(c *cluster) error { return c.HealBetween("gpu2", "gpu3") },
			recipe:  func(s string) string { return strings.Replace(s, "peers: [GEN]\n", "peers: [GEN, CTX]\n", 1) },
			verdict: failed, cause: "CTX_", detail: "cannot reach CTX_", state: plain,
		},
		{
			name: "two hosts are cut from each other before the start", env: []string{loading}, when: "submitted",
			act: func(*job) {}, verdict: failed, cause: "", detail: "its host is not fit: network: gpu", state: plain,
			heal: func(c *cluster) error { return c.HealBetween("gpu2", "gpu3") },
			screen: []string{
				`CTX_[01]\.[01] on gpu[23] is on a host that is not fit`,
				`network: gpu2 cannot reach gpu3 .*`,
			},
		},

		{
			name: "a step cannot start", profile: "mpi: nonsense\n", flags: []string{"--no-doctor"},
			verdict: failed, cause: "",
			detail: "the step ended with code 1 before its agents reached the hub: Couldn't find the " +
				"specified plugin name for mpi/nonsense",
			state: plain,
			screen: []string{
				`\S+ asked Slurm for the MPI type nonsense, which it does not have`,
				`try    set mpi in the profile to one of those that srun --mpi=list shows`,
			},
		},
		{
			name: "no step can start", profile: "srun_args: [--nonsense]\n", verdict: failed,
			cause: "BENCHMARK.0: the step never began", detail: "nonsense", state: "FAILED 127:0",
			screen: []string{
				`BENCHMARK.0 could not run its step`,
				`.*unrecognized option '--nonsense'`,
			},
		},
		{
			name: "a step starts at the second try", env: []string{"FAKE_SRUN=1"}, verdict: protocol.Passed,
			state: "COMPLETED 0:0",
		},
		{
			name: "the installation fails", profile: "install: 'echo no such package; exit 3'\n", verdict: failed,
			cause: "BENCHMARK.0: installing ended on gpu", state: plain,
			screen: []string{
				`BENCHMARK.0 could not prepare its node`,
				`installing ended on gpu\d with code 3: no such package`,
				`log +\S+/attempt-0/logs/install\.log`,
			},
		},
		{
			name: "no disk is free", profile: "preflight: {off: [gpus, gpu_processes], min_disk_mib: 1000000000}\n",
			verdict: failed, cause: "", detail: "its host is not fit: disk", state: plain,
			screen: []string{
				`\S+ on gpu\d is on a host that is not fit`,
				`disk: \d+ MiB free in \S+: want 1000000000 MiB`,
			},
		},
		{
			name: "the engine is not there", flags: []string{"--set", "serve=no-such-program"}, env: []string{loading},
			verdict: failed, cause: "", detail: "exited with code 1", state: plain, joining: true,
			screen: []string{
				`\S+ on gpu\d could not find the program no-such-program; it exited with code 127`,
				`> 1 \| trtllm-llmapi-launch: cannot run no-such-program: No such file or directory`,
				`try    look for it on gpu\d, or in its container: is it on the PATH of the role\?`,
			},
		},
		{
			name: "the benchmark is not there", flags: []string{"--set", "pytest=no-such-program"}, verdict: failed,
			cause: "BENCHMARK.0 on gpu1: never started", state: "FAILED 127:0",
		},
	}
}

// TestFaults makes a job end in every way, and checks what is said of it: verdict, first cause, code in sacct. Nothing
// of it is left, and soon.
func TestFaults(t *testing.T) {
	var table bench.Table
	for _, cgroup := range []bool{true, false} {
		t.Run(fmt.Sprintf("cgroup=%v", cgroup), func(t *testing.T) {
			o := lab.Defaults()
			o.Cgroup, o.KillWait = cgroup, killWait
			c := start(t, o)
			c.fakeSrun(t)
			for _, f := range faults() {
				if !cgroup && !f.both {
					continue
				}
				t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
					var took []time.Duration
					for n := range *repeats {
						took = append(took, f.try(t, c, n))
						if t.Failed() {
							break
						}
					}
					table.Add(bench.Row{
						Measure: fmt.Sprintf("%s, cgroup=%v", f.name, cgroup), Figure: bench.Short(bench.Median(took)),
						Baseline: bench.Short(bench.Percentile(took, 99)),
						Ratio:    fmt.Sprintf("%d of %d", len(took), *repeats), Goal: "right", Met: !t.Failed(),
					})
				})
			}
		})
	}
	if *repeats > 1 {
		fmt.Println("From the first cause until nothing is left: median (OURS) and p99 (BASELINE), and how many tries:")
		if err := table.Print(os.Stdout); err != nil {
			t.Error(err)
		}
	}
}

// fakeSrun puts an srun into a folder that fails once, as pyxis does when steps enter a container at once.
func (c *cluster) fakeSrun(t *testing.T) {
	t.Helper()
	script := `#!/bin/bash
if [ "$DISAGG_SERVING_TYPE" = CTX_1 ] && mkdir "${DISAGG_PLAN%/*}/failed-once" 2>/dev/null; then
  echo "slurmstepd: error: pyxis: unable to open user namespace file: No such file or directory" >&2
  exit 1
fi
exec /usr/bin/srun "$@"
`
	check.Script(t, filepath.Join(c.fake(), "srun"), script)
}

func (c *cluster) fake() string { return filepath.Join(c.Shared(), "fake") }

// try makes the fault happen once and returns how long it took from the first cause until nothing was left.
func (f fault) try(t *testing.T, c *cluster, n int) time.Duration {
	t.Helper()
	runDir := filepath.Join(c.Shared(), "runs", fmt.Sprintf("%s-%d", filepath.Base(t.Name()), n))
	if strings.Contains(f.name, "before the start") {
		if err := c.CutBetween("gpu2", "gpu3"); err != nil {
			t.Fatal(err)
		}
	}
	j := c.submitted(t, runDir, smallCase, f.submitFlags(t, c, runDir), f.environment(c))
	if f.heal != nil {
		defer func() {
			if err := f.heal(c); err != nil {
				t.Error(err)
			}
			c.empty(t, 60)
			if err := c.WaitIdle(t.Context()); err != nil {
				t.Error(err)
			}
		}()
	}
	acted := f.actOn(j)
	gone := f.awaitEnd(j)
	if f.mute && !j.hasVerdict() {
		j.saysNoVerdict()
		f.mute = false
		return f.try(t, c, n+*repeats)
	}
	r := readResult(t, runDir)
	f.judge(t, j, r)
	from := acted
	if r.FirstCause != nil && r.FirstCause.At.After(acted) {
		from = r.FirstCause.At
	}
	within := bound(cmp.Or(f.within, 3*time.Second))
	if f.joining && j.killedOne() {
		within = bound(killWait - time.Second) // agents kill what has not ended 2 s before Slurm does
	}
	took := gone.Sub(from)
	if r.FirstCause != nil && took > within {
		t.Errorf("%v from the cause until nothing was left: want %v\n%s", took, within, j.story())
	}
	return took
}

func (f fault) submitFlags(t *testing.T, c *cluster, runDir string) []string {
	t.Helper()
	write := func(file, text string) string {
		file = runDir + "." + file
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	read := func(file string) string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	flags := append([]string{}, f.flags...)
	profile := filepath.Join(c.examples(), "profiles", "sim.yaml")
	if f.profile != "" {
		text := read(profile)
		if strings.HasPrefix(f.profile, "preflight:") {
			own := regexp.MustCompile(`(?m)^preflight:\n  off: .*\n`)
			text = own.ReplaceAllString(text, "")
		}
		profile = write("profile.yaml", text+f.profile)
	}
	if f.recipe != nil {
		text := read(filepath.Join(tool.Root(), "pkg", "recipe", "builtin", "trtllm-serve.yaml"))
		changed := f.recipe(text)
		if changed == text {
			t.Fatal("the recipe is not changed")
		}
		flags = append(flags, "--recipe", write("recipe.yaml", changed))
	}
	return append(flags, "--profile", profile, "--trtllm-dir", filepath.Join(c.examples(), "sim"))
}

func (f fault) environment(c *cluster) []string {
	env := append([]string{"SIM_FAULTS=" + f.sim}, f.env...)
	if strings.Contains(strings.Join(f.env, " "), "FAKE_SRUN") {
		env = append(env, "PATH="+c.fake()+":"+os.Getenv("PATH"))
	}
	return env
}

// actOn waits for the moment and acts. It returns when that was.
func (f fault) actOn(j *job) time.Time {
	switch f.when {
	case "started":
		j.awaitStarted()
	case "measuring":
		j.awaitPhase(protocol.Measuring)
	}
	at := time.Now()
	if f.act != nil {
		f.act(j)
	}
	return at
}

// story is what the hub, every agent and every rank have logged.
func (j *job) story() string {
	var text strings.Builder
	attempt := string(rundir.Current(rundir.Dir(j.runDir)))
	agents, _ := filepath.Glob(filepath.Join(attempt, "logs", "agents", "*.log"))
	ranks, _ := filepath.Glob(filepath.Join(attempt, "logs", "ranks", "*.log"))
	for _, file := range slices.Concat(agents, ranks, []string{filepath.Join(attempt, "events.ndjson")}) {
		data, err := os.ReadFile(file)
		fmt.Fprintf(&text, "%s: %v\n%s", filepath.Base(file), err, data)
	}
	return text.String()
}

// killedOne tells whether a child that was asked to stop did not end, and was killed.
func (j *job) killedOne() bool {
	logs, _ := filepath.Glob(filepath.Join(string(rundir.Current(rundir.Dir(j.runDir))), "logs", "agents", "*.log"))
	for _, file := range logs {
		data, _ := os.ReadFile(file)
		for line := range bytes.Lines(data) {
			var said struct{ Outcome protocol.Outcome }
			if json.Unmarshal(line, &said) == nil && said.Outcome.StopReason != "" && said.Outcome.Signal == "SIGKILL" {
				return true
			}
		}
	}
	return false
}

func (j *job) hasVerdict() bool { return rundir.HasResult(rundir.Current(rundir.Dir(j.runDir))) }

// saysNoVerdict checks what whoever asks for a job without a verdict is told.
func (j *job) saysNoVerdict() {
	j.t.Helper()
	cmd := j.command(j.t.Context(), "disagg-submit", "watch", j.runDir)
	out, _ := cmd.CombinedOutput()
	said := bytes.Contains(out, []byte("the job ended without a verdict, FAILED"))
	if code := cmd.ProcessState.ExitCode(); code != protocol.ExitFailed || !said {
		j.t.Errorf("the hub was killed: watch ends with %d:\n%s", code, out)
	}
}

// awaitEnd waits until nothing is left where that can be seen, and returns when that was.
func (f fault) awaitEnd(j *job) time.Time {
	j.t.Helper()
	j.await("there is a verdict, and nothing is left", func() bool {
		if !j.hasVerdict() && !f.mute {
			return false
		}
		for _, l := range j.left(j.t) {
			if f.away == "" || !strings.HasPrefix(l, f.away) && !strings.HasPrefix(l, "queue:") {
				return false
			}
		}
		return true
	})
	return time.Now()
}

func (f fault) judge(t *testing.T, j *job, r protocol.Result) {
	t.Helper()
	cause := ""
	if r.FirstCause != nil {
		cause = r.FirstCause.String()
	}
	if r.Verdict != f.verdict || !strings.HasPrefix(cause, f.cause) || !strings.Contains(cause, f.detail) ||
		(cause == "") != (f.verdict == protocol.Passed) {
		t.Errorf("%s: %s; want %s: %s… %s\nsecondary: %v", r.Verdict, cause, f.verdict, f.cause, f.detail, r.Secondary)
	}
	f.judgeScreen(t, j)
	if f.away != "" {
		return // Slurm waits for the host before it says anything
	}
	steps := j.steps(t, j.id)
	if !strings.HasPrefix(steps["job"], f.state) {
		t.Errorf("sacct says of the job: %s, want %s", steps["job"], f.state)
	}
	if name, want, _ := strings.Cut(f.step, " "); f.step != "" && steps[name] != want {
		t.Errorf("sacct says of %s: %s, want %s", name, steps[name], want)
	}
}

// judgeScreen looks for lines of the failure screen.
func (f fault) judgeScreen(t *testing.T, j *job) {
	t.Helper()
	if len(f.screen) == 0 {
		return
	}
	out, err := j.command(t.Context(), "disagg-submit", "report", "--format", "text", j.runDir).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for _, line := range f.screen {
		if !regexp.MustCompile(`(?m)^ +` + line + `$`).Match(out) {
			t.Errorf("no line %q on the screen:\n%s", line, out)
		}
	}
}

// must ends the test if the lab could not do what it was asked for.
func (j *job) must(err error) {
	j.t.Helper()
	if err != nil {
		j.t.Fatal(err)
	}
}
