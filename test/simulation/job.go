package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/decide/steps"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// job is one simulated job.
type job struct {
	*world
	scenario Scenario
	plan     plan.Plan
	hosts    []*host
	of       map[roles.Task]*host
	skews    map[*host]time.Duration
	net      *network
	disk     *disk
	hub      *hub
	slurm    *slurm
	agents   map[roles.Task]*agent
	order    []roles.Task // of the plan
	ends     time.Time    // when the job's time is over; zero: not known

	phase                 protocol.Phase
	stopAt                time.Time // when the hub decided to stop
	stopped               map[roles.Task]bool
	lostPoint             bool
	pointsRead            bool      // those of the present measurement
	measuredAt            time.Time // since when it is judged whether there is another; zero: it is not
	released, releaseTold bool      // servers may leave
	// standsStill is until when every machine does: nothing happens meanwhile.
	standsStill time.Time
	fell        map[roles.Role][]roles.Task // roles that fell with others, at about the same time
	result      *protocol.Result
	by          string // who gave the verdict
	judgedAt    time.Time
	overAt      time.Time
	faulty      []string // invariants that are broken
	ports       int      // that services have taken
	starts      map[roles.Role]int
}

// together is how far two ends must lie apart for their order to be known: hosts' clocks are compared by messages whose
// way takes up to 200 ms here.
const together = 200 * time.Millisecond

func newJob(s Scenario, told bool) (*job, error) {
	all, err := plans()
	if err != nil {
		return nil, err
	}
	w := newWorld(s.Seed ^ s.timing<<32)
	w.told = told
	j := &job{
		world: w, scenario: s, plan: all[s.Shape], disk: &disk{w: w}, agents: map[roles.Task]*agent{},
		stopped: map[roles.Task]bool{}, fell: map[roles.Role][]roles.Task{}, skews: map[*host]time.Duration{},
		phase: protocol.Launching, starts: map[roles.Role]int{},
		net: &network{w: w, least: s.least, most: s.most, tail: s.tail, cuts: map[[2]*host]int{}},
	}
	j.plan.Policy.Measurements, j.plan.Gate.Confirm = s.again.times, s.again.confirm
	j.plan.Policy.Keep = s.keep
	if s.ready > 0 {
		j.plan.Timeouts.Ready = roles.Duration(s.ready)
	}
	j.hosts, j.of = place(j.plan)
	for _, h := range j.hosts {
		j.skews[h] = j.between(-2*time.Second, 2*time.Second)
	}
	for _, pl := range j.plan.Layout.Placements {
		for _, t := range pl.Tasks() {
			j.agents[t] = newAgent(j, t, j.of[t])
			j.order = append(j.order, t)
		}
	}
	j.hub = newHub(j, j.agents[roles.Hub()].proc)
	j.slurm = newSlurm(j, j.hosts[0])
	return j, nil
}

// run runs the job to its end.
func (j *job) run() {
	j.begin()
	limit := j.now.Add(j.plan.Timeouts.Job.Std())
	j.world.run(j.isOver, limit)
	j.overAt = j.now
}

// begin has the job's processes started.
func (j *job) begin() {
	late := map[roles.Role]time.Duration{} // steps that Slurm starts later than the others
	for _, pl := range j.plan.Layout.Placements {
		if pl.Role != roles.Hub().Role && j.chance(0.15) {
			late[pl.Role] = j.between(0, 4*time.Second)
		}
	}
	for _, t := range j.order {
		a := j.agents[t]
		a.proc.timer(late[t.Role]+j.between(20*time.Millisecond, 300*time.Millisecond), a.begin)
	}
	j.schedule(protocol.Launching)
}

// isOver tells whether there is a verdict and the batch script may leave.
func (j *job) isOver() bool {
	if j.result == nil {
		return false
	}
	_, leave := j.slurm.machine.Leave(j.now)
	return leave
}

func (j *job) hello(t roles.Task) protocol.Hello {
	a := j.agents[t]
	h := a.proc.host
	hello := protocol.Hello{
		Task: t, Session: t.String(), Node: h.name, Host: h.name, At: a.local(a.dialed), Served: a.machine.Served(),
	}
	if pl, _ := j.plan.Layout.Find(t.Role); pl.FirstOnNode(t.Rank) {
		hello.Listen = h.name + ":1"
	}
	return hello
}

