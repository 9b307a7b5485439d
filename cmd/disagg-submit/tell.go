package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/notice"
	"github.com/disagg/disagg/pkg/notice/post"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/report/gather"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/telemetry"
	"github.com/disagg/disagg/pkg/upload"
)

// How long it may take to read what a run has left, and to send all of its notices.
const (
	leftBound   = 5 * time.Second
	noticeBound = 10 * time.Second
)

// left is what a run has left behind.
type left struct {
	in        report.Input
	attempt   rundir.Attempt // "": its run directory does not answer
	submitted time.Time
}

// tell lets the tools hear of a run that is over; notices are sent of the last try alone. Nothing of that changes how
// the run ended.
func (w *watcher) tell(out launch.Outcome, err error, last bool) {
	if w.tools.none() || err != nil && out.Result == nil { // the job goes on
		return
	}
	l := w.left(out, leftBound)
	ctx, cancel := context.WithTimeout(context.Background(), exportBound)
	defer cancel()
	if err := w.tools.export(ctx, w.out, telemetry.Build(l.in, l.submitted)); err != nil {
		fmt.Fprintf(w.out, "export:  failed: %s\n", oneLine(err))
		fmt.Fprintf(w.out, "         to do it again: disagg-submit export %s\n", w.name())
	}
	if !last {
		return
	}
	end := notice.Ended{At: time.Now(), Code: out.End.ExitCode(), Attempt: string(l.attempt)}
	if out.Result == nil {
		end.Why = launch.NoVerdict(rundir.Dir(w.plan.RunDir), out.End).Error()
	}
	w.notify(l, end)
}

// tellNotSubmitted tells who wants to hear of the run that it has no job, or that nobody knows whether it has.
func (w *watcher) tellNotSubmitted(err error) {
	l := left{in: report.Input{Plan: w.plan}}
	l.in.Result.RunID = w.plan.RunID(0)
	end := notice.Ended{At: time.Now(), Code: protocol.ExitPending, Why: oneLine(err)}
	if s, ok := errors.AsType[*submissionError](err); ok {
		end.Code = s.code
	}
	w.notify(l, end)
}

// oneLine is an error that may be several, for a terminal.
func oneLine(err error) string { return report.Printable(strings.ReplaceAll(err.Error(), "\n", "; ")) }

// left reads what a run has left behind. Of a run directory that does not answer for so long it is what is known
// without it.
func (w *watcher) left(out launch.Outcome, patience time.Duration) left {
	known := left{in: report.Input{Plan: w.plan}}
	known.in.Result.RunID = w.plan.RunID(0)
	if out.Result != nil {
		known.in.Result = *out.Result
	}
	found := make(chan left, 1)
	go func() {
		in, attempt, err := gather.Brief(w.plan.RunDir)
		if err != nil {
			found <- known
			return
		}
		if out.Result != nil && in.Result.Verdict == "" { // which could not be kept there
			in.Result = *out.Result
		}
		found <- left{in, attempt, submittedAt(attempt.Dir())}
	}()
	select {
	case l := <-found:
		return l
	case <-time.After(patience):
		return known
	}
}

// notify tells all targets how a run ended.
func (w *watcher) notify(l left, end notice.Ended) {
	if len(w.tools.targets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), noticeBound)
	defer cancel()
	printNotices(w.out, noticesKept().Tell(ctx, w.tools.targets, notice.New(l.in, end)))
}

// noticesKept is the outbox of this user's notices.
func noticesKept() post.Outbox {
	data, err := upload.DataDir()
	if err != nil {
		return post.Nowhere(err)
	}
	return post.In(data)
}

// printNotices prints a line a notice.
func printNotices(out io.Writer, reports []post.Report) {
	for _, r := range reports {
		line := "sent to " + r.Target
		switch {
		case r.Before:
			line = r.Target + " was told before"
		case r.Sent && r.Err != nil:
			line += ", but: " + oneLine(r.Err)
		case r.Sent:
		case r.Dead:
			line = fmt.Sprintf("%s will not take it: %s", r.Target, oneLine(r.Err))
		default:
			line = fmt.Sprintf("not sent to %s, it is kept and sent later: %s", r.Target, oneLine(r.Err))
		}
		fmt.Fprintf(out, "notice:  %s\n", report.Printable(line))
	}
}

// tellLeftovers sends the notices of earlier runs that were not sent.
func (w *watcher) tellLeftovers() {
	kept := noticesKept()
	ctx, cancel := context.WithTimeout(context.Background(), leftoverTime)
	defer cancel()
	sent := 0
	var why error
	for _, r := range kept.Retry(ctx, kept.Pending()) {
		if r.Sent {
			sent++
		} else if r.Err != nil {
			why = r.Err
		}
	}
	if sent > 0 {
		fmt.Fprintf(w.out, "notices: %d of earlier runs %s sent, too\n", sent, plural(sent, "was", "were"))
	}
	if why != nil {
		fmt.Fprintf(w.out, "notices: of earlier runs, some are still to be sent: %s\n", oneLine(why))
	}
}

// of chooses the notices of a run; none if it is about sinks that were named.
func (o outboxes) of(kept []post.Kept) (list []post.Kept) {
	if o.plan.ID == "" {
		return nil
	}
	for _, k := range kept {
		if _, ours := o.plan.AttemptOf(k.Notice.RunID); ours {
			list = append(list, k)
		}
	}
	return list
}

// drainNotices sends the notices of a run that are pending, and tells how many still are.
func (o outboxes) drainNotices(c *cli.Context) (pending int) {
	out := c.App.Writer
	if c.Bool("json") { // which is about records
		out = c.App.ErrWriter
	}
	ctx, cancel := context.WithTimeout(c.Context, noticeBound)
	defer cancel()
	kept := noticesKept()
	printNotices(out, kept.Retry(ctx, o.of(kept.Pending())))
	return len(o.of(kept.Pending()))
}

// notices are those of a run that were not sent. The others are only known to have been sent.
func (o outboxes) notices() (list []recordState) {
	kept := noticesKept()
	for _, k := range o.of(kept.Pending()) {
		list = append(list, recordState{k.Target, k.Notice.ID, "pending", k.Tries, k.Error})
	}
	for _, k := range o.of(kept.Dead()) {
		list = append(list, recordState{k.Target, k.Notice.ID, "dead", k.Tries, k.Error})
	}
	return list
}
