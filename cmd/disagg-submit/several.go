package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/dispatch"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/slurm"
)

// severalFlags are about making several runs.
func severalFlags() []cli.Flag {
	return []cli.Flag{
		varyFlag(),
		&cli.IntFlag{Name: "parallel", Value: 1, Usage: "of several runs: `N` jobs at a time"},
		&cli.BoolFlag{Name: "stop-on-error", Usage: "of several runs: start no more once one has failed"},
		&cli.StringFlag{Name: "junit", Usage: "of several runs: write JUnit XML to `FILE`, too"},
	}
}

func varyFlag() cli.Flag {
	return &cli.StringSliceFlag{
		Name: "vary",
		Usage: "run once with each value of `KEY=A,B`, which has the form of --set; may be repeated: with each " +
			"combination",
	}
}

// several tells whether more than one run is asked for, or something that is about several.
func several(c *cli.Context) bool {
	return c.IsSet("testlist") || c.NArg() > 1 ||
		slices.ContainsFunc(severalFlags(), func(f cli.Flag) bool { return c.IsSet(f.Names()[0]) })
}

// entriesOf plans every run that the command line asks for. Run directories lie below a folder. What people type must
// be right; of a list's tests there may be some that cannot be run.
func entriesOf(c *cli.Context, s scheduler.Scheduler, folder string) ([]dispatch.Entry, error) {
	r, err := request(c, s)
	if err != nil {
		return nil, err
	}
	if _, err := r.Fit(c.Context); err != nil {
		return nil, err
	}
	p := dispatch.Plan{Request: r, Folder: folder}
	if p.Variants, err = dispatch.Variants(c.StringSlice("vary")); err != nil {
		return nil, err
	}
	if c.IsSet("testlist") {
		if err := addList(c, &p); err != nil {
			return nil, err
		}
		return p.Entries(c.Context), nil
	}
	if err := withoutList(c); err != nil {
		return nil, err
	}
	if c.NArg() == 0 {
		return nil, fmt.Errorf("want a CASE, or --testlist LIST: see %s --help", c.Command.HelpName)
	}
	if p.Tests, err = dispatch.Cases(c.Args().Slice()); err != nil {
		return nil, err
	}
	entries := p.Entries(c.Context)
	return entries, dispatch.Refusals(entries)
}

// planSeveral prints what would be run.
func planSeveral(c *cli.Context) error {
	if c.IsSet("check-nodes") {
		return errors.New("cannot check the nodes of several runs (--check-nodes): pass one CASE")
	}
	entries, err := entriesOf(c, nil, "")
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, summaries(entries))
	} else {
		err = dispatch.Plans(c.App.Writer, entries)
	}
	if err != nil {
		return err
	}
	return command.Exit(dispatch.ExitCode(entries, c.Bool("strict")), nil)
}

// listed is one of several runs in JSON: why it is not planned, or what would be run.
type listed struct {
	Test   string          `json:"test"` // as the list has it, or the case as it was given
	Status dispatch.Status `json:"status"`
	Detail string          `json:"detail,omitempty"`
	Plan   *summary        `json:"plan,omitempty"`
}

func summaries(entries []dispatch.Entry) (list []listed) {
	for _, e := range entries {
		l := listed{Test: e.Test.ID, Status: e.Status, Detail: e.Detail}
		if e.Status == dispatch.Planned {
			s := summarize(e.Job.Plan)
			l.Plan = &s
		}
		list = append(list, l)
	}
	return list
}

// runSeveral makes several runs, and ends with 0 only if all of them have passed.
func runSeveral(c *cli.Context, s scheduler.Scheduler) error {
	if err := fitSeveral(c, s); err != nil {
		return err
	}
	m := many{c: c, name: nameOfAll(c), strict: c.Bool("strict")}
	var err error
	if m.folder, err = folderOfAll(c, m.name); err != nil {
		return err
	}
	if m.entries, err = entriesOf(c, s, m.folder); err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return planned(c, m.entries)
	}
	sayLeftOut(c, s.Name())
	ctx, stop := command.UntilSignal(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	r := dispatch.Runner{Parallel: c.Int("parallel"), StopOnError: c.Bool("stop-on-error")}
	start := func(ctx context.Context, e *dispatch.Entry, out *lines) { startOne(ctx, c, s, e, out) }
	return m.run(ctx, r, start, m.listCode)
}

