package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// The subject of a failure is the role that failed, not the one that noticed it; and its own agent knows best why.
func TestSubject(t *testing.T) {
	refused := protocol.Event{
		Kind: protocol.EventUnreachable, Peers: []roles.Role{gen0.Role}, Detail: "n2 cannot reach GEN_0: refused",
	}
	unwell := func(b *bench, t roles.Task, long time.Duration) {
		b.report(t, protocol.Event{Kind: protocol.EventUnhealthy, Detail: "timeout", Since: b.now.Add(-long)})
	}
	for name, tt := range map[string]struct {
		act    func(*bench)
		who    roles.Task
		kind   protocol.CauseKind
		detail string
	}{
		"a service that cannot be reached": {func(b *bench) {
			b.report(ctx0, refused)
		}, gen0, protocol.HealthLost, "n2 cannot reach GEN_0: refused"},
		"its process had ended": {func(b *bench) {
			b.report(ctx0, refused)
			b.now = b.now.Add(3 * time.Second)
			b.exit(gen0, protocol.Outcome{Code: 3, Headline: "why", EndedAt: b.now.Add(-4 * time.Second)})
		}, gen0, protocol.ChildExit, "exited with code 3: why"},
		"nobody says of whom": {func(b *bench) {
			b.told(ctx0, protocol.EventUnreachable, "somebody")
		}, ctx0, protocol.HealthLost, "somebody"},
		"a role that the plan does not have": {func(b *bench) {
			e := refused
			e.Peers = []roles.Role{{Kind: roles.Gen, Index: 7}}
			b.report(ctx0, e)
		}, ctx0, protocol.HealthLost, ""},
		"a dependent answers no longer, for the one it needs hangs": {func(b *bench) {
			b.told(server, protocol.EventUnhealthy, "503: GEN_0 does not answer")
			b.now = b.now.Add(time.Second)
			unwell(b, gen0, 20*time.Second)
		}, gen0, protocol.HealthLost, "its service no longer answers: timeout"},
		"one that nobody needs was unwell": {func(b *bench) {
			b.exit(gen0, protocol.Outcome{Code: 1})
			unwell(b, server, time.Minute)
		}, gen0, protocol.ChildExit, ""},
		"the benchmark fails, a service hangs": {func(b *bench) {
			b.exit(benchmark, protocol.Outcome{Code: 1})
			for _, task := range []roles.Task{gen0, server, benchmark} {
				b.told(task, protocol.EventChecked, "")
			}
			b.report(ctx0, protocol.Event{Kind: protocol.EventChecked, Unwell: "timeout"})
		}, ctx0, protocol.HealthLost, "its service no longer answers: timeout"},
		"the benchmark fails, a service speaks for one that hangs": {func(b *bench) {
			b.exit(benchmark, protocol.Outcome{Code: 1})
			b.report(server, protocol.Event{Kind: protocol.EventChecked, Unwell: "status: 503"})
			b.report(ctx0, protocol.Event{Kind: protocol.EventChecked, Unwell: "timeout"})
			b.checked()
		}, ctx0, protocol.HealthLost, "its service no longer answers: timeout"},
		"the benchmark fails, a service cannot be reached": {func(b *bench) {
			b.exit(benchmark, protocol.Outcome{Code: 1})
			e := refused
			e.Kind = protocol.EventChecked
			b.report(server, e)
			b.checked()
		}, gen0, protocol.HealthLost, "cannot reach GEN_0"},
		"a stop after the work is done proves nothing": {func(b *bench) {
			b.exit(benchmark, protocol.Outcome{})
			b.points(goodPoints()...)
			unwell(b, gen0, time.Minute)
		}, roles.Task{}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			b.now = b.now.Add(time.Minute)
			b.tick()
			tt.act(b)
			c := b.job.Cause()
			if c == nil && tt.kind == "" {
				return
			}
			if c == nil || c.Task() != tt.who || c.Kind != tt.kind || !strings.Contains(c.Detail, tt.detail) {
				t.Errorf("cause %v", c)
			}
			if b.job.Phase() != protocol.Stopping {
				t.Errorf("phase %s", b.job.Phase())
			}
		})
	}
}

