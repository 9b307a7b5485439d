package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/caseflags"
	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/compare"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/pairs"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// pairFlags are about measuring runs again that are compared.
func pairFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "pairs", Usage: "measure both again, `N` times each, in one job: A B, B A, A B …"},
		&cli.StringFlag{
			Name: "time", DefaultText: "estimated from both runs",
			Usage: "with --pairs: `LIMIT` of the job, such as 04:00:00 or 4h",
		},
		&cli.StringFlag{
			Name: "run-dir", DefaultText: "a new one below the first run's run_root, or runs/",
			Usage: "with --pairs: folder `DIR` of the runs",
		},
		&cli.BoolFlag{
			Name: "no-doctor", Usage: "with --pairs: submit although doctor would say that the job must fail",
		},
	}
}

// paired is what compare --pairs says.
type paired struct {
	compare.Comparison
	Measured pairs.Result `json:"pairs"`
	Folder   string       `json:"folder"`
}

// measurePairs measures two runs again, in pairs, and says what that shows. A series that ends early is worth what was
// measured until then.
func measurePairs(c *cli.Context, bound float64) error {
	n := c.Int("pairs")
	if n < 1 || c.NArg() != 2 {
		return fmt.Errorf("cannot measure pairs: want a number of pairs and two runs, have --pairs %d and %d", n,
			c.NArg())
	}
	list, err := comparisons(c)
	if err != nil {
		return err
	}
	s, err := planPairs(c, n)
	if err != nil {
		return err
	}
	for _, p := range s.Plans()[:min(2, len(s.stints))] { // one of each run
		if err := unfit(c, launch.Job{Plan: p, Scheduler: s.s}); err != nil {
			return err
		}
	}
	ended := s.run(c)
	r := paired{list[0], pairs.Compare(n, s.done(), compare.Metrics()), s.folder}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, r)
	} else {
		err = r.print(c)
	}
	switch {
	case err != nil:
		return err
	case ended != nil && r.Measured.Pairs == 0:
		return ended
	case ended != nil:
		fmt.Fprintf(c.App.ErrWriter, "disagg-submit: the series ended early: %v\n", ended)
	}
	if c.IsSet("fail") && r.Measured.Worsened(compare.Decides, bound) {
		return command.Exit(protocol.ExitRegression, nil)
	}
	return command.Exit(protocol.ExitPassed, nil)
}

func (p paired) print(c *cli.Context) error {
	p.Comparison.PrintSides(c.App.Writer)
	return p.Measured.Print(c.App.Writer)
}

// pairSeries is the series of runs that measures pairs.
type pairSeries struct {
	launch.Series
	stints []pairs.Stint
	folder string
	s      scheduler.Scheduler
}

func planPairs(c *cli.Context, n int) (s pairSeries, err error) {
	limit, err := caseflags.Limit(c, "time")
	if err != nil {
		return s, err
	}
	arms := make([]launch.Part, 2)
	for i := range arms {
		if arms[i], err = partOf(c.Args().Get(i)); err != nil {
			return s, err
		}
	}
	keep := arms[0].Plan.Repeatable() == nil && arms[1].Plan.Repeatable() == nil && n > 1
	s.stints = pairs.Order(n, keep)
	var parts []launch.Part
	for _, stint := range s.stints {
		part := arms[stint.Arm]
		part.Name, part.Measurements = strings.ToLower(stint.Arm.String()), stint.Measurements()
		parts = append(parts, part)
	}
	if s.s, err = launch.SchedulerNamed(arms[0].Plan.Launcher); err != nil {
		return s, err
	}
	s.folder = c.String("run-dir")
	if s.folder == "" {
		root := cmp.Or(arms[0].Plan.Cluster.RunRoot, "runs")
		s.folder = filepath.Join(root, "pairs-"+time.Now().Format("20060102-150405.000"))
	}
	s.Series, err = launch.NewSeries(s.folder, parts, limit, s.s)
	return s, err
}

// partOf is a run that is to be made again.
func partOf(name string) (part launch.Part, err error) {
	dir, err := runNamed(name)
	if err != nil {
		return part, err
	}
	run := rundir.Dir(dir)
	if part.Plan, err = rundir.ReadPlan(run.Plan()); err != nil {
		return part, err
	}
	if r, err := rundir.ReadResult(rundir.Current(run)); err == nil {
		part.Known = &r
	}
	return part, nil
}

// run submits the job and watches one run after the other, as long as each passes.
func (s pairSeries) run(c *cli.Context) error {
	if err := s.Prepare(); err != nil {
		return err
	}
	ctx, stop := command.UntilSignal(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	plans, begun := s.Plans(), time.Now()
	w := newWatcher(c, s.s, plans[0], begun)
	w.brief = true
	if c.Bool("json") {
		w.out, w.progress.Out = c.App.ErrWriter, c.App.ErrWriter
	}
	job, err := s.Submit(ctx, w.sayBusy)
	if job.ID == "" {
		return command.Exit(protocol.ExitUnavailable, err)
	}
	w.progress.Say("job %s is submitted: %d runs in %s", job.ID, len(plans), s.folder)
	w.job = job
	for _, p := range plans {
		w.plan = p
		w.remember()
	}
	_, w.tied = s.s.(scheduler.Tied)
	for i, p := range plans {
		w.plan, w.goesOn = p, i < len(plans)-1
		w.progress.Restart(p.Layout)
		w.progress.Points = len(p.Case.Load.Points())
		w.progress.Say("run %d of %d: %s, measured %d times", i+1, len(plans), s.stints[i].Arm,
			s.stints[i].Measurements())
		if err := w.exit(w.follow(ctx)); failed(err) {
			return err
		}
	}
	return nil
}

// failed tells whether an exit is another than that of a run that passed.
func failed(err error) bool {
	var exit cli.ExitCoder
	return err != nil && (!errors.As(err, &exit) || exit.ExitCode() != protocol.ExitPassed)
}

// done are the stints of which there is a passed verdict.
func (s pairSeries) done() (list []pairs.Done) {
	for i, p := range s.Plans() {
		attempt := rundir.Current(rundir.Dir(p.RunDir))
		if r, err := rundir.ReadResult(attempt); err != nil || r.Verdict != protocol.Passed {
			break // those after it were not run
		}
		list = append(list, pairs.Done{Stint: s.stints[i], Records: attempt.RecordStore().All()})
	}
	return list
}
