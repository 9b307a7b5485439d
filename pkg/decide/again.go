package decide

import (
	"fmt"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// again is what is known of measurements that follow the first one on the same servers.
type again struct {
	number  int // of the present measurement, from 0
	wanted  int // how many there are to be
	points  [][]protocol.Point
	judgeBy time.Time // when it must be known whether the first is suspicious; zero if nobody waits for that
}

// judgeBound is how long the servers are kept for that.
const judgeBound = 5 * time.Second

func newAgain(wanted int) again { return again{wanted: max(wanted, 1)} }

// mayMeasureAgain tells whether another measurement may follow the present one.
func (m *Machine) mayMeasureAgain() bool {
	return m.again.number+1 < m.again.wanted || m.plan.Gate.Confirm && m.again.number == 0
}

// next goes on after a measurement whose points count: with another one if that is wanted, or if this one must be
// confirmed.
func (m *Machine) next(now time.Time) {
	switch {
	case m.again.number+1 < m.again.wanted:
		m.measureAgain(now)
	case m.mayMeasureAgain() && m.hasTime(now):
		m.again.judgeBy = now.Add(judgeBound)
		m.do(Judge{})
	default:
		m.finish(now)
	}
}

// finish ends a job in which nothing failed.
func (m *Machine) finish(now time.Time) {
	m.again.judgeBy = time.Time{}
	m.attribution.Close()
	m.stopAll(now)
}

// judged takes in whether the first measurement is suspicious.
func (m *Machine) judged(in Judged, now time.Time) {
	if m.again.judgeBy.IsZero() || m.phase != protocol.Measuring {
		return
	}
	m.again.judgeBy = time.Time{}
	if !in.Suspicious || !m.hasTime(now) {
		m.finish(now)
		return
	}
	m.again.wanted = 2
	m.measureAgain(now)
}

// hasTime tells whether a second measurement, which may take half as long again as the first, ends within the time of
// the phase and of the job.
func (m *Machine) hasTime(now time.Time) bool {
	end := now.Add(m.benchEnd.Sub(m.since[protocol.Measuring]) * 3 / 2)
	t := m.plan.Timeouts
	after := (t.Stop + t.Settle + t.Upload).Std()
	return end.Before(m.phaseEnds()) && (m.opts.JobEnds.IsZero() || end.Add(after).Before(m.opts.JobEnds))
}

// measureAgain starts the benchmark once more. The servers stay as they are; all measurements together have the time of
// the phase.
func (m *Machine) measureAgain(now time.Time) {
	m.again.number++
	m.benchEnd = time.Time{}
	b := m.benchmark()
	if b.gone {
		m.fail(m.fact(b, protocol.ResultsInvalid, m.ofMeasurement("cannot begin: its agent has left"), now), now)
		return
	}
	b.started, b.exited = false, false
	peers, _ := m.needed(b.Role)
	m.send(b.Task, protocol.Command{Kind: protocol.CommandStart, Peers: peers, Measurement: m.again.number})
	m.watchPeersOf(b.Role)
	m.do(Again{Number: m.again.number, Of: m.again.wanted})
}

// ofMeasurement says which measurement a failure is about, if there are several.
func (m *Machine) ofMeasurement(detail string) string {
	if m.again.wanted < 2 {
		return detail
	}
	return fmt.Sprintf("measurement %d of %d: %s", m.again.number+1, m.again.wanted, detail)
}

// Points takes the points of the present measurement. Those that were complete although the benchmark was stopped still
// count as measured.
func (m *Machine) Points(points []protocol.Point) {
	if m.again.number == 0 {
		m.points = points
		return
	}
	for len(m.again.points) < m.again.number {
		m.again.points = append(m.again.points, []protocol.Point{})
	}
	m.again.points[m.again.number-1] = slices.Clone(points)
}
