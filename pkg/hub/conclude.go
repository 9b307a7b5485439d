package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report/gather"
	"github.com/disagg/disagg/pkg/rundir"
)

// defaultPatience is as much of a scheduler's grace period as can be spared for a run directory that does not answer.
const defaultPatience = time.Second

// conclude records what is left, uploads and writes the verdict. The second result tells whether that is in the run
// directory.
func (h *Hub) conclude() (protocol.Result, bool) {
	h.lastPoints()
	h.journal.state(h.machine)
	over := h.journal.now()
	var cancel protocol.CancelRequest
	h.opts.Disk.Do("read cancel.json", 0, func() (err error) {
		cancel, err = rundir.ReadCancel(rundir.Dir(h.opts.Plan.RunDir))
		return err
	}, nil)
	if h.completed() { // the records are there to be judged
		h.machine.CancelledBy(cancel)
		h.compare(over)
	}
	r := h.result(over)
	h.journal.verdict(r)
	var submission protocol.Submission // made by hand there is none
	h.opts.Disk.Do("read submission.json", 0, func() (err error) {
		submission, err = rundir.ReadSubmission(rundir.Dir(h.opts.Plan.RunDir))
		return err
	}, nil)
	answers := h.opts.Disk.Flush(h.opts.DiskPatience)
	if answers {
		h.opts.Times.Submitted = submission.At
		r = h.result(over)
		begun := time.Now()
		up := h.upload()
		r.Upload, r.Phases.Upload = &up, time.Since(begun).Round(time.Millisecond).Seconds()
		h.journal.upload(up)
	} else {
		h.opts.Log.Warn("the run directory does not answer: the records, if any, stay pending")
	}
	h.journal.close()
	r.EndedAt = h.journal.now().UTC()
	r.Lost = h.lost(answers)
	return r, h.write(r, answers)
}

// completed waits until all points are recorded as they are known in the end, and tells whether they are. The rest of
// the generation servers' logs is read while the run directory takes what waits for it.
func (h *Hub) completed() bool {
	if h.steps != nil {
		close(h.steps.ended)
	}
	answers := h.opts.Disk.Flush(h.opts.DiskPatience)
	if answers && h.steps != nil && h.addStepTimes() {
		answers = h.opts.Disk.Flush(h.opts.DiskPatience)
	}
	if answers && h.opts.Plan.Cluster.SampleGPUs > 0 && h.addGPUUse() {
		answers = h.opts.Disk.Flush(h.opts.DiskPatience)
	}
	return answers
}

// lost tells what the run directory did not take, "" if it took everything.
func (h *Hub) lost(answers bool) string {
	var parts []string
	if n, why := h.journal.events.Lost(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d journal entries could not be written: %v", n, why))
	}
	if n := h.unsaved.Load(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d records could not be saved, so they are not sent anywhere", n))
	}
	if !answers {
		parts = append(parts,
			"the run directory did not answer at the end: what was not written before may be missing there")
	}
	return strings.Join(parts, "; ")
}

func (h *Hub) result(now time.Time) protocol.Result {
	r := h.machine.Result(h.opts.Times, now)
	r.RunID, r.JobID, r.GPUUse = h.opts.RunID, h.opts.JobID, h.gpus.run
	for _, list := range append([][]protocol.Point{r.Points}, r.Again...) {
		for i := range list { // more may be known of it by now
			if at := h.place(list[i]); at >= 0 {
				list[i] = h.points[at]
			}
		}
	}
	return r
}

// lastPoints takes the points that were complete when the benchmark was stopped in the middle: they still count as
// measured.
func (h *Hub) lastPoints() {
	if h.follow == nil {
		return
	}
	h.stopFollowing()
	late := time.After(h.opts.DiskPatience)
	for {
		select {
		case pt, more := <-h.follow:
			if !more {
				h.machine.Points(h.present())
				return
			}
			h.keepPoint(pt)
		case <-late:
			h.opts.Log.Warn("the benchmark's results cannot be read: the run directory does not answer")
			h.machine.Points(h.present())
			return
		}
	}
}

// writeBeforehand writes the verdict as it is known so far, because there may be no time for more. The last one takes
// its place, if it comes to that.
func (h *Hub) writeBeforehand() {
	r := h.result(h.journal.now())
	r.EndedAt = h.journal.now().UTC()
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return // the last one will tell
	}
	h.hasty = true
	h.opts.Disk.Create(h.opts.Attempt.Result(), append(data, '\n'), func(err error) { h.early.Store(err == nil) })
}

// report makes the report where the run directory is read and written, once everything else is there. A report that
// cannot be made, or written, is told, and changes nothing else.
func (h *Hub) report(r protocol.Result) {
	leave := func() error {
		made, err := gather.Make(h.opts.Plan, h.opts.Attempt, r)
		if err != nil {
			return err
		}
		return made.Write(h.opts.Attempt)
	}
	h.opts.Disk.Do("write the report", 0, leave, func(err error) {
		if err != nil {
			h.opts.Log.Warn("cannot leave a report", zap.Error(err))
		}
	})
}

// write writes the report and, last, the verdict.
func (h *Hub) write(r protocol.Result, answers bool) bool {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		h.opts.Log.Error("cannot encode the verdict", zap.Error(err))
		return false
	}
	h.report(r)
	written := make(chan error, 1)
	if h.hasty { // so that it is known whose verdict is there
		h.opts.Disk.Flush(h.opts.DiskPatience / 4)
	}
	if told := func(err error) { written <- err }; h.early.Load() {
		h.opts.Disk.Replace(h.opts.Attempt.Result(), append(data, '\n'), true, told)
	} else {
		h.opts.Disk.Create(h.opts.Attempt.Result(), append(data, '\n'), told)
	}
	patience := h.opts.DiskPatience
	if !answers { // it had its time
		patience = h.opts.DiskPatience / 4
	}
	h.opts.Disk.Flush(patience)
	select {
	case err := <-written:
		if err != nil {
			h.opts.Log.Error("cannot write the verdict", zap.Error(err))
		}
		return err == nil || errors.Is(err, os.ErrExist)
	default:
		return false
	}
}
