// Package watched plays a job as its hub tells of it, second by second, for tests and benchmarks of what people see who
// watch it. Nothing runs: only the journal's entries and state.json come to be, and a verdict if that is wanted.
package watched

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// Job is a job so far. Times are seconds after its begin.
type Job struct {
	Plan    plan.Plan
	Begin   time.Time
	Entries []protocol.Entry
	State   protocol.State

	progress map[roles.Role]protocol.Progress
	written  int // of the entries
}

// New is a job of so many prefill and decode servers, of so many GPUs each, four a node, and a point for each
// concurrency. A run directory that is named is made.
func New(runDir string, begin time.Time, prefill, decode roles.Server, concurrency ...int) (*Job, error) {
	serve, _, err := recipe.Load("trtllm-serve")
	if err != nil {
		return nil, err
	}
	p, err := plan.Build(plan.Input{
		ID: "b7c1a2d4", Recipe: serve, RunDir: runDir, Launcher: "local", Profile: profile.Profile{
			KillWait: roles.Duration(30 * time.Second),
		},
		Case: roles.Case{
			Name:   "gb200_dsr1-fp4_1k1k_con2048_ctx1_tp8_gen1_dep48_eplb0_mtp0_ccb-NIXL",
			TestID: "disagg-e2e-gb200_dsr1-fp4_1k1k_con2048_ctx1_tp8_gen1_dep48_eplb0_mtp0_ccb-NIXL", Mode: "e2e",
			GPUsPerNode: 4, TimeLimit: roles.Duration(2 * time.Hour), Load: roles.Load{
				Concurrency: concurrency,
				PointLoad:   roles.PointLoad{Rounds: 8, InputLength: 1024, OutputLength: 1024},
			},
			Servers: map[roles.Kind]roles.Server{roles.Ctx: prefill, roles.Gen: decode},
		},
	})
	if err != nil {
		return nil, err
	}
	return &Job{
		Plan: p, Begin: begin, progress: map[roles.Role]protocol.Progress{},
		State: protocol.State{Schema: 1, Roles: []protocol.RoleState{}, Points: []protocol.Point{}},
	}, nil
}

// At is a moment of the job.
func (j *Job) At(seconds float64) time.Time {
	return j.Begin.Add(time.Duration(seconds * float64(time.Second)))
}

func (j *Job) add(e protocol.Entry, seconds float64) {
	e.Schema, e.Seq, e.At = 1, len(j.Entries)+1, j.At(seconds)
	j.Entries = append(j.Entries, e)
	j.State.At = e.At
}

// Phase begins a phase.
func (j *Job) Phase(p protocol.Phase, seconds float64) {
	j.State.Phase = p
	j.add(protocol.Entry{Kind: protocol.EntryPhase, Phase: p}, seconds)
}

// Event happens to a rank, on its host.
func (j *Job) Event(kind protocol.EntryKind, t roles.Task, detail string, seconds float64) {
	pl, _ := j.Plan.Layout.Find(t.Role)
	j.add(protocol.Entry{
		Kind: kind, Role: &t.Role, Rank: t.Rank, Host: fmt.Sprintf("n%02d", pl.NodeOf(t.Rank)+1), Detail: detail,
	}, seconds)
}

// Each happens to every rank of some kinds of role.
func (j *Job) Each(kind protocol.EntryKind, seconds float64, kinds ...roles.Kind) {
	for _, k := range kinds {
		for _, pl := range j.Plan.Layout.OfKind(k) {
			for _, t := range pl.Tasks() {
				j.Event(kind, t, "", seconds)
			}
		}
	}
}

// Load brings the job to where its servers load.
func (j *Job) Load() {
	j.Phase(protocol.Launching, 0)
	j.Each(protocol.EntryAttached, 1, roles.Kinds()...)
	j.Phase(protocol.Checking, 2)
	j.Phase(protocol.Readying, 3)
	j.Each(protocol.EntryKind(protocol.EventStarted), 3, roles.Gen, roles.Ctx)
}

// Ready makes a role ready.
func (j *Job) Ready(r roles.Role, seconds float64) {
	delete(j.progress, r)
	j.Event(protocol.EntryKind(protocol.EventReady), roles.Task{Role: r}, "", seconds)
}

// Progress says in state.json how far a role is, and when its last output came.
func (j *Job) Progress(r roles.Role, what string, percent int, output float64) {
	j.progress[r] = protocol.Progress{What: what, Percent: percent, Output: j.At(output)}
	j.State.Roles = j.State.Roles[:0]
	for _, pl := range j.Plan.Layout.Placements {
		rs := protocol.RoleState{Role: pl.Role, Ranks: pl.Ranks, Attached: pl.Ranks, Started: pl.Ranks}
		if p, known := j.progress[pl.Role]; known {
			rs.Progress = &p
		}
		j.State.Roles = append(j.State.Roles, rs)
	}
}

// Measure brings the job to where the benchmark runs.
func (j *Job) Measure(seconds float64) {
	j.Phase(protocol.Measuring, seconds)
	j.Event(protocol.EntryKind(protocol.EventStarted), roles.Hub(), "", seconds)
}

// Point is measured; invalid says why it does not count.
func (j *Job) Point(index int, invalid string, seconds float64) {
	c := j.Plan.Case.Load.Points()[index]
	tpot := 8 + float64(c)/400
	pt := protocol.Point{
		Index: index, Concurrency: c, Successful: 8 * c, Invalid: invalid, Metrics: map[string]float64{
			"token_throughput": 960 * float64(c) / tpot, "mean_ttft": 40 + float64(c)/20, "mean_tpot": tpot,
		},
	}
	j.State.Points = append(j.State.Points, pt)
	j.add(protocol.Entry{Kind: protocol.EntryPoint, Point: &pt}, seconds)
}

// Fail ends a rank that should have gone on.
func (j *Job) Fail(t roles.Task, detail string, seconds float64) {
	pl, _ := j.Plan.Layout.Find(t.Role)
	j.Event(protocol.EntryKind(protocol.EventExited), t, detail, seconds)
	j.State.Cause = &protocol.Cause{
		Role: t.Role, Rank: t.Rank, Host: fmt.Sprintf("n%02d", pl.NodeOf(t.Rank)+1), Kind: protocol.ChildExit,
		Detail: detail, At: j.At(seconds),
	}
	j.Phase(protocol.Stopping, seconds)
}

// Write brings the files of an attempt up to date.
func (j *Job) Write(a rundir.Attempt) error {
	var lines []byte
	for _, e := range j.Entries[j.written:] {
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		lines = append(append(lines, data...), '\n')
	}
	j.written = len(j.Entries)
	f, err := os.OpenFile(a.Events(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(lines)
	state, err2 := json.MarshalIndent(j.State, "", "  ")
	return errors.Join(err, f.Close(), err2, atomicfile.Write(a.State(), state, 0o600))
}