// The verdict names a host when the host is gone, the job when all of it was to end, and otherwise a rank.
func TestSubjectOfTheVerdict(t *testing.T) {
	silent := func(b *bench, tasks ...roles.Task) { b.after(7*time.Second, tasks...) }
	leaves := func(b *bench, tasks ...roles.Task) {
		for _, task := range tasks {
			b.told(task, protocol.EventLeaving, "stopped by SIGTERM")
		}
	}
	overMemory := func(b *bench) {
		b.in(Step{Report: protocol.StepReport{Role: gen0.Role, Diagnosis: protocol.Diagnosis{
			Meaning: protocol.OutOfMemory, Line: "StepId=1.1 exceeded memory limit",
		}}})
	}
	killed := protocol.Outcome{Code: 137, Signal: "SIGKILL"}
	for name, tt := range map[string]struct {
		act  func(*bench)
		want string
	}{
		"a step is over its memory limit, and its children end before their agents": {
			func(b *bench) { overMemory(b); b.exit(gen1, killed); b.lose(gen1) },
			"GEN_0.1 on n1: ran out of memory: StepId=1.1 exceeded memory limit",
		},
		"the scheduler says so later": {
			func(b *bench) { b.exit(gen1, killed); overMemory(b) },
			"GEN_0.1 on n1: ran out of memory: StepId=1.1 exceeded memory limit",
		},
		"the scheduler says so later than its agents vanish": {
			func(b *bench) { b.lose(gen0); overMemory(b) },
			"GEN_0.0 on n1: ran out of memory: StepId=1.1 exceeded memory limit",
		},
		"a step is over its memory limit after it has failed": {
			func(b *bench) { b.exit(gen1, protocol.Outcome{Code: 3}); overMemory(b) },
			"GEN_0.1 on n1: exited with code 3",
		},
		"a host falls silent": {
			func(b *bench) { silent(b, gen0, gen1) },
			"host n1: lost: all of its agents (2) fell silent: no sign of life for 5s",
		},
		"one agent of a host falls silent": {
			func(b *bench) { silent(b, gen1) }, "GEN_0.1 on n1: its agent is lost: no sign of life for 5s",
		},
		"one agent of a host is killed": {
			func(b *bench) { b.lose(gen1) },
			"GEN_0.1 on n1: its agent is lost: its connection broke and was not back within 1s",
		},
		"all agents of a host are killed": {
			func(b *bench) { b.in(Broke{Task: gen0}, Broke{Task: gen1}); silent(b, gen0, gen1) },
			"GEN_0.0 on n1: its agent is lost: its connection broke and was not back within 1s",
		},
		"the scheduler says that a node failed": {
			func(b *bench) {
				b.in(Step{Report: protocol.StepReport{Role: gen0.Role, Diagnosis: protocol.Diagnosis{
					Meaning: protocol.NodeFailed, Line: "*** STEP 7.0 ON n1 CANCELLED DUE TO NODE FAILURE ***",
				}}})
				b.lose(gen0)
			},
			"host n1: lost: its connection broke and was not back within 1s: " +
				"*** STEP 7.0 ON n1 CANCELLED DUE TO NODE FAILURE ***",
		},
		"one step is asked to end": {
			func(b *bench) { leaves(b, gen0, gen1) }, "GEN_0.0 on n1: cancelled: stopped by SIGTERM",
		},
		"every step is": {func(b *bench) { leaves(b, all...) }, "the whole job: cancelled: stopped by SIGTERM"},
		"the batch script is": {
			func(b *bench) { b.in(Step{Report: protocol.StepReport{Role: benchmark.Role, Cancel: "SIGINT"}}) },
			"the whole job: cancelled: SIGINT",
		},
		"the hub's own step is": {
			func(b *bench) { b.in(Cancel{Detail: "SIGTERM"}) }, "BENCHMARK.0 on n3: cancelled: SIGTERM",
		},
		"somebody is known to have asked": {
			func(b *bench) {
				leaves(b, all...)
				b.job.CancelledBy(protocol.CancelRequest{
					At: b.now, By: "ann@login1", How: "by disagg-submit cancel",
				})
			},
			"ann@login1: cancelled: by disagg-submit cancel",
		},
		"somebody asked two hours before": {
			func(b *bench) {
				leaves(b, all...)
				b.job.CancelledBy(protocol.CancelRequest{
					At: b.now.Add(-2 * time.Hour), By: "ann@login1", How: "by disagg-submit cancel",
				})
			},
			"the whole job: cancelled: stopped by SIGTERM",
		},
		"somebody asked, when the time was over": {
			func(b *bench) {
				b.told(gen0, protocol.EventWarned, "the time is nearly over")
				b.job.CancelledBy(protocol.CancelRequest{
					At: b.now, By: "ann@login1", How: "by disagg-submit cancel",
				})
			},
			"the whole job: out of time: the time is nearly over",
		},
		"the time is over": {
			func(b *bench) { b.told(gen0, protocol.EventWarned, "the time is nearly over") },
			"the whole job: out of time: the time is nearly over",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			for task, node := range map[roles.Task]string{gen0: "n1", gen1: "n1", ctx0: "n2", benchmark: "n3"} {
				b.job.tasks[task].hello.Node = node
			}
			tt.act(b)
			b.gone(all...)
			r := b.job.Result(Times{}, b.now)
			if r.FirstCause == nil || r.FirstCause.String() != tt.want {
				t.Errorf("cause %v, want %s", r.FirstCause, tt.want)
			}
			if f := b.job.Cause(); f.Subject != "" {
				t.Errorf("the fact itself has the subject %q", f.Subject)
			}
		})
	}
}

