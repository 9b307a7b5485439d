package local

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/supervisor"
)

// A step is one agent per rank, each with what a scheduler's task would have, in a process group of its own.
func TestSteps(t *testing.T) {
	p := newPlan(t, `echo "$DISAGG_SERVING_TYPE $DISAGG_RANK $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE," \
		"$OMPI_COMM_WORLD_LOCAL_RANK here"`)
	cmds, err := (&Local{}).Steps(p, roles.Role{Kind: roles.Gen}, []string{"DISAGG_SERVING_TYPE=GEN_0"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, cmd := range cmds {
		if !cmd.SysProcAttr.Setpgid || cmd.SysProcAttr.Pdeathsig != syscall.SIGTERM {
			t.Error("a rank is in the process group of its starter, or outlives it")
		}
		out, err := cmd.Output()
		if err != nil {
			t.Error(err)
		}
		got = append(got, string(out))
	}
	want := []string{
		"GEN_0 0 0 of 4, 0 here\n", "GEN_0 1 1 of 4, 1 here\n", "GEN_0 2 2 of 4, 0 here\n", "GEN_0 3 3 of 4, 1 here\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := (&Local{}).Steps(p, roles.Role{Kind: roles.Ctx}, nil); err == nil {
		t.Error("a role that the case does not have was started")
	}
}

// The nodes are prepared by the agent, if there is anything to prepare.
func TestInstall(t *testing.T) {
	p := newPlan(t, `echo "$1 $X"`)
	l := &Local{}
	if cmd := l.Install(p, nil); cmd != nil {
		t.Errorf("%v", cmd)
	}
	p.Cluster.Install = "pip install x"
	if out, err := l.Install(p, []string{"X=y"}).Output(); string(out) != "install y\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

// The batch script starts the same process as a submission, whatever the paths are.
func TestScript(t *testing.T) {
	p := newPlan(t, `echo "$1 of $DISAGG_PLAN"`)
	p.RunDir = "/a b/$(c)'d"
	script, err := (&Local{}).Script(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.Output(); string(out) != "batch of /a b/$(c)'d/plan.json\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	p.Agent = "a\x00b"
	if _, err := (&Local{}).Script(p); err == nil {
		t.Error("a path that no shell can take was rendered")
	}
}

// A task learns from its environment which rank it is.
func TestIdentify(t *testing.T) {
	for text, want := range map[string]string{
		"3": "", "0": "", "": "to start a role by hand, pass --config", "x": "want a number", "-1": "want a number",
	} {
		id, err := (&Local{}).Identify(func(name string) string {
			return map[string]string{protocol.EnvRank: text}[name]
		}, roles.Placement{})
		if want == "" && (err != nil || text != map[int]string{0: "0", 3: "3"}[id.Rank]) {
			t.Errorf("%q: %+v, %v", text, id, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Of what a step prints the first words of an agent that gives up are kept, and what they mean is told if nobody else
// can know it.
func TestReader(t *testing.T) {
	r := (&Local{}).Reader()
	for _, line := range []string{"loading", "disagg-agent: cannot read plan ", "disagg-agent run: later"} {
		r.Line(line)
	}
	want := protocol.Diagnosis{Line: "disagg-agent: cannot read plan"}
	if got := r.Diagnosis(); got != want || r.Ranks() != nil {
		t.Errorf("%+v, %v", got, r.Ranks())
	}
	r = (&Local{}).Reader()
	for _, line := range []string{"runtime: out of memory", "fatal error: out of memory", "goroutine 1:"} {
		r.Line(line)
	}
	if got := r.Diagnosis().Line; got != "fatal error: out of memory" {
		t.Errorf("of a crash it keeps %q", got)
	}
	for line, want := range map[string]protocol.Meaning{
		protocol.StoppedEarly: protocol.Asked, protocol.NoSignOfLife + " for 5s": protocol.HubSilent,
	} {
		r = (&Local{}).Reader()
		r.Line("disagg-agent: " + line)
		if got := r.Diagnosis().Meaning; got != want {
			t.Errorf("%q means %q, want %q", line, got, want)
		}
	}
}

// This machine has no grace period, no time limit, and one attempt of a job; it can let a job go on.
func TestWhatThisMachineHasNot(t *testing.T) {
	l := &Local{}
	if d, err := l.Grace(t.Context()); d != 0 || err != nil {
		t.Errorf("%v, %v", d, err)
	}
	if at := l.JobEnds(t.Context()); !at.IsZero() {
		t.Error(at)
	}
	id, attempt, err := l.Job()
	if attempt != 0 || err != nil {
		t.Errorf("%d, %v", attempt, err)
	}
	if s, err := l.State(t.Context(), scheduler.Job{ID: id}); s != running || err != nil {
		t.Errorf("this process: %+v, %v", s, err)
	}
	if d, ok := l.Detached().(*Local); !ok || !d.Detach || d.Name() != l.Name() {
		t.Errorf("%+v", d)
	}
}

// A step is named after its only task: it runs, is signalled, and is gone. What is no such name is not known to run.
func TestStep(t *testing.T) {
	l := &Local{}
	for name, end := range map[string]func(string) error{
		"stopped": func(step string) error { return l.StopStep(t.Context(), step) },
		"killed":  func(step string) error { return l.KillStep(t.Context(), step) },
	} {
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		step := stepName(supervisor.MarkOf(cmd.Process.Pid))
		if runs, err := l.StepRuns(t.Context(), step); !runs || err != nil {
			t.Errorf("%s: it does not run: %v", name, err)
		}
		if err := end(step); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = cmd.Wait()
		if runs, err := l.StepRuns(t.Context(), step); runs || err != nil {
			t.Errorf("%s: it runs: %v", name, err)
		}
		if err := end(step); err != nil {
			t.Errorf("%s twice: %v", name, err)
		}
	}
	if _, err := l.StepRuns(t.Context(), "nonsense"); err == nil {
		t.Error("it is known whether nonsense runs")
	}
	if err := l.StopStep(t.Context(), "nonsense"); err == nil {
		t.Error("nonsense was stopped")
	}
	if a, err := l.Allocation(t.Context()); a.Nodes != 0 || a.WorkDir == "" || err != nil {
		t.Errorf("%+v, %v", a, err)
	}
}