// hostAt is the host of an address that an agent has told.
func (j *job) hostAt(address string) *host {
	name, _, _ := strings.Cut(address, ":")
	return j.hosts[slices.IndexFunc(j.hosts, func(h *host) bool { return h.name == name })]
}

// points is what the benchmark has left.
func (j *job) points() []protocol.Point {
	j.pointsRead = true
	if j.lostPoint {
		return nil
	}
	return []protocol.Point{{Index: 0, Concurrency: j.plan.Case.Load.Concurrency[0]}}
}

// entered notes that the hub is in another phase.
func (j *job) entered(before, phase protocol.Phase) {
	j.tell("phase %s", phase)
	if rankOf(phase) < rankOf(before) {
		j.broken("phase %s comes after %s", phase, before)
	}
	j.phase = phase
	if phase == protocol.Stopping {
		j.stopAt = j.now
		if c := j.hub.machine.Cause(); c != nil {
			j.tell("stops because of %s", c)
		}
	}
	j.schedule(phase)
}

func rankOf(p protocol.Phase) int {
	for i, q := range []protocol.Phase{
		protocol.Launching, protocol.Checking, protocol.Readying, protocol.Measuring, protocol.Stopping, protocol.Over,
	} {
		if p == q {
			return i
		}
	}
	return -1
}

// schedule plants the faults of a phase.
func (j *job) schedule(p protocol.Phase) {
	for _, f := range j.scenario.Faults {
		if f.Phase == p {
			j.after(f.After, func() { j.happen(f) })
		}
	}
}

// started checks that nothing is started after a stop.
func (j *job) started(a *agent) {
	if j.stopped[a.task] {
		j.broken("%s is started after it was told to stop", a.task)
	}
	if a.task.Leader() {
		j.starts[a.task.Role]++
	}
}

func (j *job) toldToStop(t roles.Task) { j.stopped[t] = true }

// workersReady tells whether the coordinator's health page says yes.
func (j *job) workersReady(t roles.Task) bool {
	if t.Role.Kind != roles.Coordinator {
		return true
	}
	for _, o := range j.order {
		if a := j.agents[o]; o.Leader() && isWorker(o.Role) && (!a.child.ready || a.child.over() || a.child.hung) {
			return false
		}
	}
	return true
}

// workersListen tells whether every worker has an address.
func (j *job) workersListen() bool {
	return !slices.ContainsFunc(j.order, func(t roles.Task) bool {
		return t.Leader() && isWorker(t.Role) && !j.agents[t].child.listens()
	})
}

// workersAnswer tells whether every worker answers the coordinator's question for its health: its leader does.
func (j *job) workersAnswer() bool {
	server := j.agents[roles.Task{Role: roles.Role{Kind: roles.Coordinator}}].proc.host
	for _, o := range j.order {
		a := j.agents[o]
		if isWorker(o.Role) && o.Leader() &&
			(!a.child.listens() || a.child.hung || a.proc.host.dead || !j.net.way(server, a.proc.host)) {
			return false
		}
	}
	return true
}

// workersCompute tells whether every rank of every worker takes part: none computes without the others.
func (j *job) workersCompute() bool {
	for _, o := range j.order {
		if a := j.agents[o]; isWorker(o.Role) && (a.child.over() || a.child.hung || a.proc.host.dead) {
			return false
		}
	}
	return true
}

// servesRequests tells whether requests are answered.
func (j *job) servesRequests() bool {
	server := j.agents[roles.Task{Role: roles.Role{Kind: roles.Coordinator}}].child
	return server.listens() && !server.hung && j.workersAnswer() && j.workersCompute() && j.workersReach()
}

// release is the end of the measurement, where servers look for a file that tells of it, as the hub's host does. They
// leave in good order: a launcher lets its ranks go, and ends.
func (j *job) release() {
	j.released = true
	j.agents[roles.Hub()].proc.timer(j.between(0, 200*time.Millisecond), j.lookForRelease)
	for _, pl := range j.plan.Layout.Placements {
		if pl.Role == roles.Hub().Role {
			continue
		}
		seen := j.between(0, 500*time.Millisecond)
		for _, t := range pl.Tasks() {
			after := seen
			if t.Leader() {
				after += j.between(0, 100*time.Millisecond)
			}
			c := j.agents[t].child
			j.agents[t].proc.timer(after, func() {
				if c.reason == "" {
					c.end(0, "", "")
				}
			})
		}
	}
}

