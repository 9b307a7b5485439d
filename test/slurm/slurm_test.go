// Package slurm runs the two programs on a real Slurm of virtual hosts, as users do: what only Slurm can show.
package slurm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/lab"
	"github.com/disagg/disagg/test/tool"
)

const (
	smallCase = "sim_tiny-1b_1k1k_con4_ctx2_tp2_gen1_tp4_eplb0_mtp0_ccb-NIXL" // 3 nodes, 10 ranks, 3 points
	shortCase = "short"                                                       // the same with one point
	// 3 nodes, 14 ranks, decode over 2 nodes
	wideCase = "sim_tiny-1b_1k1k_con8_ctx1_dep4_gen1_tep8_eplb0_mtp0_ccb-NIXL"
)

// cluster is a lab with the programs on it.
type cluster struct {
	*lab.Lab
	bin string
}

// start brings up a lab for one test.
func start(t *testing.T, o lab.Options) *cluster {
	t.Helper()
	if missing := tool.MissingForSim(); missing != "" {
		t.Skip(missing)
	}
	c := &cluster{Lab: lab.Start(t, o)}
	c.bin = filepath.Join(c.Shared(), "bin")
	if err := tool.Build(c.bin); err != nil {
		t.Fatal(err)
	}
	// The hosts may not see where the project lies: each has a /tmp of its own.
	if err := os.CopyFS(c.examples(), os.DirFS(filepath.Join(tool.Root(), "examples"))); err != nil {
		t.Fatal(err)
	}
	small, err := os.ReadFile(c.caseFile(smallCase))
	if err != nil {
		t.Fatal(err)
	}
	short := strings.Replace(string(small), "concurrency_list: 4 8 16", "concurrency_list: 4", 1)
	if err := os.WriteFile(c.caseFile(shortCase), []byte(short), 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) examples() string { return filepath.Join(c.Shared(), "examples") }

func standard(cgroup bool) lab.Options {
	o := lab.Defaults()
	o.Cgroup = cgroup
	return o
}

// command prepares one of the programs on the submit host.
func (c *cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, program), args...)
	cmd.Env = append(os.Environ(), c.Env()...)
	cmd.Env = append(cmd.Env, "XDG_DATA_HOME="+c.data(), "SIM_MPI=require")
	return cmd
}

func (c *cluster) data() string { return filepath.Join(c.Shared(), "data") }

func (c *cluster) caseFile(name string) string {
	return filepath.Join(c.examples(), "cases", name+".yaml")
}

func (c *cluster) simFlags() []string {
	return []string{
		"--profile", filepath.Join(c.examples(), "profiles", "sim.yaml"),
		"--trtllm-dir", filepath.Join(c.examples(), "sim"),
	}
}

