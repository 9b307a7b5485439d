package hub

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/steptime"
)

// stepPoll is how often the logs of the generation servers are read on. That is done while the benchmark runs, so that
// little is left to be read when nothing but the verdict is waited for.
const stepPoll = 2 * time.Second

// stepLogs reads the logs of the generation servers, in a goroutine of its own.
type stepLogs struct {
	servers []*serverLog
	ended   chan struct{}    // closed when the servers have ended
	found   chan stepsOfLogs // holds one answer
}

// serverLog is the output of one server: what its ranks print counts together, as in upstream's log of a server.
type serverLog struct {
	reader steptime.Reader
	ranks  []*rundir.Tail
}

// stepsOfLogs is what the logs say, once they have ended.
type stepsOfLogs struct {
	mean steptime.Stats // of the servers that print steps
	none bool           // there is no step in any log
	// fault is why the logs do not tell all; "": they do.
	fault string
}

// followSteps begins to read the logs of a plan's generation servers; nil if it has none, or if they may be kept: their
// logs hold several measurements then, and have no end.
func followSteps(p plan.Plan, a rundir.Attempt) *stepLogs {
	if p.Policy.Keep != "" {
		return nil
	}
	s := &stepLogs{ended: make(chan struct{}), found: make(chan stepsOfLogs, 1)}
	for _, pl := range p.Layout.Placements {
		if pl.Role.Kind != roles.Gen {
			continue
		}
		server := &serverLog{}
		for _, t := range pl.Tasks() {
			server.ranks = append(server.ranks, &rundir.Tail{File: a.RankLog(t)})
		}
		s.servers = append(s.servers, server)
	}
	if len(s.servers) == 0 {
		return nil
	}
	go s.follow()
	return s
}

// follow reads on until the servers have ended, and then the rest.
func (s *stepLogs) follow() {
	tick := time.NewTicker(stepPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, server := range s.servers {
				server.read()
			}
		case <-s.ended:
			s.found <- s.rest()
			return
		}
	}
}

// read reads on. Each line is handed over as a whole: the ranks of a server have a log each.
func (l *serverLog) read() {
	for _, log := range l.ranks {
		log.Read(l.line)
	}
}

func (l *serverLog) line(text []byte) {
	_, _ = l.reader.Write(text) // it never fails
	l.reader.End()
}

// rest reads what is left of logs that have ended, and tells what all of them say.
func (s *stepLogs) rest() (found stepsOfLogs) {
	var all []steptime.Stats
	for _, server := range s.servers {
		for _, log := range server.ranks {
			if !rundir.Sealed(log.File) && found.fault == "" { // looked at first: what is sealed grows no more
				found.fault = log.File + " is not complete"
			}
			log.Read(server.line)
			log.Rest(server.line)
		}
		if steps, ok := server.reader.Stats(); ok {
			all = append(all, steps)
		}
	}
	mean, ok := steptime.Mean(all)
	found.mean, found.none = mean, !ok
	return found
}

// addStepTimes completes the point with the time of decode's steps, if the logs of its servers tell it. It tells
// whether they do.
func (h *Hub) addStepTimes() bool {
	var found stepsOfLogs
	select {
	case found = <-h.steps.found:
	case <-time.After(h.opts.DiskPatience):
		found.fault = "the run directory does not show the logs of the generation servers in time"
	}
	fault := found.fault
	if fault == "" {
		fault = h.sharedLogs()
	}
	switch {
	case found.none || len(h.points) == 0 || h.points[0].Invalid != "": // there is nothing to be told
		return false
	case fault != "":
		h.opts.Log.Info("the time of decode's steps is not known", zap.String("why", fault))
		h.journal.stepTimes("not known: " + fault)
		return false
	}
	h.points[0] = results.WithStepTimes(h.points[0], found.mean)
	h.machine.Points(h.present())
	h.save(0)
	h.journal.stepTimes(fmt.Sprintf("mean %.3f ms, P99 %.3f ms, of %d steps", found.mean.Mean, found.mean.P99,
		found.mean.Steps))
	return true
}

// sharedLogs tells why the steps of the logs are not of one point, "" if they are. A log does not say for which point a
// step was made, so that it tells the steps of a point only if its server has served no other.
func (h *Hub) sharedLogs() string {
	switch points := len(h.opts.Plan.Case.Load.Points()); {
	case points > 1:
		return fmt.Sprintf("%d points share the logs of the generation servers", points)
	case h.number > 0:
		return fmt.Sprintf("%d measurements share the logs of the generation servers", h.number+1)
	}
	return ""
}

// stepTimes notes what the logs of the generation servers say.
func (j *journal) stepTimes(detail string) {
	j.write(protocol.Entry{Kind: protocol.EntryStepTimes, Detail: detail})
}
