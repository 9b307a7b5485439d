package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/test/check"
)

// examinedPlan is a plan in its run directory whose roles start programs of the test's.
func examinedPlan(t *testing.T) plan.Plan {
	t.Helper()
	dir := t.TempDir()
	p := testPlan(t, "")
	p.Schema, p.RunDir, p.Cluster.Interface = 1, filepath.Join(dir, "run"), "lo"
	p.Agent, p.Checkout = program(t, dir, "agent", "exit 0"), dir
	p.Cluster.Env = map[string]string{"PATH": dir + `:{{.Env "PATH"}}`}
	gen := p.Recipe.Roles[roles.Gen]
	gen.MPI = true
	gen.Wrapper = []recipe.Arg{{Words: "launch"}}
	gen.Command = []recipe.Arg{{Words: "bind -m 0"}, {Text: "serve"}, {Text: "{{.Host}}"}}
	p.Recipe.Roles[roles.Gen] = gen
	bench := p.Recipe.Roles[roles.Benchmark]
	bench.Command = []recipe.Arg{{Words: "python3 -m tests -v"}, {Text: "--all"}}
	p.Recipe.Roles[roles.Benchmark] = bench
	if err := rundir.Create(p, rundir.Start{}); err != nil {
		t.Fatal(err)
	}
	return p
}

// program writes a shell script into a folder.
func program(t *testing.T, dir, name, script string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	check.Script(t, file, "#!/bin/sh\n"+script+"\n")
	return file
}

// examiner looks at this host for a plan.
func examiner(p plan.Plan, node string, nodes int) Examiner {
	return Examiner{
		PlanFile: rundir.Dir(p.RunDir).Plan(), PlanID: p.ID, Nodes: nodes, Node: node, Version: "1",
		Environ:      os.Environ(),
		LauncherVars: LauncherVars{Patterns: []string{"JOB_*"}},
		Identify: func(plan.Plan) (scheduler.Identity, error) {
			return scheduler.Identity{JobVar: "JOB_ID", JobID: "7"}, nil
		},
	}
}

// What a role's commands start is tried: what launches something else is only looked for, a module is imported, any
// other program says what it can do, as no rank of an MPI job.
func TestExaminePrograms(t *testing.T) {
	t.Setenv("JOB_ID", "7")
	p := examinedPlan(t)
	program(t, p.Checkout, "launch", "exit 9")
	program(t, p.Checkout, "serve", `test "$1" = --help && test -z "$JOB_ID" || { echo no >&2; exit 3; }`)
	program(t, p.Checkout, "python3", `echo "$*" | grep -q 'import_module.* tests$' && echo "No module named tests"
exit 1`)
	e, err := examiner(p, "n1", 1).Run(t.Context())
	if err != nil || e.NoPlan != "" {
		t.Fatal(err, e.NoPlan)
	}
	got := map[string]protocol.Program{}
	for _, program := range e.Programs {
		got[program.Name] = program
	}
	in := func(name string) string { return filepath.Join(p.Checkout, name) }
	for _, want := range []protocol.Program{
		{Name: "launch", Role: "GEN", Path: in("launch")}, {Name: "bind", Role: "GEN"},
		{Name: "serve", Role: "GEN", Path: in("serve")},
		{Name: "python3 -m tests", Role: "BENCHMARK", Path: in("python3"),
			Fault: "No module named tests (it ended with code 1)"},
	} {
		if got[want.Name] != want {
			t.Errorf("%+v, want %+v", got[want.Name], want)
		}
	}
	if len(got) != 4 || e.Contents["agent"].Digest == "" || e.Contents["checkout"].Digest == "" ||
		e.Address != "127.0.0.1" ||
		e.At.IsZero() || e.Arch == "" {
		t.Errorf("%+v", e)
	}
}

// Nodes find each other in the run directory, and reach each other.
func TestExaminersMeet(t *testing.T) {
	p := examinedPlan(t)
	found := make([]protocol.Examination, 2)
	var all sync.WaitGroup
	for i := range found {
		all.Go(func() {
			x := examiner(p, fmt.Sprintf("n%d", i+1), 2)
			x.meet(t.Context(), &found[i], p)
		})
	}
	all.Wait()
	for i, e := range found {
		other := fmt.Sprintf("n%d", 2-i)
		if why, met := e.Reach[other]; !met || why != "" || len(e.Met) != 1 || e.NoAddress != "" {
			t.Errorf("%+v", e)
		}
	}
}

// A node that is alone says so, and one without the interface says which.
func TestExaminerIsAlone(t *testing.T) {
	p := examinedPlan(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var e protocol.Examination
	if examiner(p, "n1", 2).meet(ctx, &e, p); len(e.Met) != 0 || len(e.Reach) != 0 || e.Address == "" {
		t.Errorf("%+v", e)
	}
	p.Cluster.Interface = "none7"
	if examiner(p, "n1", 2).meet(ctx, &e, p); !strings.Contains(e.NoAddress, "none7") {
		t.Errorf("%+v", e)
	}
}

// Without the plan, or with another one, there is nothing but that to tell.
func TestExamineWithoutPlan(t *testing.T) {
	p := examinedPlan(t)
	other := examiner(p, "n1", 1)
	other.PlanID = "other"
	none := examiner(p, "n1", 1)
	none.PlanFile = "/none/plan.json"
	none.Identify = func(plan.Plan) (scheduler.Identity, error) { return scheduler.Identity{}, errors.New("no job") }
	for want, x := range map[string]Examiner{"another plan is there": other, "no such file": none} {
		e, err := x.Run(t.Context())
		if err != nil || !strings.Contains(e.NoPlan, want) || len(e.Contents)+len(e.Programs) != 0 {
			t.Errorf("%v, %+v", err, e)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Error(err)
		}
	}
}
