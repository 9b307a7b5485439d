package rank_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/decide/rank"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// bench drives one rank: it says what happens and sees what the rank wants.
type bench struct {
	t    *testing.T
	rank *rank.Machine
	now  time.Time
	did  []string
	told []protocol.Event
}

var limits = roles.Timeouts{Stop: roles.Duration(12 * time.Second), Lost: roles.Duration(5 * time.Second)}

func newBench(t *testing.T, task roles.Task, change func(*plan.Plan)) *bench {
	t.Helper()
	worker := recipe.RoleSpec{MPI: true, Stop: recipe.Stop{Follow: roles.Duration(3 * time.Second)}}
	p := plan.Plan{
		Timeouts: limits, Cluster: profile.Profile{MPI: "pmix"},
		Recipe: recipe.Recipe{Roles: map[roles.Kind]recipe.RoleSpec{
			roles.Gen: worker, roles.Benchmark: {Needs: recipe.Needs{Ready: []roles.Kind{roles.Gen}}},
		}},
	}
	if change != nil {
		change(&p)
	}
	b := &bench{t: t, rank: rank.New(p, task), now: time.Unix(1000, 0)}
	b.in(rank.Begin{})
	return b
}

func (b *bench) in(inputs ...rank.Input) {
	for _, in := range inputs {
		for _, e := range b.rank.Step(in, b.now) {
			switch e := e.(type) {
			case rank.Tell:
				b.told = append(b.told, e.Event)
				b.did = append(b.did, "tell "+string(e.Event.Kind))
			case rank.Stop:
				b.did = append(b.did, strings.TrimSpace(fmt.Sprintf("stop %v %v", e.Finished, e.Patience)))
			default:
				b.did = append(b.did, strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", e), "rank.")))
			}
		}
	}
}

func (b *bench) expect(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.did); diff != "" {
		b.t.Errorf("effects: %s", diff)
	}
	b.did = nil
}

// over checks that the rank is over, with a code.
func (b *bench) over(want int) {
	b.t.Helper()
	if code, over := b.rank.Over(); !over || code != want {
		b.t.Errorf("over %v with %d, want %d", over, code, want)
	}
	if b.rank.Step(rank.Asked{Name: "SIGTERM"}, b.now) != nil {
		b.t.Error("it does something although it is over")
	}
}

func (b *bench) notOver() {
	b.t.Helper()
	if code, over := b.rank.Over(); over {
		b.t.Errorf("it is over with %d", code)
	}
}

// untilDeadline lets time pass to the next deadline.
func (b *bench) untilDeadline() {
	b.t.Helper()
	d := b.rank.Deadline()
	if d.IsZero() {
		b.t.Fatal("there is no deadline")
	}
	b.now = d
	b.in(rank.Tick{})
}

var (
	gen0, gen1 = roles.Task{Role: roles.Role{Kind: roles.Gen}}, roles.Task{Role: roles.Role{Kind: roles.Gen}, Rank: 1}
	start      = rank.Told{Command: protocol.Command{Kind: protocol.CommandStart}}
	failed     = protocol.Outcome{Started: true, Code: 7}
	clean      = protocol.Outcome{Started: true}
	killed     = protocol.Outcome{Started: true, Code: 137, Signal: "SIGKILL"}
)

func stop(finished bool, code int) rank.Told {
	return rank.Told{Command: protocol.Command{Kind: protocol.CommandStop, Reason: "r", Finished: finished, Code: code}}
}

// stopped is an outcome of a child that ended because it was asked to.
func stopped(code int) protocol.Outcome {
	return protocol.Outcome{Started: true, Code: code, StopReason: "r"}
}

func (b *bench) running() *bench {
	b.in(start, rank.Started{PID: 9})
	b.did, b.told = nil, nil
	return b
}

// How far the child is can be told at any time.
func TestStage(t *testing.T) {
	b := newBench(t, gen0, nil)
	for _, step := range []struct {
		in   rank.Input
		want protocol.Stage
	}{
		{rank.Tick{}, protocol.StageWaiting}, {start, protocol.StageStarting},
		{rank.Started{PID: 9}, protocol.StageRunning}, {rank.Ended{Outcome: clean}, protocol.StageEnded},
		{rank.Done{Outcome: clean}, protocol.StageDone},
	} {
		if b.in(step.in); b.rank.Stage() != step.want {
			t.Errorf("after %T it is %s, want %s", step.in, b.rank.Stage(), step.want)
		}
	}
}

