package simulation

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Scenario is what a seed draws.
type Scenario struct {
	Seed   uint64
	Shape  int // which of the layouts
	Faults []*Fault

	least, most time.Duration // of a message's way
	tail        float64       // share of messages that TCP has to send again
	load, bench time.Duration
	falls       float64       // chance that a role falls with one that it talks to
	fallAfter   time.Duration // how long after; 0: drawn
	slow        bool          // children take their time to end
	deaf        bool          // what is stuck does not even end
	frees       bool          // what is stuck is freed some time after its end
	pmix        bool          // the scheduler ends the step of a worker of which a process has ended
	timing      uint64        // other times of all that takes a while; 0: those of the seed
	again       again
	keep        plan.Keep     // whether servers are kept
	ready       time.Duration // that servers have to be ready; 0: as the plan says
}

// again is whether the same servers are measured more than once.
type again struct {
	times      int  // as the plan says; 0: once
	confirm    bool // the first measurement is compared with earlier runs
	suspicious bool // that says that it is to be measured a second time
}

// drawAgain draws that: every second job is measured once.
func (s Scenario) drawAgain() (a again) {
	if shapes[s.Shape].leave {
		return a // its servers end with the benchmark
	}
	switch lot := s.lot("measurements"); lot.IntN(4) {
	case 0:
		a.times = 2 + lot.IntN(2)
	case 1:
		a.confirm, a.suspicious = true, lot.IntN(2) == 0
	}
	return a
}

// Draw draws a scenario with so many faults.
func Draw(seed uint64, faults int) (Scenario, error) {
	all, err := plans()
	if err != nil {
		return Scenario{}, err
	}
	rng := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // no secret
	s := Scenario{
		Seed: seed, Shape: rng.IntN(len(shapes)), least: 50 * time.Microsecond, most: 500 * time.Microsecond,
		load:  time.Second + time.Duration(rng.Int64N(int64(3*time.Second))),
		bench: 2*time.Second + time.Duration(rng.Int64N(int64(6*time.Second))), falls: rng.Float64() * 0.6,
		slow: rng.IntN(4) == 0,
	}
	s.deaf, s.frees = s.lot("deaf").IntN(2) == 0, s.lot("frees").IntN(2) == 0
	switch rng.IntN(4) { // the network: good, far, lossy
	case 0:
		s.most = 200 * time.Millisecond
	case 1:
		s.tail = 0.05
	}
	var tasks []roles.Task
	for _, pl := range all[s.Shape].Layout.Placements {
		tasks = append(tasks, pl.Tasks()...)
	}
	for range faults {
		s.Faults = append(s.Faults, drawFault(rng, tasks))
	}
	if rng.IntN(4) == 0 && faults > 1 { // soon after one another: who was first is what counts then
		first := s.Faults[0]
		for _, f := range s.Faults[1:] {
			if ofBenchmark := f.Kind == BenchFails || f.Kind == PointIsLost; !ofBenchmark {
				f.Phase = first.Phase
			}
			f.After = first.After + time.Duration(rng.Int64N(int64(time.Second))).Round(time.Millisecond)
		}
	}
	s.again, s.pmix = s.drawAgain(), s.lot("pmix").IntN(3) == 0
	if s.lot("ready").IntN(4) == 0 { // less than it takes to find that a service hangs
		s.ready = 12 * time.Second
	}
	return s, nil
}

// DrawForLab draws a scenario that can be played on the lab: in a good network, and with faults of what runs already. A
// file system that stands still would hold the player up too, and has a test of its own.
func DrawForLab(seed uint64, faults int) (Scenario, error) {
	s, err := Draw(seed, faults)
	s.least, s.most, s.tail, s.again = 50*time.Microsecond, 500*time.Microsecond, 0, again{}
	s.deaf, s.frees, s.pmix = false, false, false
	for _, f := range s.Faults {
		if f.Phase == protocol.Launching {
			f.Phase = protocol.Readying
		}
		if f.Kind == FreezeDisk {
			f.Kind = PauseAgent
		}
	}
	return s, err
}

// Scripted is a scenario with these faults, in the layout with one decode server of four ranks and two prefill servers
// of two. After the end of a child every role that talks to it falls so much later; 0: none does.
func Scripted(falls time.Duration, faults ...*Fault) Scenario {
	s := Scenario{
		Shape: 1, Faults: faults, least: 50 * time.Microsecond, most: 500 * time.Microsecond, load: time.Second,
		bench: 8 * time.Second, fallAfter: falls,
	}
	if falls > 0 {
		s.falls = 1
	}
	return s
}

// Measuring is the scenario with a benchmark that takes so long.
func (s Scenario) Measuring(d time.Duration) Scenario {
	s.bench = d
	return s
}

// Timed is the same scenario with other times of all that takes a while: messages, starts, looks.
func (s Scenario) Timed(n uint64) Scenario {
	s.timing = n
	return s
}

// Servers is the layout of a scenario: how many servers of each kind, and GPUs of each.
func (s Scenario) Servers() (gen, genGPUs, ctx, ctxGPUs int) {
	l := shapes[s.Shape]
	return l.gen, l.genGPUs, l.ctx, l.ctxGPUs
}