// A hub that stood still for so long that its agents gave it up is the subject, not they. After a shorter pause, or one
// of the whole machine, whoever is lost is lost by itself.
func TestHubStoodStill(t *testing.T) {
	for name, tt := range map[string]struct {
		pause time.Duration
		act   func(*bench)
		want  string
	}{
		"its agents gave it up": {
			8 * time.Second, func(b *bench) {
				b.in(Broke{Task: gen0, GaveUp: true}, Broke{Task: server, GaveUp: true})
			},
			"BENCHMARK.0 on n-BENCHMARK.0: lost: it did not run for 8s, and GEN_0.0 gave it up",
		},
		"one gave it up, and Slurm ended the others": {
			8 * time.Second, func(b *bench) {
				b.in(Broke{Task: ctx0}, Broke{Task: server}, Broke{Task: gen0, GaveUp: true})
				b.after(time.Second, ctx0, server)
			},
			"BENCHMARK.0 on n-BENCHMARK.0: lost: it did not run for 8s, and GEN_0.0 gave it up",
		},
		"one gave it up, but says so only when it has ended": {
			8 * time.Second, func(b *bench) {
				b.exit(server, protocol.Outcome{Code: 137, Signal: "SIGKILL", EndedAt: b.now})
				b.in(Broke{Task: ctx0})
				b.after(2500*time.Millisecond, ctx0)
				b.in(Broke{Task: gen0, GaveUp: true})
			},
			"BENCHMARK.0 on n-BENCHMARK.0: lost: it did not run for 8s, and GEN_0.0 gave it up",
		},
		"one gave it up, and has stopped": {
			8 * time.Second, func(b *bench) {
				b.told(server, protocol.EventUnreachable, "n3 cannot reach GEN_0: refused")
				b.gone(gen0)
				b.in(Broke{Task: gen0, GaveUp: true})
			},
			"BENCHMARK.0 on n-BENCHMARK.0: lost: it did not run for 8s, and GEN_0.0 gave it up",
		},
		"one heard nothing, although the hub ran": {
			0, func(b *bench) { b.in(Broke{Task: gen0, GaveUp: true}) },
			"GEN_0.0 on n-GEN_0.0: its agent is lost: it has heard nothing from the hub for 5s",
		},
		"one agent was killed meanwhile": {
			8 * time.Second, func(b *bench) { b.lose(ctx0); b.after(4*time.Second, ctx0) },
			"CTX_0.0 on n-CTX_0.0: its agent is lost: its connection broke and was not back within 5s",
		},
		"an agent was killed after a short pause": {
			3 * time.Second, func(b *bench) { b.lose(ctx0); b.after(4*time.Second, ctx0) },
			"CTX_0.0 on n-CTX_0.0: its agent is lost: its connection broke and was not back within 5s",
		},
		"a connection ended because all stood still, and comes back": {
			8 * time.Second, func(b *bench) {
				b.in(Broke{Task: ctx0})
				b.after(4500*time.Millisecond, ctx0)
				b.in(Back{Task: ctx0})
				b.after(time.Minute)
			},
			"",
		},
		"an agent was killed long after": {
			8 * time.Second, func(b *bench) { b.after(time.Minute); b.lose(ctx0) },
			"CTX_0.0 on n-CTX_0.0: its agent is lost: its connection broke and was not back within 1s",
		},
		"an agent gave up when the hub had run again for a while": {
			8 * time.Second, func(b *bench) { b.after(4*time.Second, ctx0); b.in(Broke{Task: ctx0, GaveUp: true}) },
			"CTX_0.0 on n-CTX_0.0: its agent is lost: it has heard nothing from the hub for 5s",
		},
		"nobody noticed": {8 * time.Second, func(b *bench) { b.after(time.Minute) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			b.after(2 * time.Second)
			b.now = b.now.Add(tt.pause)
			tt.act(b)
			got := ""
			if c := b.job.Cause(); c != nil {
				got = c.String()
			}
			if got != tt.want {
				t.Errorf("cause %q, want %q", got, tt.want)
			}
		})
	}
}