// A rank is checked, started, watched and stopped, in that order, and each of it once.
func TestOrderlyLife(t *testing.T) {
	b := newBench(t, gen0, nil)
	b.expect("prepare")
	b.in(rank.Told{Command: protocol.Command{Kind: protocol.CommandPreflight, Host: true}})
	b.expect("preflight")
	b.in(start, start)
	b.expect("start")
	b.in(rank.Started{PID: 9})
	b.expect("tell started")
	b.in(rank.Told{Command: protocol.Command{Kind: protocol.CommandWatch}},
		rank.Told{Command: protocol.Command{Kind: protocol.CommandCheck}})
	b.expect("watch", "check")
	b.in(stop(true, 0))
	b.expect("endprobes", "stop true 0s")
	b.in(rank.Ended{Outcome: stopped(143)})
	b.expect("endprobes", "tell exited")
	b.notOver()
	b.in(rank.Done{Outcome: stopped(143)})
	b.expect("tell stopped")
	b.over(0)
}

// Whoever is told to watch while its child is being started, such as the benchmark's rank, does so once it runs.
func TestWatchesOnceItRuns(t *testing.T) {
	b := newBench(t, roles.Hub(), nil)
	b.in(start, rank.Told{Command: protocol.Command{Kind: protocol.CommandWatch}})
	b.expect("start")
	b.in(rank.Started{PID: 9})
	b.expect("tell started", "watch")
}

// The benchmark can be started again, as often as the hub says, when nothing is left of the child before.
func TestAnotherMeasurement(t *testing.T) {
	again := func(n int) rank.Told {
		return rank.Told{Command: protocol.Command{Kind: protocol.CommandStart, Measurement: n}}
	}
	b := newBench(t, roles.Hub(), nil).running()
	b.in(again(1)) // it is still running
	b.expect()
	b.in(rank.Ended{Outcome: failed}, rank.Done{Outcome: failed})
	b.expect("endprobes", "tell exited")
	b.now = b.now.Add(30 * time.Second) // the results are being read
	b.in(rank.Tick{}, again(0), again(1), again(1))
	b.expect("start")
	b.in(rank.Started{PID: 10}, rank.Ended{Outcome: failed}, again(2))
	b.expect("tell started", "endprobes", "tell exited")
	b.in(rank.Done{Outcome: failed})
	b.expect("start")
	b.in(rank.Started{PID: 11}, rank.Ended{Outcome: failed}, rank.Done{Outcome: failed})
	b.notOver()
	b.did = nil
	b.in(stop(true, 0), again(3))
	b.expect("endprobes", "tell stopped")
	b.over(0)
}

// Nothing is started again after a request to stop, and nobody waits for ever for the hub's word.
func TestNoOtherMeasurement(t *testing.T) {
	again := rank.Told{Command: protocol.Command{Kind: protocol.CommandStart, Measurement: 1}}
	b := newBench(t, roles.Hub(), nil).running()
	b.in(rank.Ended{Outcome: failed}, stop(false, 0), again, rank.Done{Outcome: failed})
	b.expect("endprobes", "tell exited", "endprobes", "stop false 0s", "tell stopped")
	b = newBench(t, roles.Hub(), nil).running()
	b.in(rank.Ended{Outcome: failed}, rank.Done{Outcome: failed})
	b.untilDeadline()
	b.over(failed.Code)
}

// Other ranks of an MPI job follow their leader when the work is done, and are told at once when something failed.
func TestPatience(t *testing.T) {
	tests := map[string]struct {
		task     roles.Task
		finished bool
		change   func(*plan.Plan)
		want     string
	}{
		"the leader":                  {gen0, true, nil, "stop true 0s"},
		"another rank":                {gen1, true, nil, "stop true 3s"},
		"another rank, and a failure": {gen1, false, nil, "stop false 0s"},
		"another rank, without MPI":   {gen1, true, func(p *plan.Plan) { p.Cluster.MPI = "" }, "stop true 0s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, tt.task, tt.change).running()
			b.in(stop(tt.finished, 0))
			b.expect("endprobes", tt.want)
		})
	}
}

