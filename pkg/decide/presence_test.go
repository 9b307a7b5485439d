package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// An agent that is silent for too long is lost, one whose connection broke sooner, one that comes back is not.
func TestLostAgents(t *testing.T) {
	tests := map[string]struct {
		act  func(*bench)
		lost bool
		why  string
	}{
		"silent": {
			func(b *bench) { b.after(5*time.Second+time.Millisecond, ctx0) }, true, "no sign of life for 5s",
		},
		"silent, but not for long": {func(b *bench) { b.after(4*time.Second, ctx0); b.after(time.Minute) }, false, ""},
		"broken": {
			func(b *bench) { b.lose(ctx0) }, true, "its connection broke and was not back within 1s",
		},
		"back in time": {func(b *bench) {
			b.in(Broke{Task: ctx0})
			b.after(900*time.Millisecond, ctx0)
			b.in(Back{Task: ctx0})
			b.after(time.Minute)
		}, false, ""},
		"an event is a sign of life": {func(b *bench) {
			b.after(4*time.Second, ctx0)
			b.event(ctx0, protocol.EventRecovered)
			b.after(4*time.Second, ctx0)
		}, false, ""},
		"a goodbye is no loss": {func(b *bench) {
			b.in(Bye{Task: ctx0}, Broke{Task: ctx0})
			b.after(time.Minute, ctx0)
		}, false, ""},
		"the hub itself is never silent": {func(b *bench) { b.after(time.Minute, benchmark) }, false, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			tt.act(b)
			c := b.job.Cause()
			if tt.lost != (c != nil) {
				t.Fatalf("cause %v", c)
			}
			if tt.lost && (c.Kind != protocol.AgentLost || c.Role != ctx0.Role || !strings.Contains(c.Detail, tt.why)) {
				t.Errorf("cause %v", c)
			}
			drops := 0
			for _, e := range b.other {
				if _, ok := e.(Drop); ok {
					drops++
				}
			}
			if want := map[bool]int{true: 1}[tt.lost]; drops != want {
				t.Errorf("%d agents are dropped", drops)
			}
		})
	}
}

// A pause of the hub is nobody's fault: not of the agents it could not hear, nor of a phase.
func TestPauseOfTheHub(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.after(3 * time.Second)
	before := b.job.phaseEnds()
	b.now = b.now.Add(time.Hour)
	b.tick()
	if c := b.job.Cause(); c != nil {
		t.Fatalf("after a pause: %v", c)
	}
	if moved := b.job.phaseEnds().Sub(before); moved != time.Hour-time.Second {
		t.Errorf("the deadline moved by %v", moved)
	}
	b.after(10*time.Second, gen1)
	if c := b.job.Cause(); c == nil || c.Task() != gen1 {
		t.Errorf("an agent that is silent after the pause: %v", c)
	}
}

