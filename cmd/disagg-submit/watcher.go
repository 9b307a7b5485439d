package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/live"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/upload"
)

// watcher shows one job to the person at the terminal.
type watcher struct {
	out       io.Writer
	scheduler scheduler.Scheduler // nil: there is none that could be asked
	plan      plan.Plan
	job       scheduler.Job
	tied      bool // the job cannot go on without this process
	goesOn    bool // the job has more to run after this
	listed    bool // it can be found by its name
	brief     bool // of a run that passed only that is shown
	progress  report.Progress
	screen    *screen
	judged    bool // the verdict of the present attempt is there
	leaves    bool // somebody wanted this process to end while it sent records
	// undelivered is how many records of the last job are not where they must be.
	undelivered int
	tools       tools
}

func newWatcher(c *cli.Context, s scheduler.Scheduler, p plan.Plan, begun time.Time) *watcher {
	return &watcher{
		out: c.App.Writer, screen: &screen{out: c.App.Writer}, scheduler: s, plan: p, tools: toolsOf(c),
		progress: report.Progress{
			Out: c.App.Writer, Layout: p.Layout, Points: len(p.Case.Load.Points()), Begun: begun,
			Now: time.Now, Keeps: p.Policy.Keep != "",
		},
	}
}

// onTerminal lets the watcher draw, where that can be done, what it shows.
func (w *watcher) onTerminal() *watcher {
	w.screen = onTerminal(w.out)
	w.out, w.progress.Out = w.screen, w.screen
	return w
}

func (w *watcher) sayBusy(err error, again time.Duration) {
	w.progress.Say("%v: trying again in %v", err, again)
}

// name is what the run is called on a command line.
func (w *watcher) name() string {
	if w.listed {
		return shortName(w.plan, w.job.ID)
	}
	return command.ShortPath(w.plan.RunDir)
}

// wayBack is the commands that watch the job again, and end it.
func (w *watcher) wayBack() string {
	name := w.name()
	return fmt.Sprintf("disagg-submit watch %s · disagg-submit cancel %s", name, name)
}

// onJob is a watch of the job that tells nobody.
func (w *watcher) onJob() launch.Watch {
	return launch.Watch{Plan: w.plan, Job: w.job, Scheduler: w.scheduler}
}

// what is the job, for people.
func (w *watcher) what() string {
	if w.job.ID == "" {
		return "the run"
	}
	return "job " + w.job.ID
}

// follow watches the job to its end. A signal ends the watch; a job that cannot go on without this process is cancelled
// instead, and watched on.
func (w *watcher) follow(ctx context.Context) (launch.Outcome, error) {
	watching, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	endLeaving := context.AfterFunc(ctx, func() {
		if !w.tied {
			end(context.Cause(ctx))
			return
		}
		how := fmt.Sprintf("by %v to disagg-submit run", context.Cause(ctx))
		if err := launch.Cancel(watching, w.scheduler, w.job, rundir.Dir(w.plan.RunDir), how); err != nil {
			end(fmt.Errorf("%w: %w", context.Cause(ctx), err))
		}
	})
	defer endLeaving()
	w.show(leave)
	defer w.screen.end()
	watch := w.onJob()
	watch.GoesOn, watch.Stays = w.goesOn, w.tied
	watch.Say = func(text string) { w.progress.Say("%s", text) }
	watch.OnState = func(s protocol.State) { w.screen.change(func(v *live.View) { v.State(s) }) }
	watch.OnQueue = func(s protocol.JobState) { w.screen.change(func(v *live.View) { v.Queue(s, time.Now()) }) }
	watch.OnEntry = func(e protocol.Entry) {
		if w.judged { // it is of another attempt
			w.show(leave)
		}
		w.screen.change(func(v *live.View) { v.Entry(e) })
		w.progress.Show(e)
	}
	watch.OnVerdict = func(r protocol.Result, a rundir.Attempt) {
		w.judged = true
		w.screen.end()
		w.verdict(r, a)
	}
	watch.OnSecond = w.second
	out, err := watch.Run(watching)
	w.screen.end()
	if out.Result != nil {
		w.undelivered = w.deliver()
		if !w.leaves {
			w.tidy()
		}
	}
	return out, err
}

// show begins to show an attempt of the job.
func (w *watcher) show(leave func(error)) {
	w.judged = false
	view := live.New(w.plan, w.job.ID)
	if view.Hint = "q leaves; the job goes on"; w.tied {
		view.Hint = "q ends the job"
	}
	w.screen.begin(view, leave)
}

// waitsEvery is how long nothing is said before it is said what the job waits for.
const waitsEvery = time.Minute