// The exit code is truthful, and low for those who were stopped because of others.
func TestCodes(t *testing.T) {
	hub := roles.Hub()
	tests := map[string]struct {
		task roles.Task
		act  func(*bench)
		code int
	}{
		"stopped because of a peer": {
			gen0, func(b *bench) { b.in(stop(false, 0), rank.Done{Outcome: stopped(143)}) }, 1,
		},
		"its role failed first": {
			gen0, func(b *bench) { b.in(stop(false, 7), rank.Done{Outcome: stopped(143)}) }, 7,
		},
		"its own child failed": {
			gen0, func(b *bench) { b.in(rank.Done{Outcome: failed}, stop(false, 7)) }, 7,
		},
		"its own child failed, as a peer did": {
			gen0, func(b *bench) { b.in(rank.Done{Outcome: failed}, stop(false, 0)) }, 7,
		},
		"killed": {
			gen0, func(b *bench) { b.in(rank.Done{Outcome: killed}, stop(false, 0)) }, 137,
		},
		"clean too early": {gen0, func(b *bench) {
			b.in(rank.Done{Outcome: clean})
			b.untilDeadline()
			b.in(stop(false, 0))
		}, 1},
		"never started": {
			gen0, func(b *bench) { b.in(rank.Done{Outcome: protocol.Outcome{Code: 127, Error: "x"}}, stop(false, 0)) },
			127,
		},
		"a code of the tool": {
			gen0,
			func(b *bench) { b.in(rank.Done{Outcome: protocol.Outcome{Started: true, Code: 75}}, stop(false, 0)) },
			1,
		},
		"by a signal": {
			gen0, func(b *bench) { b.in(rank.Asked{Name: "SIGTERM"}, rank.Done{Outcome: stopped(143)}) }, 1,
		},
		"the hub is lost": {
			gen0, func(b *bench) { b.in(rank.HubLost{Why: "silence"}, rank.Done{Outcome: stopped(0)}) }, 1,
		},
		"the benchmark": {hub, func(b *bench) { b.in(rank.Done{Outcome: failed}, stop(false, 0)) }, 7},
		"the benchmark, well": {
			hub, func(b *bench) { b.in(rank.Done{Outcome: clean}); b.untilDeadline(); b.in(stop(true, 0)) }, 0,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, tt.task, nil).running()
			tt.act(b)
			b.over(tt.code)
			if last := b.told[len(b.told)-1]; last.Kind != protocol.EventStopped || last.Outcome == nil {
				t.Errorf("the last word is %+v", last)
			}
		})
	}
}

// A rank whose child ended by itself waits for the hub's word, with a bound.
func TestWaitsForTheHubsJudgement(t *testing.T) {
	b := newBench(t, gen1, nil).running()
	b.in(rank.Ended{Outcome: failed}, rank.Done{Outcome: failed})
	b.expect("endprobes", "tell exited")
	b.notOver()
	if wait := b.rank.Deadline().Sub(b.now); wait != limits.Lost.Std() {
		t.Errorf("it waits for %v", wait)
	}
	b.untilDeadline()
	b.over(7)
}

// The benchmark's rank waits for the hub's word too: until then it can still say whom its host cannot reach.
func TestBenchmarkAnswersAfterItsEnd(t *testing.T) {
	b := newBench(t, roles.Hub(), nil).running()
	b.in(rank.Done{Outcome: failed}, rank.Told{Command: protocol.Command{Kind: protocol.CommandCheck}})
	b.expect("endprobes", "tell exited", "check")
	b.notOver()
}

// A signal that was meant for the whole step explains a child that ended a moment before it was seen.
func TestSignalAfterTheChild(t *testing.T) {
	for name, o := range map[string]protocol.Outcome{
		"by the signal": {
			Started: true, Code: 143, Signal: "SIGTERM"}, "cleanly": clean, "by a shell": {Started: true, Code: 130},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, gen0, nil).running()
			b.in(rank.Ended{Outcome: o})
			b.expect()
			b.in(rank.Done{Outcome: o})
			b.expect()
			b.in(rank.Asked{Name: "SIGTERM"})
			b.expect("tell leaving", "endprobes", "tell exited", "tell stopped")
			b.over(codeAfterSignal(o))
		})
	}
	b := newBench(t, gen0, nil).running() // no signal comes
	b.in(rank.Ended{Outcome: clean})
	b.untilDeadline()
	b.expect("endprobes", "tell exited")
	b = newBench(t, gen0, nil).running() // nobody has to wait for one that failed by itself
	b.in(rank.Ended{Outcome: failed})
	b.expect("endprobes", "tell exited")
}

