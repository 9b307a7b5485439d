package hub

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/slurm"
	"github.com/disagg/disagg/pkg/upload"
)

// Options is what a hub works on.
type Options struct {
	Plan       roles.Plan
	Attempt    roles.Attempt
	RunID      string
	JobID      string    // Slurm's, "" elsewhere
	BatchStart time.Time // when the batch script began; zero if unknown
	JobEnds    time.Time // when Slurm will end the job; zero if unknown
	Submitted  time.Time // when the job was submitted; zero if unknown
	Results    string    // pattern of the benchmark's result files
	Uploader   []string  // program that sends what is pending; see upload.Outbox.DrainBy
	Server     *control.Server
	Script     bool // a batch script starts the steps, and notes their ends
	Log        *zap.Logger
}

// Hub runs one attempt.
type Hub struct {
	opts    Options
	job     *job
	journal *journal
	outbox  upload.Outbox

	follow chan results.Point // points as they are complete; closed when the follower has read everything
	cancel context.CancelFunc // ends the follower
	points []results.Point

	surveyed bool          // preflight.json is written
	blind    time.Duration // waited in vain for what other hosts wrote
}

// New prepares a hub. The attempt's folder must exist.
func New(opts Options) (*Hub, error) {
	j, err := openJournal(opts.Attempt)
	if err != nil {
		return nil, err
	}
	h := &Hub{opts: opts, journal: j, outbox: upload.Outbox{Dir: opts.Attempt.Outbox(), Records: opts.Attempt.Records()}}
	h.job = newJob(opts.Plan, opts.Server.Send, time.Now())
	h.job.ends = opts.JobEnds
	h.job.sees = h.sees
	h.job.words = func(r roles.Role) slurm.Words { return slurm.ReadWords(opts.Attempt.RoleLog(r)) }
	return h, nil
}

// Run decides until the job is over and nothing is left of any role, then uploads what was measured and writes the
// verdict. The end of the context is a request to cancel, its cause the reason.
func (h *Hub) Run(ctx context.Context) (results.Result, error) {
	cancelled := ctx.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for changed := true; h.job.phase != Over; {
		timer.Reset(min(h.untilDeadline(), h.journal.state(h.job, changed)))
		changed = true
		select {
		case in := <-h.opts.Server.Inbound():
			h.hear(in)
		case pt, more := <-h.follow:
			h.point(pt, more)
		case <-timer.C:
			d := h.job.deadline()
			if changed = !d.IsZero() && !time.Now().Before(d); changed {
				h.job.due(time.Now())
			}
		case <-cancelled:
			cancelled = nil
			h.job.cancel(context.Cause(ctx).Error(), time.Now())
		}
	}
	return h.conclude()
}

// idle is how long the hub sleeps when nothing has a bound.
const idle = time.Minute

func (h *Hub) untilDeadline() time.Duration {
	d := h.job.deadline()
	if d.IsZero() {
		return idle
	}
	return max(time.Until(d), 0)
}

func (h *Hub) hear(in control.Inbound) {
	h.journal.heard(in)
	if e := in.Event; e != nil && in.Task == roles.Hub() {
		switch e.Kind {
		case control.Started:
			h.startFollowing()
		case control.Exited:
			h.stopFollowing()
		}
	}
	h.job.hear(in, time.Now())
	if !h.surveyed && !h.job.since[Looking].IsZero() && h.job.phase != Looking {
		h.surveyed = true
		h.journal.note(writeSurvey(h.opts.Attempt, h.job.survey()))
	}
}

// seesBound is how long a shared file system may take to show what another host wrote.
const seesBound = time.Second

// sees tells whether what an agent wrote to the run directory is seen here. All hosts together have the bound: one that
// is not seen ends the job, and the others need not be waited for.
func (h *Hub) sees(t roles.Task) bool {
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(h.opts.Attempt.Agent(t)); err == nil {
			return true
		}
		if waited := time.Since(begun); h.blind+waited > seesBound {
			h.blind += waited
			return false
		}
	}
}