// An agent that gave the hub up before it was let in is a failure of its step, or of the hub if that stood still.
func TestUnheard(t *testing.T) {
	for pause, want := range map[time.Duration]string{
		0:               "GEN_0.0: an agent ended: no sign of life from the hub for 5s",
		8 * time.Second: "BENCHMARK.0 on n-BENCHMARK.0: lost: it did not run for 8s, and GEN_0.0 gave it up",
	} {
		b := newBench(t)
		b.hello(ctx0, server, benchmark)
		b.after(2 * time.Second)
		b.now = b.now.Add(pause)
		b.in(Step{Report: protocol.StepReport{
			Role: gen0.Role, Detail: "an agent ended",
			Diagnosis: protocol.Diagnosis{Meaning: protocol.HubSilent, Line: protocol.NoSignOfLife + " for 5s"},
		}})
		if c := b.job.Cause(); c == nil || c.String() != want {
			t.Errorf("after a pause of %v: %v, want %s", pause, c, want)
		}
	}
}

// givenUpWhileLetIn stops the hub for 8 s, in which an agent is let in and gives it up: the hub learns both when it
// goes on, and the latter only from the agent's step.
func (b *bench) givenUpWhileLetIn() {
	b.t.Helper()
	b.hello(ctx0, server, benchmark)
	b.after(2 * time.Second)
	b.now = b.now.Add(8 * time.Second)
	b.hello(gen0, gen1)
	b.in(Step{Report: protocol.StepReport{
		Role: gen0.Role, Diagnosis: protocol.Diagnosis{Meaning: protocol.HubSilent, Line: protocol.NoSignOfLife},
	}})
	b.in(Broke{Task: gen0})
}

// So it is with one that was let in while it gave the hub up.
func TestUnheardWhileLetIn(t *testing.T) {
	b := newBench(t)
	b.givenUpWhileLetIn()
	b.after(b.job.plan.Timeouts.Lost.Std(), gen0)
	if c := b.job.Cause(); c == nil || c.Kind != protocol.HubLost {
		t.Errorf("cause %v", c)
	}
}

// The scheduler asks every host by itself: a hub whose agents have all left because one was asked stays a while, for
// the request of its own step or of the batch script, which shows that the whole job was meant.
func TestWholeJobIsAsked(t *testing.T) {
	for name, tt := range map[string]struct {
		next Input
		want string
	}{
		"nobody else is": {nil, "GEN_0.0 on n-GEN_0.0"},
		"the hub is":     {Cancel{Detail: "SIGTERM"}, protocol.WholeJob},
		"the batch script is": {
			Step{Report: protocol.StepReport{Role: benchmark.Role, Cancel: "SIGTERM"}}, protocol.WholeJob,
		},
		"the batch script ends": {Cancel{Detail: "it has ended", All: true}, protocol.WholeJob},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			b.told(gen0, protocol.EventLeaving, "stopped by SIGTERM")
			began := b.now
			b.gone(all...)
			if d := b.job.Deadline(b.now); b.job.Over() || !d.Equal(began.Add(askedLag)) {
				t.Fatalf("over %v, deadline %v after the request", b.job.Over(), d.Sub(began))
			}
			if tt.next == nil {
				b.after(askedLag)
			} else {
				b.in(tt.next)
			}
			if r := b.job.Result(Times{}, b.now); !b.job.Over() || r.FirstCause.Who() != tt.want {
				t.Errorf("over %v, %v, want %s", b.job.Over(), r.FirstCause, tt.want)
			}
		})
	}

	b := newBench(t)
	b.measuring()
	b.in(Cancel{Detail: "the batch script has ended", All: true})
	b.gone(all...)
	if r := b.job.Result(Times{}, b.now); !b.job.Over() || r.FirstCause.Who() != protocol.WholeJob {
		t.Errorf("over %v, %v", b.job.Over(), r.FirstCause)
	}
}