// Tasks lists all ranks of a scenario with their hosts, "n1" and so on.
func (s Scenario) Tasks() (order []roles.Task, hosts map[roles.Task]string, err error) {
	all, err := plans()
	if err != nil {
		return nil, nil, err
	}
	_, of := place(all[s.Shape])
	hosts = map[roles.Task]string{}
	for _, pl := range all[s.Shape].Layout.Placements {
		for _, t := range pl.Tasks() {
			order, hosts[t] = append(order, t), of[t].name
		}
	}
	return order, hosts, nil
}

// drawFault draws a fault and the moment it happens.
func drawFault(rng *rand.Rand, tasks []roles.Task) *Fault {
	kinds := Kinds()
	f := &Fault{Task: tasks[rng.IntN(len(tasks))], Kind: kinds[rng.IntN(len(kinds))]}
	for f.Task == roles.Hub() {
		f.Task = tasks[rng.IntN(len(tasks))]
	}
	span := time.Second
	switch rng.IntN(5) {
	case 0:
		f.Phase = protocol.Launching
	case 1, 2:
		f.Phase, span = protocol.Readying, 3*time.Second
	default:
		f.Phase, span = protocol.Measuring, 5*time.Second
	}
	f.After = time.Duration(rng.Int64N(int64(span))).Round(time.Millisecond)
	short := 100*time.Millisecond + time.Duration(rng.Int64N(int64(2*time.Second))).Round(time.Millisecond)
	switch f.Kind {
	case PauseAgent, FreezeDisk:
		f.For = short
	case PauseHub:
		f.Task, f.For = roles.Hub(), time.Duration(rng.IntN(3))*4*time.Second
	case PauseAll:
		f.For = time.Duration(1+rng.IntN(20)) * time.Second
	case KillHub:
		f.Task = roles.Hub()
	case BenchFails, PointIsLost:
		f.Task, f.Phase = roles.Hub(), protocol.Measuring
	case CutHost:
		if rng.IntN(2) == 0 {
			f.For = short
		}
	case CutPair:
		for f.Other = tasks[rng.IntN(len(tasks))]; f.Other == f.Task && len(tasks) > 1; {
			f.Other = tasks[rng.IntN(len(tasks))]
		}
	}
	return f
}

// stop draws how long a child takes to end when it is asked.
func (s Scenario) stop(j *job) time.Duration {
	if s.slow {
		return j.between(100*time.Millisecond, 11*time.Second)
	}
	return j.between(time.Millisecond, 300*time.Millisecond)
}

// freed draws how long after its end the kernel frees a child that is stuck.
func (s Scenario) freed(t roles.Task) time.Duration {
	lot := s.lot(t.String() + " is freed")
	switch {
	case !s.frees:
		return never
	case lot.IntN(2) == 0:
		return time.Duration(lot.Int64N(int64(time.Second)))
	}
	return time.Duration(lot.Int64N(int64(20 * time.Second)))
}

// never is longer than any job takes.
const never = 1000 * time.Hour

// String names what a scenario breaks.
func (s Scenario) String() string {
	list := make([]string, len(s.Faults))
	for i, f := range s.Faults {
		list[i] = f.String()
	}
	what := ""
	if s.keep != "" {
		what = "session of "
	}
	return fmt.Sprintf("%sseed %d, layout %d: %s", what, s.Seed, s.Shape, strings.Join(list, "; "))
}

// lot draws for one thing by its name, so that it is the same whatever else happens, and in a real job.
func (s Scenario) lot(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return rand.New(rand.NewPCG(s.Seed, h.Sum64())) //nolint:gosec // no secret
}

// Fall is how a child ends because of another.
type Fall struct {
	After  time.Duration
	Killed bool // by SIGKILL; else it ends by itself with code 1
}

// Falls tells whether the end of a task's child, before its time, takes that of another task along. MPI and PMIx end
// the rest of a worker's ranks; a service that talked to it may fail.
func (s Scenario) Falls(t, because roles.Task) (f Fall, ok bool) {
	draw := func(least, most time.Duration, chance float64) bool {
		lot := s.lot(t.String() + " falls with " + because.String())
		ok := lot.Float64() < chance
		f.After = least + time.Duration(lot.Int64N(int64(most-least)))
		return ok
	}
	switch {
	case t == because:
	case t.Role == because.Role:
		f.Killed = true
		ok = isWorker(t.Role) && draw(5*time.Millisecond, 400*time.Millisecond, 0.7)
	case t.Leader() && leansOn(t.Role, because.Role):
		ok = draw(5*time.Millisecond, 3*time.Second, s.falls)
		if s.fallAfter > 0 {
			f.After = s.fallAfter
		}
	}
	return f, ok
}

// leansOn tells whether a role talks to another while the benchmark runs.
func leansOn(r, other roles.Role) bool {
	switch r.Kind {
	case roles.Benchmark:
		return true
	case roles.Coordinator:
		return isWorker(other)
	}
	return isWorker(other) && r.Kind != other.Kind
}

// Load is how long a task's service loads, once it listens.
func (s Scenario) Load(t roles.Task) time.Duration {
	if !isWorker(t.Role) {
		return 100 * time.Millisecond
	}
	return s.load/2 + time.Duration(s.lot(t.String()+" loads").Int64N(int64(s.load/2)))
}

// Measures is how long the benchmark takes.
func (s Scenario) Measures() time.Duration { return s.bench }

// Slow tells whether children take their time to end.
func (s Scenario) Slow() bool { return s.slow }
