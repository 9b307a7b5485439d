package hub

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/decide"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// A cause that takes the place of another is in state.json at once: it is what is left if the hub is killed.
func TestCauseIsToldAtOnce(t *testing.T) {
	serve, _, err := recipe.Load("trtllm-serve")
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Build(plan.Input{
		ID: "run", Recipe: serve, RunDir: t.TempDir(),
		Case: roles.Case{
			Name: "c", TestID: "t", GPUsPerNode: 4, TimeLimit: roles.Duration(time.Hour),
			Load:    roles.Load{Concurrency: []int{4}, PointLoad: roles.PointLoad{Rounds: 1}},
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 1}, roles.Ctx: {Count: 1, GPUs: 1}},
		},
		Profile: profile.Profile{KillWait: roles.Duration(30 * time.Second)},
	})
	if err != nil {
		t.Fatal(err)
	}
	attempt := rundir.Dir(p.RunDir).Attempt(0)
	if _, err := rundir.OpenAttempt(attempt, "t"); err != nil {
		t.Fatal(err)
	}
	disk := rundir.NewDisk(rundir.DiskOptions{})
	now := time.Now()
	m := decide.New(p, decide.Options{}, now)
	j := newJournal(disk, attempt)
	gen, ctx := roles.Task{Role: roles.Role{Kind: roles.Gen}}, roles.Task{Role: roles.Role{Kind: roles.Ctx}}
	for _, task := range []roles.Task{gen, ctx} {
		m.Step(decide.Attached{Task: task, Hello: protocol.Hello{Task: task, Node: task.String(), At: now}}, now)
	}
	for i, task := range []roles.Task{gen, ctx} { // the second ended a second earlier
		o := protocol.Outcome{Code: 3, EndedAt: now.Add(-time.Duration(i) * time.Second)}
		m.Step(decide.Reported{Task: task, Event: protocol.Event{Kind: protocol.EventExited, Outcome: &o}}, now)
		j.state(m)
	}
	disk.Close(10 * time.Second)
	s, err := rundir.ReadState(attempt)
	if err != nil || s.Cause == nil || s.Cause.Task() != ctx {
		t.Errorf("%v, %v", s.Cause, err)
	}
}

// What children only go on with is written to state.json less often than what happens, and an entry tells of it once a
// minute.
func TestProgressIsBounded(t *testing.T) {
	disk := rundir.NewDisk(rundir.DiskOptions{})
	defer disk.Close(10 * time.Second)
	j := newJournal(disk, rundir.Dir(t.TempDir()).Attempt(0))
	role := roles.Role{Kind: roles.Gen}
	in := control.Inbound{
		Task:  roles.Task{Role: role},
		Event: &protocol.Event{Kind: protocol.EventProgress, Progress: &protocol.Progress{What: "weights", Percent: 1}},
	}
	now := time.Now()
	j.lastState = now
	for i, want := range []int{1, 1, 2} {
		if i == 2 {
			j.told[role] = now.Add(-progressEvery)
		}
		if j.received(in, "n1"); j.seq != want {
			t.Errorf("%d entries, want %d", j.seq, want)
		}
	}
	if d := j.due(now); d != stateEvery {
		t.Errorf("an entry is due after %v", d)
	}
	j.dirty = false
	if d := j.due(now); d != movedEvery {
		t.Errorf("a progress is due after %v", d)
	}
	j.moved = false
	if d := j.due(now); d != mostIdle {
		t.Errorf("nothing is due after %v", d)
	}
}
