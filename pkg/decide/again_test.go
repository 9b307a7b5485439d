package decide

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// measuredAgain is a job whose servers are measured several times, or once more if that is suspicious.
func measuredAgain(t *testing.T, times int, confirm bool) *bench {
	t.Helper()
	b := benchWith(t, func(in *plan.Input) {
		in.Policy.Measurements = times
		in.Gate = plan.Gate{Mode: plan.GateFail, Confirm: confirm}
	})
	b.measuring()
	b.event(server, protocol.EventAddress)
	return b
}

// measure ends a measurement well, after a minute.
func (b *bench) measure(number int, change func([]protocol.Point)) {
	b.after(time.Minute)
	b.event(benchmark, protocol.EventRelease)
	b.exit(benchmark, protocol.Outcome{})
	points := goodPoints()
	for i := range points {
		points[i].Measurement = number
	}
	if change != nil {
		change(points)
	}
	b.points(points...)
}

// has tells whether an effect was wanted since the last call.
func (b *bench) has(e Effect) bool {
	is := slices.Contains(b.other, e)
	b.other = nil
	return is
}

var (
	startAgain = []string{"BENCHMARK.0 start", "BENCHMARK.0 watch"}
	stopped    = []string{"BENCHMARK.0 stop", "GEN_0.0 stop", "GEN_0.1 stop", "CTX_0.0 stop", "DISAGG_SERVER.0 stop"}
)

// expectStop checks that everybody is told to stop; the release is told, and asks everybody, before.
func (b *bench) expectStop() {
	b.t.Helper()
	got := slices.DeleteFunc(b.take(), func(s string) bool { return strings.HasSuffix(s, " check") })
	slices.Sort(got)
	want := slices.Sorted(slices.Values(stopped))
	if !slices.Equal(got, want) {
		b.t.Errorf("got %v, want %v", got, want)
	}
}

// The benchmark is started again and again on servers that nobody stops meanwhile, and whose release does not count
// before the last time. The points of each measurement are kept apart.
func TestMeasuresSeveralTimes(t *testing.T) {
	b := measuredAgain(t, 3, false)
	for number := range 2 {
		b.measure(number, nil)
		b.expect(startAgain...)
		if !b.has(Again{Number: number + 1, Of: 3}) || b.peers[benchmark]["DISAGG_SERVER"] == "" {
			t.Errorf("measurement %d: %v", number, b.peers[benchmark])
		}
		b.event(benchmark, protocol.EventStarted)
		if !b.has(Follow{Measurement: number + 1}) {
			t.Error("nobody reads what it leaves")
		}
	}
	if v := b.job.View(b.now); len(v.Points) != 4 || v.Phase != protocol.Measuring {
		t.Errorf("%+v", v)
	}
	b.measure(2, nil)
	b.expectStop()
	b.gone(all...)
	r := b.job.Result(Times{}, b.now)
	if r.Verdict != protocol.Passed || len(r.Points) != 2 || len(r.Again) != 2 || r.Again[1][0].Measurement != 2 {
		t.Errorf("%+v", r)
	}
	if got := r.Phases.Benchmark; got != 180 {
		t.Errorf("the benchmark took %v s", got)
	}
}