// An agent or host that vanishes while others depend on it is learned of later than they fail, but was there first.
func TestLossIsLearnedLate(t *testing.T) {
	tests := map[string]struct {
		act  func(*bench)
		who  roles.Task
		kind protocol.CauseKind
	}{
		"the agent is killed, the dependent crashes at once": {func(b *bench) {
			b.in(Broke{Task: ctx0})
			b.now = b.now.Add(5 * time.Millisecond)
			b.exit(gen0, protocol.Outcome{Code: 1})
			b.after(time.Second, ctx0)
		}, ctx0, protocol.AgentLost},
		"the host vanishes, the dependent crashes 3 s later": {func(b *bench) {
			b.after(3*time.Second, ctx0)
			b.exit(gen0, protocol.Outcome{Code: 1})
			b.after(3*time.Second, ctx0)
		}, ctx0, protocol.AgentLost},
		"the benchmark fails because of it": {func(b *bench) {
			b.in(Broke{Task: ctx0})
			b.now = b.now.Add(300 * time.Millisecond)
			b.exit(benchmark, protocol.Outcome{Code: 1})
			b.after(2*time.Second, ctx0)
		}, ctx0, protocol.AgentLost},
		"a peer cannot reach it": {func(b *bench) {
			b.in(Broke{Task: ctx0})
			b.told(gen0, protocol.EventUnreachable, "n1 cannot reach CTX_0: refused")
			b.after(time.Second, ctx0)
		}, ctx0, protocol.AgentLost},
		"it vanishes because of the stop": {func(b *bench) {
			b.exit(gen0, protocol.Outcome{Code: 1})
			b.now = b.now.Add(time.Millisecond)
			b.in(Broke{Task: ctx0})
			b.after(time.Second, ctx0)
		}, gen0, protocol.ChildExit},
		"it comes back": {func(b *bench) {
			b.in(Broke{Task: ctx0})
			b.exit(gen0, protocol.Outcome{Code: 1})
			b.in(Back{Task: ctx0})
			b.after(time.Second)
		}, gen0, protocol.ChildExit},
		"what explains itself stays": {func(b *bench) {
			b.in(Broke{Task: ctx0})
			b.now = b.now.Add(time.Millisecond)
			b.exit(gen0, protocol.Outcome{Code: 137, Signal: "SIGKILL", OOM: true, MemoryLimit: 1 << 20})
			b.after(time.Second, ctx0)
		}, gen0, protocol.OOM},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			b.after(time.Second)
			tt.act(b)
			c := b.job.Cause()
			if c == nil || c.Task() != tt.who || c.Kind != tt.kind || b.job.Phase() != protocol.Stopping {
				t.Errorf("cause %v in phase %s, want %s %s", c, b.job.Phase(), tt.who, tt.kind)
			}
		})
	}
}

// While the job stops an agent whose connection broke is waited for less; the job does not hang on it.
func TestLossWhileStopping(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.in(Broke{Task: ctx0})
	b.exit(gen0, protocol.Outcome{Code: 1})
	b.gone(gen0, gen1, server, benchmark)
	b.after(125*time.Millisecond, ctx0)
	b.tick()
	if !b.job.Over() {
		t.Errorf("phase %s", b.job.Phase())
	}
	if b.job.AllExited() || b.job.HostsAnswer() {
		t.Error("a lost agent ended in good order")
	}
}

// An agent of which nothing was heard since it was let in may not know that, and connects once more.
func TestConnectionEndsBeforeTheFirstSign(t *testing.T) {
	b := newBench(t)
	b.hello(benchmark, gen0)
	b.in(Attached{Task: gen1, Hello: protocol.Hello{Task: gen1, Node: "n-GEN_0.1"}}, Broke{Task: gen1})
	b.exit(gen0, protocol.Outcome{Started: true, Code: 3}) // and it is told to stop
	b.after(b.job.plan.Timeouts.Lost.Std()-time.Second, gen1)
	if b.job.tasks[gen1].gone {
		t.Fatal("it is lost")
	}
	b.after(time.Second, gen1)
	if !b.job.tasks[gen1].lost {
		t.Error("it is waited for forever")
	}
}

// An agent that vanishes after the benchmark has failed, and before anybody is told to stop, is not why; but it may be
// why another role fails.
func TestLossAfterTheBenchmark(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(benchmark, protocol.Outcome{Started: true, Code: 1, EndedAt: b.now})
	b.told(gen0, protocol.EventChecked, "")
	b.after(100 * time.Millisecond)
	b.in(Broke{Task: gen0})
	b.after(150*time.Millisecond, gen0)
	for _, task := range []roles.Task{ctx0, server, benchmark} {
		b.told(task, protocol.EventChecked, "")
	}
	b.tick()
	b.after(200*time.Millisecond, gen0)
	if c := b.job.Cause(); c == nil || c.Kind != protocol.BenchmarkFailed {
		t.Fatalf("cause %v", c)
	}
	b.exit(server, protocol.Outcome{Started: true, Code: 1, EndedAt: b.now.Add(-50 * time.Millisecond)})
	if c := b.job.Cause(); c.Task() == server {
		t.Errorf("cause %v", c)
	}
}