// lookForRelease is the hub's host, which tells of the file once it has seen it.
func (j *job) lookForRelease() {
	if j.released && !j.releaseTold {
		j.releaseTold = true
		j.agents[roles.Hub()].send(protocol.Event{Kind: protocol.EventRelease})
	}
}

// workersReach tells whether the workers reach each other, as the transfer of caches needs it.
func (j *job) workersReach() bool {
	for _, t := range j.order {
		for _, o := range j.order {
			if t.Leader() && o.Leader() && isWorker(t.Role) && isWorker(o.Role) && t.Role.Kind != o.Role.Kind &&
				!j.net.way(j.agents[t].proc.host, j.agents[o].proc.host) {
				return false
			}
		}
	}
	return true
}

func isWorker(r roles.Role) bool { return r.Kind == roles.Gen || r.Kind == roles.Ctx }

// vanished lets fall what talked to the children of a host that is gone for ever.
func (j *job) vanished(h *host) {
	for _, t := range j.order {
		if a := j.agents[t]; a.proc.host == h && a.child.started && !a.child.over() {
			j.fellOver(a)
		}
	}
}

// stepEnds is how long after the end of one of its processes PMIx has Slurm end the step, at least: on a quiet machine
// it is 1.0 s.
const stepEnds = 800 * time.Millisecond

// fellOver lets a child that ended before its time take others along.
func (j *job) fellOver(a *agent) {
	begun := j.now
	h := a.proc.host
	if j.scenario.pmix && isWorker(a.task.Role) && !a.child.stuck && !h.dead && j.net.way(h, j.hosts[0]) {
		j.slurm.end(a.task.Role, stepEnds, 1500*time.Millisecond)
	}
	for _, t := range j.order {
		fall, ok := j.scenario.Falls(t, a.task)
		if !ok {
			continue
		}
		other := j.agents[t]
		if fall.Killed && (h.dead || !j.net.way(h, other.proc.host)) {
			continue
		}
		other.child.proc.timer(fall.After, func() {
			c := other.child
			switch {
			case c.over() || c.reason != "":
			case fall.Killed:
				c.end(137, "SIGKILL", "")
			case c.ready || t == roles.Hub():
				if j.now.Sub(begun) < together || j.hub.missesEnd(a) {
					j.fell[t.Role] = append(j.fell[t.Role], a.task)
				}
				c.end(1, "", "")
			}
		})
	}
}

// askedLag is how much later than one step another, or the batch script, may be asked to end, on machines that are
// loaded.
const askedLag = 300 * time.Millisecond

// cancel is scancel: every step and the batch script are asked to end. Slurm has what stands still go on first.
func (j *job) cancel() {
	for _, pl := range j.plan.Layout.Placements {
		j.after(j.between(0, askedLag), func() {
			for _, t := range pl.Tasks() {
				if !j.now.Before(j.standsStill) {
					j.agents[t].proc.goOn()
				}
			}
			j.signal(pl.Role)
		})
	}
	j.after(j.between(0, askedLag), func() {
		j.slurm.step(steps.Asked{Why: "SIGTERM"})
		j.slurm.report(protocol.StepReport{Role: roles.Hub().Role, Cancel: "SIGTERM"})
	})
}

func (j *job) pauseAll(d time.Duration) {
	for _, t := range j.order {
		j.agents[t].proc.pause(d)
		j.agents[t].child.proc.pause(d)
	}
	j.slurm.proc.pause(d)
	if until := j.now.Add(d); until.After(j.standsStill) {
		j.standsStill = until
	}
}

// conclude notes a verdict; only the first counts, as only the first file is kept.
func (j *job) conclude(r protocol.Result, by string) {
	if j.result != nil {
		return
	}
	j.result, j.by, j.judgedAt = &r, by, j.now
	j.tell("verdict by the %s: %s %v", by, r.Verdict, r.FirstCause)
}

func (j *job) broken(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	j.faulty = append(j.faulty, what)
	j.tell("BROKEN: %s", what)
}