// second shows that time passes: in the block if there is one, else by a line now and then.
func (w *watcher) second() {
	switch {
	case w.judged:
	case w.screen.draws():
		w.screen.change(func(*live.View) {})
	case time.Since(w.progress.Said) >= waitsEvery:
		for _, line := range w.screen.view.Waits(time.Now()) {
			w.progress.Say("%s", line)
		}
	}
}

// watch follows the job, and ends with its verdict's exit code.
func (w *watcher) watch(ctx context.Context) error {
	out, err := w.follow(ctx)
	w.tell(out, err, true)
	return w.exit(out, err)
}

// exit is the end of a watch as an exit code.
func (w *watcher) exit(out launch.Outcome, err error) error {
	var submission *submissionError
	switch {
	case errors.As(err, &submission):
		return command.Exit(submission.code, submission.err)
	case err != nil && out.Result == nil && out.End.Phase == protocol.JobEnded:
		return command.Exit(protocol.ExitPending, fmt.Errorf("left (%w) while the verdict of %s was waited for, "+
			"which has ended. disagg-submit watch %s", err, w.what(), w.name()))
	case err != nil && out.Result == nil:
		return command.Exit(protocol.ExitPending,
			fmt.Errorf("left (%w); %s goes on. %s", err, w.what(), w.wayBack()))
	case out.Result == nil:
		return command.Exit(out.End.ExitCode(), launch.NoVerdict(rundir.Dir(w.plan.RunDir), out.End))
	}
	code := out.Result.ExitCode
	if code != protocol.ExitPassed || w.undelivered == 0 || !w.plan.Upload.Required {
		return command.Exit(code, nil)
	}
	return command.Exit(protocol.ExitPending,
		fmt.Errorf("the test passed, and %d records are not where they must be: send them with %s", w.undelivered,
			"disagg-submit upload drain "+w.name()))
}

// deliver sends what the job left to be sent: what only this side can reach, and what the job could not reach. It tells
// how many records are still pending, or will never be sent.
func (w *watcher) deliver() int {
	_, attempts, err := upload.Attempts(w.plan.RunDir)
	if err != nil {
		fmt.Fprintf(w.out, "upload:  failed, the records stay where they are: %s\n", report.Printable(err.Error()))
		return len(w.plan.Case.Load.Points()) * len(w.plan.Upload.Sinks) // what cannot be seen is not taken for sent
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.plan.Timeouts.Upload.Std())
	defer cancel()
	ctx, stop := command.UntilSignal(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	r := w.send(ctx, attempts)
	report.Uploads(w.out, r)
	if r.Error != "" {
		fmt.Fprintf(w.out, "upload:  failed, the records stay pending: %s\n", report.Printable(r.Error))
		fmt.Fprintf(w.out, "         to send them: disagg-submit upload drain %s\n", w.name())
	}
	return r.Pending + r.Dead
}

// leaveBound is how long whoever is asked to end while records are sent waits for what is on its way.
const leaveBound = time.Second

// send delivers until that is done, or somebody wants this process to end: what is not sent by then stays pending.
func (w *watcher) send(ctx context.Context, attempts []rundir.Attempt) protocol.UploadReport {
	done := make(chan protocol.UploadReport, 1)
	go func() { done <- deliver(ctx, w.plan, attempts) }()
	select {
	case r := <-done:
		return r
	case <-ctx.Done():
	}
	w.leaves = !errors.Is(context.Cause(ctx), context.DeadlineExceeded)
	select {
	case r := <-done:
		return r
	case <-time.After(leaveBound): // a database that does not answer need not end with the context
		r := protocol.UploadReport{Error: fmt.Sprintf("stopped (%v)", context.Cause(ctx))}
		for _, a := range attempts {
			for _, s := range w.plan.Upload.Sinks {
				pending, _ := a.OpenOutbox(upload.Folder(s.URL)).Pending()
				r.Pending += len(pending)
			}
		}
		return r
	}
}

// stayBound is how long asking whether servers stay may take.
const stayBound = 5 * time.Second

// stay tells whether servers that were kept still run: whoever looks at a run later would be sent to what is gone. If
// nobody can tell, they do.
func (w *watcher) stay(a rundir.Attempt) bool {
	s, err := launch.SchedulerNamed(w.plan.Launcher)
	if err != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), stayBound)
	defer cancel()
	alive, err := launch.Alive(ctx, s, a)
	return len(alive) > 0 || err != nil
}

// kept says that servers stay, and how to go on.
func (w *watcher) kept() {
	end := "disagg-submit stop " + w.name()
	if w.tied {
		w.deliver() // nobody knows when it will end
		end = "Ctrl-C"
	}
	stay := "servers stay"
	if d := w.plan.Policy.KeepFor; d > 0 {
		stay += fmt.Sprintf(" until nothing was measured for %s", d)
	}
	fmt.Fprintf(w.out, "kept:    %s; to measure again: disagg-submit bench %s; to end them: %s\n",
		stay, w.name(), end)
}
