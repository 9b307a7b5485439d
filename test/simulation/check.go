package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Report is how one simulated job went.
type Report struct {
	Scenario Scenario
	Cause    *protocol.Cause // nil: it passed
	By       string          // who gave the verdict
	Took     time.Duration   // of the whole job, in virtual time
	Stop     time.Duration   // from the decision to stop until it was over
	// First is the first fault that mattered, nil if none did; Named tells whether the verdict names it.
	First *Fault
	Named bool
	// Broken are the invariants that do not hold.
	Broken []string
	Story  []string
}

// Run runs a scenario. The story is kept if it is wanted.
func Run(s Scenario, story bool) (Report, error) {
	j, err := newJob(s, story)
	if err != nil {
		return Report{}, err
	}
	begun := j.now
	j.run()
	r := Report{Scenario: s, By: j.by, Took: j.overAt.Sub(begun), Story: j.story}
	if !j.stopAt.IsZero() {
		r.Stop = j.overAt.Sub(j.stopAt)
	}
	j.check(&r)
	r.Broken, r.Story = j.faulty, j.story
	return r, nil
}

// check checks the invariants at the end of a job.
func (j *job) check(r *Report) {
	if j.result == nil {
		j.broken("there is no verdict after %v", r.Took)
		return
	}
	r.Cause = j.result.FirstCause
	if verdict, code := protocol.Judge(r.Cause); verdict != j.result.Verdict || code != j.result.ExitCode {
		j.broken("the verdict is %s with %d, its cause asks for %s with %d", j.result.Verdict, j.result.ExitCode,
			verdict, code)
	}
	j.checkCause(r)
	j.checkMeasurements(r)
	j.checkTime(r)
	j.checkNotice(r)
	j.checkTold()
}

// checkTold checks that everybody who can be reached is told to stop. Who comes when the others have been told leaves
// because of that, or of a signal, and not because the hub has gone.
func (j *job) checkTold() {
	for _, t := range j.order {
		a := j.agents[t]
		c := j.hub.agents[t]
		if c == nil || c.session.Ended || c.late || j.by != "hub" {
			continue
		}
		reached := !a.proc.dead && !a.proc.host.dead && !a.proc.stopped && j.net.way(a.proc.host, j.hosts[0])
		goesOn := reached && a.machine.Stopped() == "" && !a.machine.Free()
		cameLate := !j.stopAt.IsZero() && c.since.After(j.stopAt)
		if goesOn || cameLate && a.left && !j.stopped[t] && !a.machine.Asked() {
			j.broken("%s was not told to stop", t)
		}
	}
}

// checkMeasurements checks that a job that passed was measured as often as the plan says.
func (j *job) checkMeasurements(r *Report) {
	if wanted := max(j.scenario.again.times, 1); r.Cause == nil && len(j.result.Again) != wanted-1 &&
		!j.scenario.again.confirm {
		j.broken("passed after %d measurements: want %d", len(j.result.Again)+1, wanted)
	}
	if n := len(j.result.Again); j.scenario.again.confirm && (n > 1 || n == 1 && !j.scenario.again.suspicious) {
		j.broken("it was measured %d times", n+1)
	}
}

func (j *job) judge() Judge {
	return Judge{
		scenario: j.scenario, plan: j.plan, of: j.of, StopAt: j.stopAt, JudgedAt: j.judgedAt, MeasuredAt: j.measuredAt,
	}
}

// checkCause checks that the first cause is one of the faults, and whether it is the first that mattered.
func (j *job) checkCause(r *Report) {
	g := j.judge()
	struck := g.Struck()
	r.First = g.First()
	if r.Cause == nil {
		if f := g.HadToShow(); f != nil {
			j.broken("passed, although %s", f)
		}
		r.Named = r.First == nil
		return
	}
	r.Named = r.First != nil && g.Names(r.First, *r.Cause)
	together := func(f *Fault) bool { // which of two was first cannot be known, unless one needs the other
		return !g.needs(r.Cause.Role, f.Task.Role) && j.fellTogether(r.Cause.Role, f.Task.Role)
	}
	if !slices.ContainsFunc(struck, func(f *Fault) bool {
		return g.Names(f, *r.Cause) || together(f) || g.MayStandFor(*r.Cause, f, j.by == "hub")
	}) {
		j.broken("the cause is none of the faults: %s", r.Cause)
	} else if g.Unmistakable(r.First) && !r.Named && !together(r.First) && !g.Undated(r.First, *r.Cause) {
		j.broken("the cause is not the first fault, %s: %s", r.First, r.Cause)
	}
}

