package simulation

import (
	"strconv"
	"time"

	"github.com/disagg/disagg/pkg/decide/rank"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// child is what an agent supervises: a rank of a worker, the coordinator or the benchmark.
type child struct {
	a         *agent
	proc      *process // its own: it goes on while its agent stands still
	begun     bool     // it is being started
	started   bool
	address   bool // its service listens
	ready     bool
	ended     bool // its leader
	done      bool // all of it
	hung      bool
	hungAt    time.Time
	stuck     bool   // the kernel does not free it when it ends, as a process in state D
	dead      bool   // it has ended, and nobody has heard of it yet
	reason    string // why it was stopped
	unwell    string
	failures  int
	why       string
	since     time.Time
	abandoned bool
	startedAt time.Time
	atStart   []func() // what is to happen once it has started
	port      int      // of its service: no two have the same
}

func newChild(a *agent) *child {
	return &child{a: a, proc: &process{w: a.job.world, host: a.proc.host}}
}

func (c *child) job() *job { return c.a.job }

// listens tells whether its port is open: that of a process that hangs is.
func (c *child) listens() bool { return c.address && !c.over() }

// over tells whether it does nothing any more.
func (c *child) over() bool { return c.ended || c.dead }

// start starts it, once its files are written.
func (c *child) start() {
	j := c.job()
	c.begun = true
	c.a.proc.timer(j.between(5*time.Millisecond, 60*time.Millisecond), func() {
		j.disk.answers(c.a.proc, func() {
			if c.abandoned || c.a.left {
				return
			}
			c.started, c.startedAt = true, j.now
			c.a.step(rank.Started{PID: 1})
			if c.a.task.Leader() {
				c.serve()
			}
			for _, happen := range c.atStart {
				happen()
			}
			c.atStart = nil
		})
	})
}

// serve lives the life of a leader's service.
func (c *child) serve() {
	j, a := c.job(), c.a
	switch a.task.Role.Kind {
	case roles.Benchmark:
		c.proc.timer(j.scenario.bench, func() { c.finish(j.between(5*time.Second, time.Minute)) })
	case roles.Coordinator:
		c.once(j.workersListen, func() {
			c.listen(j.between(50*time.Millisecond, 400*time.Millisecond), j.scenario.Load(a.task))
		})
	default:
		c.listen(j.between(50*time.Millisecond, 400*time.Millisecond), j.scenario.Load(a.task))
	}
}

// once does something as soon as what it needs is there, which a role that was started early looks for now and then.
func (c *child) once(there func() bool, do func()) {
	switch {
	case !c.job().plan.Spec(c.a.task.Role).Needs.Early || there():
		do()
	case !c.over() && c.reason == "":
		c.proc.timer(c.job().between(100*time.Millisecond, time.Second), func() { c.once(there, do) })
	}
}

// finish ends the benchmark when all of its requests are answered; after a while without an answer it fails.
func (c *child) finish(patience time.Duration) {
	j := c.job()
	switch {
	case c.over() || c.hung || c.reason != "":
	case j.servesRequests() && shapes[j.scenario.Shape].leave:
		j.release()
		c.proc.timer(j.between(0, 800*time.Millisecond), func() { c.end(0, "", "") })
	case j.servesRequests():
		c.end(0, "", "")
	case patience <= 0:
		c.end(1, "", "")
	default:
		c.proc.timer(time.Second, func() { c.finish(patience - time.Second) })
	}
}

// listen opens the port, and is ready a while after that. The agent looks every 250 ms.
func (c *child) listen(after, load time.Duration) {
	j, a := c.job(), c.a
	look := func() time.Duration { return j.between(0, 250*time.Millisecond) }
	c.proc.timer(after, func() {
		if c.over() || c.hung {
			return
		}
		c.address = true
		j.ports++
		c.port = j.ports
		a.proc.timer(look(), func() {
			if !c.over() {
				a.send(protocol.Event{Kind: protocol.EventAddress, Address: c.at()})
			}
		})
		var probe func()
		probe = func() {
			switch {
			case c.ended || a.left:
			case c.hung || c.dead || !j.workersReady(a.task):
				a.proc.timer(250*time.Millisecond, probe)
			default:
				c.ready = true
				a.send(protocol.Event{Kind: protocol.EventReady})
				c.live()
			}
		}
		c.proc.timer(load, func() { a.proc.timer(look(), probe) })
	})
}

// at is where its service listens.
func (c *child) at() string { return "10.0.0.1:" + strconv.Itoa(c.port) }

// introduce tells a hub that has come later what is known of the service.
func (c *child) introduce() {
	a := c.a
	if !c.address {
		return // that is told when it is known
	}
	a.send(protocol.Event{Kind: protocol.EventAddress, Address: c.at()})
	known := c.ready
	var probe func()
	probe = func() {
		switch {
		case c.ended || a.left || !known || a.machine.Free():
		case c.hung || c.healthy() != "":
			a.proc.timer(250*time.Millisecond, probe)
		default:
			a.send(protocol.Event{Kind: protocol.EventReady})
		}
	}
	a.proc.timer(c.job().between(0, 50*time.Millisecond), probe)
}

// The live probe, as the recipe has it.
const (
	livePeriod   = 10 * time.Second
	liveTimeout  = 5 * time.Second
	liveFailures = 3
)

// live probes the service now and then.
func (c *child) live() {
	j, a := c.job(), c.a
	failed := 0
	var ask func()
	ask = func() {
		if c.ended || a.left || c.reason != "" {
			return
		}
		asked := j.now
		answer := time.Duration(0)
		if c.hung && !c.dead {
			answer = liveTimeout
		}
		a.proc.timer(answer, func() {
			if c.ended || c.reason != "" {
				return
			}
			if why := c.healthy(); why == "" {
				failed, c.failures = 0, 0
			} else {
				if failed++; failed == 1 {
					c.since = asked
				}
				c.failures, c.why = failed, why
				if failed == liveFailures {
					a.send(protocol.Event{Kind: protocol.EventUnhealthy, Detail: why})
				}
			}
			a.proc.timer(livePeriod-answer, ask)
		})
	}
	a.proc.timer(j.between(0, livePeriod), ask)
}

// healthy tells what its health page says: that of the coordinator speaks for all workers.
func (c *child) healthy() string {
	switch {
	case c.dead:
		return "refused"
	case c.hung:
		return "timeout"
	case c.a.task.Role.Kind == roles.Coordinator && !c.job().workersAnswer():
		return "status: 503"
	}
	return ""
}