// The scheduler's own words on a lost agent explain it.
func TestDiagnosisExplainsLoss(t *testing.T) {
	for meaning, want := range map[protocol.Meaning]protocol.CauseKind{
		protocol.OutOfMemory: protocol.OOM, protocol.OutOfTime: protocol.TimeLimit,
		protocol.Preempted:  protocol.CauseCancelled,
		protocol.NodeFailed: protocol.HostLost, protocol.Unexplained: protocol.AgentLost,
	} {
		b := newBench(t)
		b.measuring()
		b.in(Step{Report: protocol.StepReport{
			Role: gen1.Role, Diagnosis: protocol.Diagnosis{Meaning: meaning, Line: "slurmstepd: so it was"},
		}})
		b.lose(gen1)
		if c := b.job.Cause(); c == nil || c.Kind != want || !strings.Contains(c.Detail, "so it was") {
			t.Errorf("%q: %v, want %s", meaning, c, want)
		}
	}
}

// What the starter of a step reports about agents that never arrived fails the job at once; about others it knows less
// than they do.
func TestStepReports(t *testing.T) {
	tests := map[string]struct {
		attached []roles.Task
		report   protocol.StepReport
		who      *roles.Task
		kind     protocol.CauseKind
	}{
		"it never began": {
			nil, protocol.StepReport{Role: ctx0.Role, Ended: true, Code: 1}, &ctx0, protocol.StepFailed,
		},
		"it ended with 0": {
			nil, protocol.StepReport{Role: ctx0.Role, Ended: true}, &ctx0, protocol.StepFailed,
		},
		"one rank is missing": {
			[]roles.Task{gen0}, protocol.StepReport{Role: gen0.Role, Ended: true}, &gen1, protocol.StepFailed,
		},
		"its agents were there": {
			[]roles.Task{ctx0}, protocol.StepReport{Role: ctx0.Role, Ended: true, Code: 1}, nil, "",
		},
		"a rank ended, others go on": {
			[]roles.Task{gen0}, protocol.StepReport{Role: gen0.Role, Ranks: []int{1}, Code: 64}, &gen1,
			protocol.StepFailed,
		},
		"a rank that was there": {
			[]roles.Task{gen0}, protocol.StepReport{Role: gen0.Role, Ranks: []int{0}, Code: 64}, nil, "",
		},
		"only words": {
			nil, protocol.StepReport{Role: ctx0.Role, Diagnosis: protocol.Diagnosis{Line: "nodes are busy"}}, nil, "",
		},
		"out of memory": {
			nil,
			protocol.StepReport{Role: ctx0.Role, Ended: true, Code: 1,
				Diagnosis: protocol.Diagnosis{Meaning: protocol.OutOfMemory, Line: "oom"},
			},
			&ctx0, protocol.OOM},
		"no such role": {nil, protocol.StepReport{Role: rankOf("CTX_9", 0).Role, Ended: true}, nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.hello(benchmark)
			b.hello(tt.attached...)
			tt.report.Detail = "srun ended"
			b.in(Step{Report: tt.report})
			c := b.job.Cause()
			if (c != nil) != (tt.who != nil) || c != nil &&
				(c.Task() != *tt.who || c.Kind != tt.kind || !strings.Contains(c.Detail, "srun ended")) {
				t.Errorf("cause %v", c)
			}
		})
	}
}

// An agent that never arrives is named together with what the scheduler says about its step.
func TestLaunchDeadlineTellsTheSchedulersWords(t *testing.T) {
	b := newBench(t)
	b.hello(benchmark, gen0, gen1)
	b.in(Step{Report: protocol.StepReport{
		Role: server.Role, Diagnosis: protocol.Diagnosis{Line: "step creation temporarily disabled"},
	}})
	b.untilPhaseEnds()
	if c := b.job.Cause(); c == nil || c.Role != server.Role ||
		!strings.HasSuffix(c.Detail, "DISAGG_SERVER.0: step creation temporarily disabled") {
		t.Errorf("cause %v", c)
	}
}