// startFollowing reads the benchmark's results while it runs. When decode alone is measured its metric comes after the
// result block, so a point is only complete at the end.
func (h *Hub) startFollowing() {
	if h.follow != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.follow = cancel, make(chan results.Point, len(h.opts.Plan.Case.Load.Concurrency))
	untilEnd := h.opts.Plan.Case.Mode != "e2e"
	go func() {
		defer close(h.follow)
		results.Follow(ctx, h.opts.Results, h.opts.Plan.Case.Load.Concurrency, untilEnd, func(p results.Point) { h.follow <- p })
	}()
}

func (h *Hub) stopFollowing() {
	if h.cancel != nil {
		h.cancel()
	}
}

// point records one measured point, durably; the end of them lets the job be judged.
func (h *Hub) point(pt results.Point, more bool) {
	if !more {
		h.follow = nil
		h.job.measured(h.points, time.Now())
		h.job.advance(time.Now())
		return
	}
	h.points = append(h.points, pt)
	rec := results.NewRecord(h.opts.Plan, h.opts.RunID, h.opts.JobID, pt, time.Now())
	err := rec.Save(h.opts.Attempt.Records())
	if err == nil {
		err = h.outbox.Add(rec.ID)
	}
	if err != nil {
		h.opts.Log.Error("cannot keep a point", zap.Error(err))
	}
	h.journal.point(pt, err)
}

// uploadBound is how long the upload may hold the allocation. What was not sent by then stays pending.
func (h *Hub) uploadBound() time.Duration {
	t, c := h.opts.Plan.Timeouts, h.job.cause
	if c != nil && (c.Kind == results.CauseCancelled || c.Kind == results.TimeLimit) {
		return t.HastyUpload(h.opts.Plan.Cluster.KillWait)
	}
	return time.Duration(t.Upload)
}

// conclude uploads and writes the verdict.
func (h *Hub) conclude() (results.Result, error) {
	if h.follow != nil { // stopped in the middle: what was complete by now still counts as measured
		h.stopFollowing()
		for pt := range h.follow {
			h.point(pt, true)
		}
		h.job.points = h.points
	}
	h.journal.state(h.job, true)
	r := h.job.result(h.opts, time.Now())
	h.journal.verdict(r)
	ctx, cancel := context.WithTimeout(context.Background(), h.uploadBound())
	defer cancel()
	begun := time.Now()
	report := h.outbox.DrainBy(ctx, h.opts.Uploader, h.opts.Plan.Upload.URL)
	r.Upload, r.Phases.Upload = &report, seconds(time.Since(begun))
	if report.Error != "" {
		h.opts.Log.Warn("cannot upload; the records stay pending", zap.String("error", report.Error), zap.Int("pending", report.Pending))
	}
	r.EndedAt = time.Now()
	h.journal.upload(report)
	if err := h.journal.close(); err != nil {
		h.opts.Log.Warn("cannot complete the journal", zap.Error(err))
	}
	if err := results.WriteReport(h.opts.Attempt.Report(), r); err != nil {
		h.opts.Log.Warn("cannot write the report", zap.Error(err))
	}
	if h.job.quiet() {
		h.tellQuiet()
	}
	if err := r.Write(h.opts.Attempt.Result()); err != nil {
		return r, fmt.Errorf("cannot conclude: %w", err)
	}
	if h.opts.Script && !h.job.quiet() && h.job.hostsAnswer() && h.awaitSteps() {
		h.tellQuiet()
	}
	return r, nil
}

func (h *Hub) tellQuiet() {
	if err := os.WriteFile(h.opts.Attempt.Quiet(), nil, 0o644); err != nil {
		h.opts.Log.Warn("cannot tell the batch script that all is quiet", zap.Error(err))
	}
}

// stepsBound is how long steps that have lost an agent may take to end by themselves. If the batch script ends before them,
// Slurm looks only after one and then two seconds whether it has ended them (proctrack/cgroup).
const stepsBound = time.Second

// awaitSteps waits until the batch script has seen the end of every step but this one.
func (h *Hub) awaitSteps() bool {
	running := func(pl roles.Placement) bool {
		_, err := os.Stat(h.opts.Attempt.RoleDone(pl.Role))
		return pl.Role != roles.Hub().Role && err != nil
	}
	for end := time.Now().Add(stepsBound); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if !slices.ContainsFunc(h.opts.Plan.Layout.Placements, running) {
			return true
		}
	}
	return false
}