// fitSeveral refuses what does not go together with several runs.
func fitSeveral(c *cli.Context, s scheduler.Scheduler) error {
	switch {
	case c.IsSet("again"):
		return errors.New("cannot run several and an earlier run (--again): choose one")
	case c.Bool("keep"):
		return errors.New("cannot keep the servers of several runs (--keep): each would wait until they are ended; " +
			"keep those of one, and measure with disagg-submit bench --vary")
	case c.Int("parallel") > 1 && s.Name() == slurm.HeldName:
		return errors.New("cannot run several at a time in one allocation (--parallel): they would share its nodes")
	}
	return nil
}

// nameOfAll names all runs together: the list, or the first case and how many there are besides it.
func nameOfAll(c *cli.Context) string {
	if c.IsSet("testlist") {
		return filepath.Base(c.String("testlist"))
	}
	name := filepath.Base(c.Args().First())
	for _, ext := range []string{".yaml", ".yml"} {
		name = strings.TrimSuffix(name, ext)
	}
	if more := c.NArg() - 1; more > 0 {
		name += fmt.Sprintf("-and-%d-more", more)
	}
	return name
}

// folderOfAll is the folder of the run directories.
func folderOfAll(c *cli.Context, name string) (string, error) {
	dir := c.String("run-dir")
	if dir == "" {
		root, err := launch.Request{Profile: c.String("profile")}.RunRoot()
		if err != nil {
			return "", err
		}
		if c.IsSet("testlist") {
			name = strings.TrimSuffix(name, filepath.Ext(name))
		}
		dir = filepath.Join(root, plan.Plain(name)+"-"+time.Now().Format("20060102-150405.000"))
	}
	return absolute(dir)
}

func absolute(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("cannot use run directory %s: %w", dir, err)
	}
	return abs, nil
}

// planned writes what every run would be made with, and submits nothing.
func planned(c *cli.Context, entries []dispatch.Entry) error {
	for _, e := range entries {
		if e.Status == dispatch.Planned {
			if err := e.Job.Prepare(); err != nil {
				return err
			}
		}
	}
	if err := dispatch.Plans(c.App.Writer, entries); err != nil {
		return err
	}
	return command.Exit(dispatch.ExitCode(entries, c.Bool("strict")), nil)
}

// startOne submits one of several runs, and watches its job unless that is not wanted.
func startOne(ctx context.Context, c *cli.Context, s scheduler.Scheduler, e *dispatch.Entry, out *lines) {
	w := watcherOfOne(c, s, e, out)
	err := unfit(c, e.Job)
	if err == nil {
		err = e.Job.Prepare()
	}
	if err != nil {
		e.Detail = strings.ReplaceAll(err.Error(), "\n", "; ")
		return
	}
	if c.Bool("detach") {
		if err := detached(ctx, w, e.Job); err != nil {
			e.Detail = err.Error()
		} else {
			e.Status = dispatch.Submitted
		}
	} else {
		e.Watched(w.tries(ctx, e.Job, c.Int("retry-infra")))
	}
	e.RunDir, e.JobID = w.plan.RunDir, w.job.ID
}

// watcherOfOne shows one of several runs, whose name is before each of its lines. Who is told hears of all together.
func watcherOfOne(c *cli.Context, s scheduler.Scheduler, e *dispatch.Entry, out *lines) *watcher {
	w := newWatcher(c, s, e.Job.Plan, time.Now())
	w.out, w.tools.targets = out.of(e.Name), nil
	w.progress.Out = w.out
	return w
}
