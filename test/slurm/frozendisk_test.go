package slurm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/tool"
)

// freeze is one moment at which the run directory's file system stops to answer, while a rank is killed.
type freeze struct {
	name    string
	sim     string // SIM_FAULTS
	env     []string
	when    func(*job)
	victim  string // the role whose rank 0 is killed
	verdict protocol.Verdict
	cause   string // how the first cause begins, "" if there is none
}

func freezes() []freeze {
	killed := "CTX_0.0 on gpu2: killed by SIGKILL"
	return []freeze{
		{
			name: "while loading", victim: "CTX_0", env: []string{loading}, when: (*job).awaitStarted,
			verdict: protocol.Failed, cause: killed,
		},
		{name: "while measuring", victim: "CTX_0", env: []string{"SIM_STARTUP_SECONDS=0.5", "SIM_REQUEST_SCALE=20"},
			when:    func(j *job) { j.awaitPhase(protocol.Measuring) },
			verdict: protocol.Failed, cause: killed},
		{
			name: "at the end", victim: "CTX_1", sim: "CTX_1:slow-stop=0.8",
			when: func(j *job) { j.awaitPhase(protocol.Stopping) }, verdict: protocol.Passed,
		},
	}
}

// Bounds from the moment at which a rank is killed.
const (
	stoppedWithin = time.Second     // every other child has ended
	freedWithin   = 3 * time.Second // the job's nodes are free
)

// TestFrozenDisk: a run directory that does not answer holds up neither the decision nor the stop nor the nodes, and
// the verdict reaches whoever waits for it.
func TestFrozenDisk(t *testing.T) {
	o := standard(true)
	o.Disk, o.KillWait = buildDisk(t), killWait
	c := start(t, o)
	var table bench.Table
	for _, f := range freezes() {
		t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
			var stopped, freed []time.Duration
			for n := range *repeats {
				s, e := f.try(t, c, n)
				if stopped, freed = append(stopped, s), append(freed, e); t.Failed() {
					break
				}
			}
			row := func(what string, took []time.Duration, goal time.Duration) {
				p99 := bench.Percentile(took, 99)
				table.Add(bench.Row{
					Measure: fmt.Sprintf("the disk hangs %s: %s", f.name,
						what), Figure: bench.Short(bench.Median(took)), Baseline: bench.Short(p99),
					Ratio: fmt.Sprintf("%d of %d", len(took),
						*repeats), Goal: "<= " + goal.String(), Met: p99 <= goal && !t.Failed(),
				})
			}
			row("all children have ended", stopped, stoppedWithin)
			row("the nodes are free", freed, freedWithin)
		})
	}
	if *repeats > 1 {
		if err := table.Print(os.Stdout); err != nil {
			t.Error(err)
		}
	}
}

func buildDisk(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "labdisk")
	cmd := exec.Command("go", "build", "-o", file, "./test/lab/cmd/labdisk")
	cmd.Dir = tool.Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return file
}

// try freezes the disk once and kills a rank, and returns how long it took until all children had ended, and until the
// nodes were free.
func (f freeze) try(t *testing.T, c *cluster, n int) (stopped, freed time.Duration) {
	t.Helper()
	j := &job{cluster: c, t: t, runDir: filepath.Join(c.Disk(), fmt.Sprintf("%s-%d", filepath.Base(t.Name()), n))}
	args := append([]string{"run", "--launcher", "slurm", "--run-dir", j.runDir}, c.simFlags()...)
	cmd := c.command(t.Context(), "disagg-submit", append(args, c.caseFile(smallCase))...)
	cmd.Env = append(append(cmd.Env, "SIM_FAULTS="+f.sim), f.env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	j.await("there is a plan",
		func() bool { _, err := os.Stat(filepath.Join(j.runDir, "plan.json")); return err == nil })
	f.when(j)
	victim := j.childOf(f.victim)
	j.must(c.Freeze())
	defer func() { j.must(c.Thaw()) }()
	killed := time.Now()
	j.kill9(victim)
	stopped = j.until(killed, "every child has ended", func() bool {
		return !strings.Contains(strings.Join(j.left(t), "\n"), "trtllm")
	})
	late := time.AfterFunc(freedWithin, func() { t.Logf("what still waits, and for what:\n%s", stuckProcesses()) })
	freed = j.until(killed, "the nodes are free", func() bool { return len(j.left(t)) == 0 })
	late.Stop()
	if stopped > bound(stoppedWithin) || freed > bound(freedWithin) { // the disk still hangs
		t.Errorf("all children ended after %v, want %v; the nodes were free after %v, want %v", stopped,
			bound(stoppedWithin), freed, bound(freedWithin))
	}
	f.judge(j, ended, &out)
	return stopped, freed
}

// stuckProcesses lists the threads that a signal does not reach (state D), with where in the kernel they wait, and what
// Slurm runs for its steps.
func stuckProcesses() string {
	var list []string
	files, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*/stat")
	for _, f := range files {
		data, _ := os.ReadFile(f)
		name, state, ok := strings.Cut(string(data), ") ")
		if !ok || state[0] != 'D' && !strings.Contains(name, "slurmstepd") {
			continue
		}
		where, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "wchan"))
		list = append(list, fmt.Sprintf("%s) %c %s", name, state[0], where))
	}
	return strings.Join(list, "\n")
}

func (j *job) until(from time.Time, what string, ok func() bool) time.Duration {
	j.t.Helper()
	j.await(what, ok)
	return time.Since(from)
}

// judge checks what the person who waits is told while the disk hangs, and what is in the run directory afterwards.
func (f freeze) judge(j *job, ended <-chan struct{}, out *bytes.Buffer) {
	j.t.Helper()
	time.AfterFunc(5*time.Second, func() { _ = j.Thaw() }) // a person waits for longer: disks come back
	select {
	case <-ended:
	case <-time.After(40 * time.Second):
		j.t.Fatalf("whoever waits still does after 40 s:\n%s", out)
	}
	text := out.String()
	shown := strings.Replace(f.cause, ": killed by SIGKILL", " was killed (SIGKILL)", 1)
	if !strings.Contains(text, "\n"+string(f.verdict)+": ") || !strings.Contains(text, "\n  "+shown) &&
		f.cause != "" {
		j.t.Errorf("want %s: %s…\n%s", f.verdict, f.cause, text)
	}
	r, err := rundir.ReadResult(rundir.Current(rundir.Dir(j.runDir)))
	if err != nil {
		j.t.Fatalf("%v\n%s", err, text)
	}
	cause := ""
	if r.FirstCause != nil {
		cause = r.FirstCause.String()
	}
	if r.Verdict != f.verdict || !strings.HasPrefix(cause, f.cause) {
		j.t.Errorf("result.json: %s: %s", r.Verdict, cause)
	}
}