func codeAfterSignal(o protocol.Outcome) int {
	if o.Code != 0 {
		return protocol.ChildCode(o)
	}
	return protocol.ExitFailed
}

// However often a request to stop comes, it is one; and nothing is started after it.
func TestNothingStartsAfterStop(t *testing.T) {
	b := newBench(t, gen0, nil)
	b.in(rank.Asked{Name: "SIGTERM"})
	b.expect("prepare", "tell leaving", "tell stopped")
	b.over(1)

	b = newBench(t, gen0, nil) // while it is being started
	b.in(start, rank.Asked{Name: "SIGTERM"}, rank.Asked{Name: "SIGTERM"})
	b.expect("prepare", "start", "tell leaving", "abandon", "abandon")
	b.in(rank.Started{PID: 9})
	b.expect("tell started", "stop false 0s")
	b.in(rank.Done{Outcome: stopped(143)})
	b.over(1)

	b = newBench(t, gen0, nil) // while it is being prepared, and will not be
	b.in(start, rank.Asked{Name: "SIGTERM"}, rank.Done{Outcome: stopped(0)})
	b.over(1)

	b = newBench(t, gen0, nil) // stopped before it was told to start
	b.in(stop(true, 0), start)
	b.over(0)
}

// A child that cannot be ended holds nobody beyond a bound.
func TestChildThatCannotBeEnded(t *testing.T) {
	b := newBench(t, gen0, nil).running()
	b.in(stop(false, 0))
	if wait := b.rank.Deadline().Sub(b.now); wait > 30*time.Second {
		t.Errorf("it waits for %v", wait)
	}
	b.untilDeadline()
	b.over(1)
	if o := b.told[len(b.told)-1].Outcome; o.Error == "" {
		t.Errorf("outcome %+v", o)
	}

	b = newBench(t, gen0, nil) // one whose start is never answered
	b.in(start, stop(false, 0))
	b.untilDeadline()
	b.over(1)
}

// The scheduler's warning is passed on and changes nothing here.
func TestWarning(t *testing.T) {
	b := newBench(t, gen0, nil).running()
	b.in(rank.Warned{Name: "SIGUSR1"})
	b.expect("tell warned")
	b.notOver()
	if b.rank.Stopped() != "" {
		t.Error("it stops")
	}
}

// By hand a role that needs no other starts before the hub is there, and judges its own end.
func TestInteractive(t *testing.T) {
	b := newBench(t, gen0, func(p *plan.Plan) { p.Policy.Interactive = true })
	b.expect("prepare", "start")
	b.in(rank.Started{PID: 9}, rank.Done{Outcome: failed})
	b.over(7)
}

// A role that needs others is prepared once they are there.
func TestNeeds(t *testing.T) {
	b := newBench(t, roles.Hub(), nil)
	b.expect()
	b.in(start)
	b.expect("start")
}

// A signal is told once, also by a rank that the hub has stopped before: the hub may want to know that somebody wants
// more than that one to end.
func TestSignalIsTold(t *testing.T) {
	b := newBench(t, gen0, nil).running()
	b.in(stop(false, 0))
	b.expect("endprobes", "stop false 0s")
	b.in(rank.Asked{Name: "SIGTERM"}, rank.Asked{Name: "SIGTERM"})
	b.expect("tell leaving", "stop false 0s", "stop false 0s")
	if !b.rank.Asked() {
		t.Error("it was not asked")
	}
}

// When a launcher outlives what it runs, that is the end of the child: it is reported at once, and the launcher is
// ended. While the rank stops its launcher may take its time.
func TestOutlived(t *testing.T) {
	b := newBench(t, gen0, nil).running()
	o := protocol.Outcome{Started: true, Code: 1, Outlived: true}
	b.in(rank.Outlived{Outcome: o})
	b.expect("endprobes", "tell exited", "stop false 0s")
	b.in(stop(false, 1), rank.Ended{Outcome: stopped(143)}, rank.Done{Outcome: stopped(143)})
	b.over(1)

	b = newBench(t, gen0, nil).running()
	b.in(stop(true, 0))
	b.did = nil
	b.in(rank.Outlived{Outcome: o})
	b.expect()
}
