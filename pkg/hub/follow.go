package hub

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/decide"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
)

// followPoll is how often the client's logs are looked at. They may be written on another host, where no notification
// reaches.
const followPoll = 200 * time.Millisecond

// startFollowing reads the benchmark's results while it runs. It may be asked twice for one measurement.
func (h *Hub) startFollowing(measurement int) {
	if h.follow != nil {
		return
	}
	h.number, h.since = measurement, time.Now()
	format, err := h.opts.Plan.ResultFormat()
	if err != nil { // the plan was checked
		h.opts.Log.Error("cannot read the results", zap.Error(err))
		return
	}
	n := len(h.opts.Plan.Case.Load.Points())
	logs := make([]*clientLog, n)
	for i := range logs {
		tail := rundir.Tail{File: plan.PointFile(h.opts.Results, i)}
		logs[i] = &clientLog{tail: tail, parser: format.New(h.opts.Plan.Want(i))}
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.follow = cancel, make(chan protocol.Point, n)
	go readClients(ctx, logs, h.follow)
	if h.steps == nil {
		h.steps = followSteps(h.opts.Plan, h.opts.Attempt)
	}
}

func (h *Hub) stopFollowing() {
	if h.cancel != nil {
		h.cancel()
	}
}

// clientLog is the log of one client run, read as it grows.
type clientLog struct {
	tail   rundir.Tail
	parser results.Parser
	given  string // the point that was given out, as text
}

// readClients gives out each point the moment it is complete, and again if it turns out to be another; when the context
// has ended it reads what is left, gives out what is not complete, and closes the channel.
func readClients(ctx context.Context, logs []*clientLog, points chan<- protocol.Point) {
	defer close(points)
	tick := time.NewTicker(followPoll)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		over = ctx.Err() != nil
		for _, l := range logs {
			l.tail.Read(func(line []byte) { l.parser.Line(string(line)) })
			if over {
				l.tail.Rest(func(line []byte) { l.parser.Line(string(line)) })
			}
			if pt, ok := l.parser.Point(); ok && (over || l.parser.Complete()) && l.isNew(pt) {
				points <- pt
			}
		}
	}
}

// isNew tells whether a point is another than the one that was given out.
func (l *clientLog) isNew(pt protocol.Point) bool {
	text, _ := json.Marshal(pt) // numbers and texts always encode
	if l.given == string(text) {
		return false
	}
	l.given = string(text)
	return true
}

// point records one measured point, durably; the end of them lets the job be judged.
func (h *Hub) point(pt protocol.Point, more bool) {
	if !more {
		h.follow = nil
		h.step(decide.Measured{Points: h.present()})
		return
	}
	h.keepPoint(pt)
}

// present are the points of the present measurement.
func (h *Hub) present() (list []protocol.Point) {
	for _, pt := range h.points {
		if pt.Measurement == h.number {
			list = append(list, pt)
		}
	}
	return list
}

// keepPoint keeps a point; one that was measured again takes the place of the one before.
func (h *Hub) keepPoint(pt protocol.Point) {
	pt.Measurement = h.number
	at := h.place(pt)
	if at < 0 {
		now := time.Now()
		h.points, h.spans = append(h.points, pt), append(h.spans, span{h.since, now})
		at, h.since = len(h.points)-1, now
	}
	h.points[at] = pt
	h.save(at)
	h.journal.point(pt)
	h.soFar()
}

// span is when a point was measured. The client is not asked when it begins: that is the end of the point before, or
// the begin of the measurement.
type span struct{ begin, end time.Time }

// place is where a point stands among all; -1: it does not.
func (h *Hub) place(pt protocol.Point) int {
	return slices.IndexFunc(h.points, func(p protocol.Point) bool {
		return p.Index == pt.Index && p.Measurement == pt.Measurement
	})
}

// save records a point, by its place, durably; one that was recorded before is replaced.
func (h *Hub) save(at int) {
	rec := h.opts.Plan.Record(h.opts.RunID, h.opts.JobID, h.points[at], h.spans[at].end)
	rec.GPUUse, rec.RunGPUUse = h.gpus.of(at), h.gpus.run
	rec.Provenance = rec.Provenance.With(h.machine.Found())
	h.opts.Disk.Do("keep a record", recordSize, func() error { return h.records.Save(rec) }, func(err error) {
		if err != nil {
			h.unsaved.Add(1)
			h.opts.Log.Error("cannot keep a point", zap.Error(err))
		}
	})
}

// soFar keeps junit.xml true: a job that is killed has what was measured until then.
func (h *Hub) soFar() {
	r := protocol.Result{RunID: h.opts.RunID, JobID: h.opts.JobID}
	for _, pt := range h.points {
		r.Add(pt)
	}
	junit, err := report.JUnit(report.Build(report.Input{Plan: h.opts.Plan, Result: r}))
	if err != nil {
		h.opts.Log.Warn("cannot make JUnit", zap.Error(err))
		return
	}
	h.opts.Disk.Replace(h.opts.Attempt.Dir().JUnit(), junit, false, nil)
}

// recordSize is about how many bytes a record holds while it waits.
const recordSize = 4 << 10
