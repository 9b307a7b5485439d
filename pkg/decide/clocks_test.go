package decide

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/check"
)

// An agent is killed, and a role that needs it crashes: the order is the same if the clock of the hub's host was set
// shortly before.
func TestOwnClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{0, time.Hour, 4 * time.Second, -4 * time.Second} {
		b := newBench(t)
		b.now = time.Now()
		b.job = New(b.job.plan, Options{}, b.now)
		b.measuring()
		begun := b.now
		for _, task := range []roles.Task{gen0, ctx0, server} {
			b.in(Alive{Task: task, Sent: begun.Round(0)})
		}
		at := func(after time.Duration) { b.now = check.ClockSet(t, begun.Add(after), by) }
		at(100 * time.Millisecond)
		b.in(Broke{Task: gen0})
		at(801 * time.Millisecond)
		crashed := begun.Add(800 * time.Millisecond).Round(0)
		b.report(server, protocol.Event{
			At: crashed, Kind: protocol.EventExited, Code: 3,
			Outcome: &protocol.Outcome{Started: true, Code: 3, EndedAt: crashed},
		})
		for ms := range 3 { // it looks again before it misses an agent
			at(1101*time.Millisecond + time.Duration(ms)*101*time.Millisecond)
			b.tick()
		}
		if c := b.job.Cause(); c == nil || c.Role != gen0.Role {
			t.Errorf("set by %v: the cause is %v", by, c)
		}
	}
}

// Two ranks end on one host, and in between a quick message tells more of the host's clock: they are compared by that
// clock, not by what the hub knew of it at either time.
func TestOneClockFromMessageToMessage(t *testing.T) {
	b := newBench(t)
	b.measuring()
	for _, task := range []roles.Task{gen0, gen1} {
		b.in(Attached{Task: task, Hello: protocol.Hello{Task: task, Node: "n1"}})
	}
	const slow = 200 * time.Millisecond
	ends := func(task roles.Task, at time.Time, code int) {
		o := protocol.Outcome{Started: true, Code: code, EndedAt: at}
		b.report(task, protocol.Event{At: at, Kind: protocol.EventExited, Outcome: &o, Code: code})
	}
	crashed := b.now.Add(10 * time.Millisecond)
	b.now = b.now.Add(10*time.Millisecond + slow)
	b.in(Alive{Task: gen1, Sent: crashed})
	b.now = b.now.Add(time.Millisecond)
	ends(gen1, crashed, 3)
	b.in(Alive{Task: gen0, Sent: b.now})
	b.now = b.now.Add(time.Millisecond)
	ends(gen0, crashed.Add(20*time.Millisecond), 137)
	if c := b.job.Cause(); c == nil || c.Task() != gen1 {
		t.Errorf("the cause is %v", c)
	}
}