// Somebody cancels the job, and a role crashes because one that it does not need has ended, before its own agent hears
// the request: that two steps were asked shows that all of the job was.
func TestCrashBeforeTheRequestIsHeard(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(gen0, protocol.Outcome{Code: 1, EndedAt: b.now})
	b.now = b.now.Add(askedSkew / 2)
	b.told(ctx0, protocol.EventLeaving, "stopped by SIGTERM")
	if c := b.job.Cause(); c == nil || c.Kind != protocol.ChildExit {
		t.Fatalf("one step was asked: %v", c)
	}
	b.told(server, protocol.EventLeaving, "stopped by SIGTERM")
	if c := b.job.verdict(); c.Kind != protocol.CauseCancelled || c.Who() != protocol.WholeJob {
		t.Errorf("two steps were asked: %v", c)
	}
}

// A request to end that comes to every agent is one request: it is not told again as a failure of each of them. After a
// failure it is secondary, and with an earlier failure nobody is blamed for it.
func TestRequestToEndIsOne(t *testing.T) {
	b := newBench(t)
	b.measuring()
	for _, task := range all {
		b.told(task, protocol.EventLeaving, "stopped by SIGTERM")
	}
	b.in(Cancel{Detail: "SIGTERM"}, Step{Report: protocol.StepReport{Role: benchmark.Role, Cancel: "SIGTERM"}})
	b.gone(all...)
	if r := b.job.Result(Times{}, b.now); r.Verdict != protocol.Cancelled || len(r.Secondary) != 0 {
		t.Errorf("%s, secondary %v", r.Verdict, r.Secondary)
	}

	b = newBench(t)
	b.measuring()
	b.exit(ctx0, protocol.Outcome{Code: 3})
	b.now = b.now.Add(time.Second)
	b.told(gen0, protocol.EventLeaving, "stopped by SIGTERM")
	b.gone(all...)
	if r := b.job.Result(Times{}, b.now); r.FirstCause.Task() != ctx0 || r.FirstCause.Subject != "" ||
		len(r.Secondary) != 1 || r.Secondary[0].Kind != protocol.CauseCancelled {
		t.Errorf("cause %v, secondary %v", r.FirstCause, r.Secondary)
	}
}

// A request to end counts from when the agent saw it, and not from when the hub, which stood still, heard of it: what
// failed in between came later.
func TestRequestToEndIsOld(t *testing.T) {
	b := newBench(t)
	b.measuring()
	asked := b.now
	b.now = b.now.Add(4 * time.Second)
	b.report(gen0, protocol.Event{Kind: protocol.EventLeaving, At: asked, Detail: "stopped by SIGTERM"})
	b.report(ctx0, protocol.Event{
		Kind: protocol.EventExited, At: b.now, Outcome: &protocol.Outcome{Code: 1, EndedAt: asked.Add(time.Second)},
	})
	if c := b.job.Cause(); c == nil || c.Kind != protocol.CauseCancelled {
		t.Errorf("cause %v", c)
	}
}

// What the agents of a step say that a signal stopped before they reached the hub is a request to end, and no failure
// of the step; at the end of the job's time it is the limit's.
func TestStoppedEarly(t *testing.T) {
	for name, tt := range map[string]struct {
		ends time.Duration // of the job, from now; 0: not known
		kind protocol.CauseKind
	}{
		"by somebody":       {0, protocol.CauseCancelled},
		"long before":       {time.Hour, protocol.CauseCancelled},
		"when time is up":   {500 * time.Millisecond, protocol.TimeLimit},
		"when time is over": {-time.Second, protocol.TimeLimit},
	} {
		b := newBench(t)
		b.hello(ctx0, server, benchmark)
		if tt.ends != 0 {
			b.in(Step{Report: protocol.StepReport{Role: benchmark.Role, JobEnds: b.now.Add(tt.ends)}})
		}
		b.in(Step{Report: protocol.StepReport{
			Role: gen0.Role, Detail: "an agent ended", // what the others of the step do is not waited for
			Diagnosis: protocol.Diagnosis{Meaning: protocol.Asked, Line: protocol.StoppedEarly},
		}})
		if c := b.job.Cause(); c == nil || c.Kind != tt.kind || c.Role != gen0.Role {
			t.Errorf("%s: cause %v", name, c)
		}
	}
}