// submit runs a case to its end and returns its run directory, exit code and what was printed.
func (c *cluster) submit(t *testing.T, runDir, caseName string, env []string,
	flags ...string) (code int, output string) {
	t.Helper()
	args := append([]string{"run", "--launcher", "slurm", "--run-dir", runDir}, c.simFlags()...)
	cmd := c.command(t.Context(), "disagg-submit", append(append(args, flags...), c.caseFile(caseName))...)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func readResult(t *testing.T, runDir string) protocol.Result {
	t.Helper()
	r, err := rundir.ReadResult(rundir.Current(rundir.Dir(runDir)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// steps is what sacct says of a job, by name of the step, once accounting knows of its end.
func (c *cluster) steps(t *testing.T, jobID string) map[string]string {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		out, err := c.Command(t.Context(), "", "sacct", "-n", "-P", "-j", jobID, "-o",
			"JobID,JobName,State,ExitCode,End").Output()
		if err != nil {
			t.Fatal(err)
		}
		steps, running := map[string]string{}, len(out) == 0
		for line := range strings.Lines(string(out)) {
			f := strings.Split(strings.TrimSpace(line), "|")
			name := f[1]
			if !strings.Contains(f[0], ".") {
				name = "job"
			}
			steps[name] = f[2] + " " + f[3]
			// Of a job that ends at once accounting may be told of the beginning when it is over: the state is there
			// before the exit code.
			running = running || f[2] == "RUNNING" || f[2] == "PENDING" || f[2] == "COMPLETING" || f[4] == "Unknown"
		}
		if !running {
			return steps
		}
		if time.Now().After(deadline) {
			t.Fatalf("sacct says after 20 s: %v", steps)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// nothingLeft checks that no process runs on any host and no job is in the queue.
func (c *cluster) nothingLeft(t *testing.T) {
	t.Helper()
	c.empty(t, 10)
}

// empty is nothingLeft with a bound of its own, in seconds.
func (c *cluster) empty(t *testing.T, seconds int) {
	t.Helper()
	deadline := time.Now().Add(time.Duration(seconds) * time.Second)
	for {
		left := c.left(t)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left after %d s: %s", seconds, strings.Join(left, "; "))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (c *cluster) left(t *testing.T) (left []string) {
	t.Helper()
	for _, h := range c.Hosts() {
		procs, err := c.Processes(h)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range procs {
			left = append(left, fmt.Sprintf("%s: %d %s", h, p.PID, p.Cmdline))
		}
	}
	queue, err := c.Command(t.Context(), "", "squeue", "-h").Output()
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.TrimSpace(queue)) > 0 {
		left = append(left, "queue: "+string(queue))
	}
	return left
}

// logs joins the role logs of a run.
func logs(t *testing.T, runDir string) string {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(runDir, "current", "logs"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".log") {
			data, err := os.ReadFile(filepath.Join(runDir, "current", "logs", f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all.Write(data)
		}
	}
	return all.String()
}

func readPlan(t *testing.T, runDir string) plan.Plan {
	t.Helper()
	p, err := rundir.ReadPlan(filepath.Join(runDir, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var mpiLine = regexp.MustCompile(`MPI rank (\d+) of (\d+) on (\S+)`)

// TestMainJob is the main job with both recipes, under both kinds of process tracking, in a run directory whose name
// needs quoting everywhere.
func TestMainJob(t *testing.T) {
	for _, cgroup := range []bool{false, true} {
		t.Run(fmt.Sprintf("cgroup=%v", cgroup), func(t *testing.T) {
			c := start(t, standard(cgroup))
			for _, recipe := range []string{"trtllm-serve", "trtllm-pytest"} {
				for _, name := range []string{smallCase, wideCase} {
					t.Run(recipe+"/"+name[:20], func(t *testing.T) { mainJob(t, c, recipe, name) })
				}
			}
		})
	}
}

func mainJob(t *testing.T, c *cluster, recipe, name string) {
	runDir := filepath.Join(c.Shared(), fmt.Sprintf(`it's "%s" $HOME 17%%j %d`, recipe, len(name)))
	code, out := c.submit(t, runDir, name, nil, "--recipe", recipe)
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	r, p := readResult(t, runDir), readPlan(t, runDir)
	if r.Verdict != protocol.Passed || len(r.Points) != len(p.Case.Load.Concurrency) {
		t.Errorf("%s with %d points", r.Verdict, len(r.Points))
	}
	steps := c.steps(t, r.JobID)
	for _, step := range []string{"job", "batch", "GEN_0", "CTX_0", "DISAGG_SERVER", "BENCHMARK"} {
		if steps[step] != "COMPLETED 0:0" {
			t.Errorf("sacct says of %s: %s", step, steps[step])
		}
	}
	everyRankJoinedMPI(t, p, logs(t, runDir))
	ranksAreWherePlanned(t, p, r)
	c.nothingLeft(t)
	t.Logf("phases: %+v", r.Phases)
}

// everyRankJoinedMPI checks that each rank of each worker says, as MPI told it, which rank it is.
func everyRankJoinedMPI(t *testing.T, p plan.Plan, text string) {
	t.Helper()
	want, got := map[string]int{}, map[string]int{}
	for _, pl := range p.Layout.Placements {
		for rank := range pl.Ranks {
			if pl.Role.Kind.Worker() {
				want[fmt.Sprintf("%d of %d", rank, pl.Ranks)]++
			}
		}
	}
	for _, m := range mpiLine.FindAllStringSubmatch(text, -1) {
		got[m[1]+" of "+m[2]]++
	}
	for rank, n := range want {
		if got[rank] != n {
			t.Errorf("MPI rank %s: %d ranks say so, want %d", rank, got[rank], n)
		}
	}
}

// ranksAreWherePlanned checks that each rank ran on its node, in allocation order.
func ranksAreWherePlanned(t *testing.T, p plan.Plan, r protocol.Result) {
	t.Helper()
	for _, o := range r.Roles {
		pl, _ := p.Layout.Find(o.Role)
		if want := fmt.Sprintf("gpu%d", pl.NodeOf(o.Rank)+1); o.Host != want {
			t.Errorf("%s.%d ran on %s, want %s", o.Role, o.Rank, o.Host, want)
		}
	}
}

// TestUnevenServer: six ranks on nodes of four fill the first node before the second. They are measured twice.
func TestUnevenServer(t *testing.T) {
	c := start(t, standard(false))
	text, err := os.ReadFile(c.caseFile(wideCase))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(c.Shared(), "uneven.yaml")
	uneven := strings.Replace(string(text), "tensor_parallel_size: 8", "tensor_parallel_size: 6", 1)
	if err := os.WriteFile(file, []byte(uneven), 0o644); err != nil {
		t.Fatal(err)
	}
	runDir := filepath.Join(c.Shared(), "run")
	args := append([]string{"run", "--launcher", "slurm", "--repeat", "2", "--run-dir", runDir}, c.simFlags()...)
	if out, err := c.command(t.Context(), "disagg-submit", append(args, file)...).CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	r := readResult(t, runDir)
	ranksAreWherePlanned(t, readPlan(t, runDir), r)
	if len(r.Again) != 1 || len(r.Again[0]) != len(r.Points) || r.Again[0][0].Invalid != "" {
		t.Errorf("measured again: %+v", r.Again)
	}
}

func mustDecode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}