// What takes too long while the run directory does not answer takes so long because of it.
func TestDiskStuck(t *testing.T) {
	for name, back := range map[string]bool{"stuck": false, "back in time": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.hello(all...)
			b.in(Disk{Stuck: true, What: "append to events.ndjson"})
			if back {
				b.in(Disk{})
			}
			b.untilPhaseEnds()
			if back {
				b.after(partitionBound)
			}
			c := b.job.Cause()
			want := protocol.DiskStuck
			if back {
				want = protocol.ReadyTimeout
			}
			if c == nil || c.Kind != want || !back && !strings.Contains(c.Detail, "append to events.ndjson") {
				t.Errorf("cause %v", c)
			}
		})
	}
}

// Results that cannot be read do not hold the nodes until the benchmark's own limit.
func TestResultsCannotBeRead(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.in(Disk{Stuck: true, What: "x"})
	b.exit(benchmark, protocol.Outcome{})
	b.after(readBound)
	if c := b.job.Cause(); c == nil || c.Kind != protocol.DiskStuck || b.job.Phase() != protocol.Stopping {
		t.Errorf("cause %v", c)
	}
}

// A stuck disk is no cause by itself: the job goes on as long as it can.
func TestDiskStuckAloneFailsNothing(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.in(Disk{Stuck: true, What: "x"})
	b.after(time.Minute)
	b.exit(gen1, protocol.Outcome{Code: 3})
	if c := b.job.Cause(); c == nil || c.Kind != protocol.ChildExit {
		t.Errorf("cause %v", c)
	}
}

// Two hosts that publish one address can reach neither the hub nor each other: that is found before any model is
// loaded.
func TestSameAddress(t *testing.T) {
	b := benchWith(t,
		func(in *plan.Input) { in.Profile.Preflight.Off = []string{protocol.CheckNetwork, protocol.CheckClock} })
	for _, task := range all {
		b.in(Attached{
			Task: task, Hello: protocol.Hello{Task: task, Node: "n-" + task.Role.String(), Host: "172.17.0.1"},
		})
	}
	for _, task := range []roles.Task{gen0, ctx0, server, benchmark} {
		b.report(task, protocol.Event{Kind: protocol.EventPreflight, Findings: &protocol.Findings{}})
	}
	if c := b.job.Cause(); c == nil || c.Kind != protocol.PreflightFailed || !strings.Contains(c.Detail, "172.17.0.1") {
		t.Errorf("cause %v", c)
	}
}

// Messages about tasks that the plan does not have change nothing.
func TestUnknownTasks(t *testing.T) {
	b := newBench(t)
	b.measuring()
	stranger := rankOf("GEN_7", 0)
	b.in(Attached{Task: stranger}, Alive{Task: stranger}, Broke{Task: stranger}, Back{Task: stranger},
		Bye{Task: stranger},
		Visible{Task: stranger}, Reported{Task: stranger, Event: protocol.Event{Kind: protocol.EventLeaving}})
	b.expect()
	if b.job.Cause() != nil || b.job.Host(stranger) != "" {
		t.Errorf("cause %v", b.job.Cause())
	}
}

// An agent that sends what it may not send is at fault itself, and is not waited for; if the job stops already, it is
// only noted.
func TestInvalidMessage(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.in(Broke{Task: ctx0, Fault: `invalid event "exited": it has no outcome`})
	c := b.job.Cause()
	if c == nil || c.Task() != ctx0 || c.Kind != protocol.AgentError ||
		!strings.Contains(c.Detail, "it has no outcome") {
		t.Fatalf("cause %v", c)
	}
	b.in(Broke{Task: gen1, Fault: "another"}, Broke{Task: gen1, Fault: "again"})
	if s := b.job.attribution.Secondary(); len(s) != 1 || s[0].Task() != gen1 {
		t.Errorf("secondary %v", s)
	}
	b.gone(gen0, server, benchmark)
	if !b.job.Over() || b.job.AllExited() {
		t.Errorf("phase %s", b.job.Phase())
	}
	if r := b.job.Result(Times{}, b.now); r.Verdict != protocol.Errored || r.ExitCode != protocol.ExitFailed {
		t.Errorf("%s %d", r.Verdict, r.ExitCode)
	}
}

