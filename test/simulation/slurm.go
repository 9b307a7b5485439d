package simulation

import (
	"time"

	"github.com/disagg/disagg/pkg/decide/steps"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// slurm is what the scheduler and the batch script do: the real machine of the steps, and a model of srun.
type slurm struct {
	job     *job
	hub     *hub     // the first: what is known of steps is told to no other
	proc    *process // the batch script
	machine *steps.Machine
	left    map[roles.Role]int // tasks that run
	codes   map[roles.Role]int
	doomed  map[roles.Role]bool // steps that are being ended
	tick    time.Time
}

func newSlurm(j *job, h *host) *slurm {
	s := &slurm{
		job: j, hub: j.hub, proc: &process{w: j.world, host: h}, left: map[roles.Role]int{},
		codes:  map[roles.Role]int{},
		doomed: map[roles.Role]bool{},
	}
	list := []roles.Role{roles.Hub().Role}
	for _, pl := range j.plan.Layout.Placements {
		s.left[pl.Role] = pl.Ranks
		if pl.Role != list[0] {
			list = append(list, pl.Role)
		}
	}
	s.machine = steps.New(list, j.plan.Policy, j.plan.Timeouts.Launch.Std(), j.now)
	return s
}

func (s *slurm) step(in steps.Input) {
	for _, e := range s.machine.Step(in, s.job.now) {
		switch e := e.(type) {
		case steps.Report:
			s.report(e.Report)
		case steps.Conclude:
			s.job.after(s.job.between(time.Millisecond, 50*time.Millisecond), func() { s.conclude(e) })
		case steps.Stop:
			s.job.signal(e.Role)
		case steps.Start:
			s.job.startAnew(e.Role)
		case steps.AskHub:
			s.ask()
		case steps.KillHub:
			s.job.after(s.job.between(10*time.Millisecond, 300*time.Millisecond), s.job.agents[roles.Hub()].killed)
		}
	}
	if at := s.machine.Deadline(); !at.IsZero() && !at.Equal(s.tick) {
		s.tick = at
		s.job.at(at, func() { s.proc.takes(func() { s.step(steps.Tick{}) }) })
	}
}

// report tells the hub what is known of a step, if the hub is there.
func (s *slurm) report(r protocol.StepReport) {
	h := s.hub
	if !h.published && !h.proc.dead {
		s.proc.timer(100*time.Millisecond, func() { s.report(r) })
		return
	}
	s.job.after(s.job.net.delay(s.proc.host, h.proc.host), func() { h.proc.takes(func() { h.stepReport(r) }) })
}

// ask asks the hub for a sign of life.
func (s *slurm) ask() {
	h := s.job.hub
	if h.published && h.proc.dead && !h.proc.host.dead { // its host says that nobody listens
		s.proc.timer(s.job.between(0, 2*time.Millisecond), func() { s.step(steps.HubAnswered{Gone: true}) })
		return
	}
	if !h.published {
		s.proc.timer(0, func() { s.step(steps.HubAnswered{Absent: true}) })
		return
	}
	answered := false
	h.proc.takes(func() { answered = true })
	s.proc.timer(3*time.Second, func() { s.step(steps.HubAnswered{OK: answered && !h.proc.dead}) })
}

// conclude gives the verdict if the hub has left none.
func (s *slurm) conclude(e steps.Conclude) {
	if s.job.hub != s.hub {
		return // that attempt has its verdict
	}
	c := e.Cause
	if known := s.job.hub.known; known != nil { // in state.json
		c = steps.Knew(*known, e.Asked)
	}
	r := protocol.Result{FirstCause: &c}
	r.Verdict, r.ExitCode = protocol.Judge(&c)
	s.job.conclude(r, "batch script")
}

// ended notes the end of an agent, and does what srun does then: a task that was killed takes its step along.
func (s *slurm) ended(a *agent, code int, killed bool) {
	role := a.task.Role
	s.left[role]--
	s.codes[role] = max(s.codes[role], code)
	if killed && s.left[role] > 0 {
		s.end(role, 10*time.Millisecond, 1500*time.Millisecond)
	}
	if s.left[role] > 0 {
		return
	}
	ended := s.job.between(5*time.Millisecond, 100*time.Millisecond)
	if killed && role == roles.Hub().Role { // Slurm may see only at its next look that nothing is left of it
		ended += s.job.between(0, time.Second)
	}
	s.job.after(ended, func() {
		s.proc.takes(func() { s.step(steps.Ended{Role: role, Code: s.codes[role], Began: steps.Yes}) })
	})
}

// says is what a step prints.
func (s *slurm) says(role roles.Role, d protocol.Diagnosis) {
	s.proc.takes(func() { s.step(steps.Said{Role: role, Diagnosis: d}) })
}

// end ends a step after a while, unless that is under way.
func (s *slurm) end(role roles.Role, least, most time.Duration) {
	if s.doomed[role] {
		return
	}
	s.doomed[role] = true
	s.proc.timer(s.job.between(least, most), func() {
		for _, t := range s.job.order {
			if t.Role == role {
				s.job.agents[t].killed()
			}
		}
	})
}