// fellTogether tells whether a role fell because of another, at about the same time.
func (j *job) fellTogether(r, because roles.Role) bool {
	return slices.ContainsFunc(j.fell[r], func(t roles.Task) bool { return t.Role == because })
}

// slack is how long what is not part of the budgets may take: noticing that the hub hangs, and ending its step.
const slack = 15 * time.Second

// checkTime checks that the job was over in time.
func (j *job) checkTime(r *Report) {
	g, limits := j.judge(), j.plan.Timeouts
	most := limits.Stop.Std() + limits.Settle.Std() + closeWait + slack
	if took := g.ranBetween(j.stopAt, j.overAt); !j.stopAt.IsZero() && took > most {
		j.broken("it was over %v after it was stopped: want at most %v", took, most)
	}
	if r.Cause != nil && r.Cause.Kind == protocol.HubLost && !j.judgedAt.IsZero() {
		for _, f := range g.Struck() {
			if f.Kind != KillHub && f.Kind != PauseHub {
				continue
			}
			bound := limits.Lost.Std() + most
			if f.Phase == protocol.Launching {
				bound += limits.Launch.Std() // agents look for a hub for so long
			}
			if took := g.ranBetween(f.At, j.overAt); took > bound {
				j.broken("it was over %v after the hub was lost: want at most %v", took, bound)
			}
			break
		}
	}
}

// noticed is how long the end of a process may go unnoticed: an agent must be back within a heartbeat, Slurm ends the
// other tasks of a step within two seconds, and messages are late.
const noticed = 6 * time.Second

// checkNotice checks that the end of a process stops the job at once, unless something else keeps it from being told.
func (j *job) checkNotice(r *Report) {
	f := r.First
	ends := []Kind{Crash, ExitZero, KillChild, KillAgent}
	harmless := append([]Kind{BenchFails, PointIsLost, Stuck}, ends...)
	if f == nil || j.stopAt.IsZero() || !slices.Contains(ends, f.Kind) ||
		slices.ContainsFunc(j.scenario.Faults, func(f *Fault) bool { return !slices.Contains(harmless, f.Kind) }) {
		return
	}
	from := f.At
	if begun := j.agents[roles.Hub()].begun; begun.After(from) {
		from = begun
	}
	if took := j.stopAt.Sub(from); took > noticed {
		j.broken("%s stopped the job only after %v: want at most %v", f, took, noticed)
	}
}

// atOnce is how long it may take until an agent that stops has given up what it had not started yet.
const atOnce = 200 * time.Millisecond

// checkStops checks that an agent that stops waits for nothing but the end of what runs.
func (a *agent) checkStops() {
	if !a.left && !a.child.started && !a.child.done && a.child.begun {
		a.job.broken("%s stops, and waits for what it has not started yet", a.task)
	}
}

// mostLines is how long a story is that people are shown.
const mostLines = 40

// Tell is the story of a scenario in at most 40 lines: what it breaks, what happened around that, what is wrong.
func Tell(s Scenario) string {
	for _, f := range s.Faults {
		f.At = time.Time{}
	}
	run := Run
	if s.keep != "" {
		run = RunSession
	}
	r, err := run(s, true)
	if err != nil {
		return err.Error()
	}
	lines := r.Story
	if cut := len(lines) - (mostLines - 3); cut > 0 {
		head := (mostLines - 3) / 3
		lines = slices.Concat(lines[:head], []string{fmt.Sprintf("           … %d lines …", cut+1)}, lines[head+cut+1:])
	}
	return fmt.Sprintf("%s\n%s\nbroken: %s", s, strings.Join(lines, "\n"), strings.Join(r.Broken, "; "))
}