// A pause of the hub counts neither as absence of an agent whose connection broke nor as time for reading the results.
func TestPauseWhileSomethingIsAwaited(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(benchmark, protocol.Outcome{})
	b.in(Broke{Task: ctx0})
	if d := b.job.Deadline(b.now).Sub(b.now); d != time.Second {
		t.Errorf("it is looked for in %v", d)
	}
	b.now = b.now.Add(time.Hour)
	b.tick()
	if c := b.job.Cause(); c != nil {
		t.Fatalf("after the pause: %v", c)
	}
	b.in(Back{Task: ctx0})
	b.after(readBound + time.Second)
	if c := b.job.Cause(); c == nil || c.Kind != protocol.ResultsInvalid {
		t.Errorf("cause %v", c)
	}
}

// After a pause an agent whose connection broke has as long as one that is silent, unless its step has ended: nobody
// comes back then.
func TestStepEndedInAPause(t *testing.T) {
	for _, ended := range []bool{false, true} {
		b := newBench(t)
		b.measuring()
		b.now = b.now.Add(time.Minute)
		b.tick()
		b.in(Broke{Task: ctx0})
		if ended {
			b.in(Step{Report: protocol.StepReport{Role: ctx0.Role, Ended: true, Code: 1}})
		}
		b.after(1500*time.Millisecond, ctx0)
		if lost := b.job.Cause() != nil; lost != ended {
			t.Errorf("ended %v: lost %v", ended, lost)
		}
	}
}

// A hub that the machine let wait when it was to look for lost agents first reads what has come meanwhile. It does not
// put that off for ever.
func TestLooksLate(t *testing.T) {
	lost := func(b *bench) bool { return b.job.Cause() != nil }
	late := func(b *bench) { // nothing was heard of one agent for nearly too long, and the hub comes late to look
		b.measuring()
		b.after(4*time.Second, ctx0)
		b.now = b.now.Add(1500 * time.Millisecond)
		b.tick()
	}
	b := newBench(t)
	late(b)
	b.in(Alive{Task: ctx0})
	if b.after(time.Minute); lost(b) {
		t.Errorf("cause %v", b.job.Cause())
	}

	b = newBench(t)
	late(b)
	if lost(b) {
		t.Fatal("it judges before it has read")
	}
	if b.after(backlog, ctx0); !lost(b) {
		t.Error("the agent is not missed")
	}

	b = newBench(t)
	late(b)
	for range mostLate {
		if lost(b) {
			t.Fatal("it judges before it has read")
		}
		b.now = b.now.Add(2 * backlog).Add(time.Millisecond)
		b.tick()
	}
	if !lost(b) {
		t.Error("the look is put off for ever")
	}
}

// However an agent's connection ends, it is not looked for later than one that is silent.
func TestBrokenAndSilent(t *testing.T) {
	b := benchWith(t, func(in *plan.Input) {
		in.Timeouts.Heartbeat, in.Timeouts.Lost = roles.Duration(2*time.Second), roles.Duration(5*time.Second)
	})
	b.measuring()
	b.after(4*time.Second, ctx0)
	b.in(Broke{Task: ctx0}) // it may come back within two seconds, but is silent for too long in one
	b.after(time.Second+time.Millisecond, ctx0)
	if c := b.job.Cause(); c == nil || c.Task() != ctx0 || !strings.Contains(c.Detail, "no sign of life") {
		t.Errorf("cause %v", c)
	}
}

// An agent that vanishes when the work is done takes nothing away from it.
func TestLossAfterSuccess(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(benchmark, protocol.Outcome{})
	b.points(goodPoints()...)
	b.lose(ctx0)
	b.gone(gen0, gen1, server, benchmark)
	if r := b.job.Result(Times{}, b.now); !b.job.Over() || r.Verdict != protocol.Passed || len(r.Secondary) != 0 {
		t.Errorf("phase %s, %s, secondary %v", b.job.Phase(), r.Verdict, r.Secondary)
	}
}

// A host on which an agent never arrived does not answer.
func TestHostThatNeverCame(t *testing.T) {
	b := newBench(t)
	b.hello(gen0, gen1, server, benchmark)
	b.untilPhaseEnds()
	b.gone(gen0, gen1, server, benchmark)
	if b.job.HostsAnswer() {
		t.Error("CTX_0's host answers")
	}
}
