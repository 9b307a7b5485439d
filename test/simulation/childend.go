package simulation

import (
	"cmp"
	"time"

	"github.com/disagg/disagg/pkg/decide/rank"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// stop asks it to end. What hangs ends only when it is killed.
func (c *child) stop(e rank.Stop) {
	j := c.job()
	if c.over() || c.reason != "" {
		return
	}
	c.reason = e.Reason
	if c.failures > 1 {
		c.unwell = c.why
	}
	if c.hung && c.ready && c.unwell == "" && j.now.Sub(c.hungAt) > time.Second {
		// A probe may be waiting for its answer; when it was asked follows from its period.
		if asked := c.hungAt.Add(j.between(0, livePeriod)); j.now.Sub(asked) > time.Second {
			c.unwell = "it has not answered"
			if c.failures == 0 {
				c.since = asked
			}
		}
	}
	if c.unwell != "" && !e.Finished {
		c.a.send(protocol.Event{Kind: protocol.EventUnhealthy, Detail: c.unwell, Since: c.a.local(c.since)})
	}
	c.proc.timer(j.scenario.stop(j), func() {
		if !c.hung {
			c.end(0, "", c.reason)
		}
	})
	c.a.proc.timer(j.plan.Timeouts.Stop.Std(), func() { c.end(137, "SIGKILL", c.reason) })
}

// abandon gives up its start.
func (c *child) abandon(reason string) {
	if c.started || c.abandoned || c.ended {
		return
	}
	c.abandoned, c.ended, c.done = true, true, true
	c.a.step(rank.Done{Outcome: protocol.Outcome{StopReason: reason, EndedAt: c.a.local(c.job().now)}})
}

// end ends the leader, then the rest of the tree. What is stuck ends too, or does not even end.
func (c *child) end(code int, signal, reason string) {
	j := c.job()
	if c.over() || !c.started || c.stuck && j.scenario.deaf {
		return
	}
	reason = cmp.Or(reason, c.reason)
	o := protocol.Outcome{
		Started: true, Code: code, Signal: signal, StopReason: reason, StartedAt: c.a.local(c.startedAt),
		EndedAt: c.a.local(j.now),
	}
	if c.stuck {
		c.endUnfreed(o)
	} else {
		c.tellEnd(o, j.between(0, 20*time.Millisecond))
	}
	inOrder := code == 0 && (c.a.task == roles.Hub() || j.released)
	early := c.a.machine.Asked() && j.stopAt.IsZero() && j.scenario.keep == "" // before the others are told to stop
	if (reason == "" || early) && !inOrder {
		j.fellOver(c.a)
	}
}

// How the end of a process is found that the kernel does not free, as in package supervisor.
const (
	endPeriod   = 50 * time.Millisecond
	endPatience = 500 * time.Millisecond
	treeKill    = 2 * time.Second
)

// endUnfreed ends a process that the kernel takes its time to free, or never frees: its end is told after a while, and
// it is given as long to be freed as a process that is asked to stop has.
func (c *child) endUnfreed(o protocol.Outcome) {
	j := c.job()
	c.dead = true
	freed := j.scenario.freed(c.a.task)
	told := j.between(endPatience, endPatience+2*endPeriod)
	if freed < endPeriod { // nobody has looked meanwhile
		o.EndedAt = o.EndedAt.Add(freed)
	} else {
		o.EndedAt = o.EndedAt.Add(-j.between(0, endPeriod)) // when it was last seen alive
	}
	if freed < told {
		c.proc.timer(freed, func() { c.tellEnd(o, j.between(0, 20*time.Millisecond)) })
		return
	}
	stood := c.a.proc.stopped
	c.a.proc.timer(told, func() {
		if stood {
			c.foundAfterPause(&o)
		}
		most := max(treeKill, j.plan.Timeouts.Stop.Std())
		if c.a.machine.Stopped() != "" { // it was asked to stop before that
			most += treeKill
		}
		c.tellEnd(o, min(freed-told, most))
	})
}

// tellEnd lets the agent know of the end, and after a while that nothing is left.
func (c *child) tellEnd(o protocol.Outcome, rest time.Duration) {
	if c.ended {
		return
	}
	c.ended, c.address, c.ready = true, false, false
	stood := c.a.proc.stopped
	c.a.proc.takes(func() {
		if c.a.isHub() {
			c.job().lookForRelease()
		}
		if stood {
			c.foundAfterPause(&o)
		}
		c.a.step(rank.Ended{Outcome: o})
	})
	c.a.proc.timer(rest, func() {
		c.done = true
		c.a.step(rank.Done{Outcome: o})
	})
}

// foundAfterPause says when a child counts as ended whose agent stood still then, as in package supervisor.
func (c *child) foundAfterPause(o *protocol.Outcome) {
	j, at := c.job(), c.a.proc.stoppedAt
	o.EndedAt = c.a.local(j.now)
	if j.now.Sub(at) >= endPatience {
		o.EndedBy = o.EndedAt
		o.EndedAt = c.a.local(at.Add(-j.between(0, endPeriod)))
	}
}

// gone is the end of a child whose agent was killed: the kernel kills it too.
func (c *child) gone() {
	if c.ended || !c.started {
		c.ended = true
		return
	}
	c.ended, c.done, c.address, c.ready = true, true, false, false
	c.job().fellOver(c.a)
}