// What fails while the servers are measured again fails the job, and says when. The points before it are kept.
func TestMeasuringAgainFails(t *testing.T) {
	for name, tt := range map[string]struct {
		act    func(*bench)
		who    roles.Task
		kind   protocol.CauseKind
		detail string
	}{
		"a server dies": {
			func(b *bench) { b.exit(gen0, protocol.Outcome{Code: 3}) }, gen0, protocol.ChildExit, "exited with code 3",
		},
		"a server leaves": {
			func(b *bench) { b.exit(gen0, protocol.Outcome{}); b.after(settle) }, gen0, protocol.ChildExit,
			"exited with code 0 before",
		},
		"a point does not count": {
			func(b *bench) {
				b.measure(1, func(p []protocol.Point) { p[1].Invalid = "1 of 8 requests failed" })
				b.checked()
			},
			benchmark, protocol.ResultsInvalid, "measurement 2 of 2: the result for concurrency 8 does not count",
		},
		"a point is missing": {
			func(b *bench) { b.exit(benchmark, protocol.Outcome{}); b.points(); b.checked() },
			benchmark, protocol.ResultsInvalid, "measurement 2 of 2: the benchmark ended well but left no result",
		},
		"it takes too long": {
			func(b *bench) { b.untilPhaseEnds() }, benchmark, protocol.Deadline,
			"measurement 2 of 2: the benchmark ran",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := measuredAgain(t, 2, false)
			b.measure(0, nil)
			b.event(benchmark, protocol.EventStarted)
			tt.act(b)
			b.gone(all...)
			b.after(time.Minute)
			r := b.job.Result(Times{}, b.now)
			c := r.FirstCause
			if c == nil || c.Role != tt.who.Role || c.Kind != tt.kind || !strings.HasPrefix(c.Detail, tt.detail) {
				t.Errorf("%+v", c)
			}
			if len(r.Points) != 2 || !b.job.Over() {
				t.Errorf("phase %s, %d points", b.job.Phase(), len(r.Points))
			}
		})
	}
}

// Without its agent the benchmark cannot be started again.
func TestCannotMeasureAgain(t *testing.T) {
	b := measuredAgain(t, 2, false)
	b.exit(benchmark, protocol.Outcome{})
	b.in(Bye{Task: benchmark})
	b.points(goodPoints()...)
	if c := b.job.Cause(); c == nil || c.Detail != "measurement 2 of 2: cannot begin: its agent has left" {
		t.Errorf("%v", c)
	}
}

// A first measurement that is suspicious is confirmed by a second one. Nobody is waited for who does not say whether it
// is.
func TestConfirms(t *testing.T) {
	for name, tt := range map[string]struct {
		act   func(*bench)
		again bool
	}{
		"suspicious":     {func(b *bench) { b.in(Judged{Suspicious: true}) }, true},
		"not suspicious": {func(b *bench) { b.in(Judged{}) }, false},
		"no answer":      {func(b *bench) { b.after(judgeBound) }, false},
		"too late":       {func(b *bench) { b.after(judgeBound); b.in(Judged{Suspicious: true}) }, false},
		"answered in time although the hub stood still": {func(b *bench) {
			b.now = b.now.Add(2 * judgeBound)
			b.in(Judged{Suspicious: true})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := measuredAgain(t, 0, true)
			b.measure(0, nil)
			b.expect()
			if !b.has(Judge{}) {
				t.Fatal("nobody is asked")
			}
			tt.act(b)
			if !tt.again {
				b.expectStop()
				return
			}
			b.expect(startAgain...)
			b.event(benchmark, protocol.EventStarted)
			b.measure(1, nil)
			b.expectStop()
			b.gone(all...)
			if r := b.job.Result(Times{}, b.now); r.Verdict != protocol.Passed || len(r.Again) != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// There is no second measurement that would not end in time, and a server that dies meanwhile ends the wait.
func TestConfirmsInTime(t *testing.T) {
	for name, tt := range map[string]struct {
		left  time.Duration // of the job, when the first measurement is over
		again bool
	}{
		"time enough":     {10 * time.Minute, true},
		"too little time": {100 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := measuredAgain(t, 0, true)
			b.job.opts.JobEnds = b.now.Add(time.Minute + tt.left)
			b.measure(0, nil)
			if b.has(Judge{}) != tt.again {
				t.Error("asked, or not")
			}
		})
	}
	b := measuredAgain(t, 0, true)
	b.measure(0, nil)
	b.exit(gen0, protocol.Outcome{Code: 3})
	b.in(Judged{Suspicious: true})
	if c := b.job.Cause(); c == nil || c.Role != gen0.Role || b.job.Phase() != protocol.Stopping {
		t.Errorf("%v", c)
	}
	b.expectStop()
}
