package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/caseflags"
	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/all"
)

// sinks are all that records can be sent to.
func sinks() upload.Registry { return all.Sinks() }

// uploadCommand is about the records of runs that are to be sent, and that were.
func uploadCommand() *cli.Command {
	return &cli.Command{
		Name:  "upload",
		Usage: "send the results of runs, and see what was sent",
		Description: `A run sends its records by itself; these commands are for what it could not send.

  disagg-submit upload status
  disagg-submit upload drain 4459`,
		Subcommands: []*cli.Command{
			drainCommand(), outboxCommand(), retryCommand(), verifyCommand(), importCommand(),
		},
	}
}

// uploadFlag chooses a sink.
func uploadFlag() cli.Flag {
	return &cli.StringSliceFlag{
		Name: "upload", DefaultText: "as the run's plan says", Usage: "`URL` of the sink; may be repeated",
	}
}

func jsonFlag() cli.Flag { return &cli.BoolFlag{Name: "json", Usage: "print JSON"} }

// drainCommand sends records. A job's hub calls it at the end; people do for what was left pending.
func drainCommand() *cli.Command {
	return &cli.Command{
		Name:      "drain",
		Usage:     "send what is pending, records and notices; exit with 75 if something still is",
		ArgsUsage: "[RUN]",
		Description: aboutRun + " What was sent before is not sent again. It ends with 1 if nothing is pending any " +
			"more, and a sink will never take something.\n\n" +
			"  disagg-submit upload drain\n  disagg-submit upload drain 4459 --for 10m",
		Flags: []cli.Flag{
			uploadFlag(), jsonFlag(),
			&cli.StringFlag{Name: "for", Usage: "try again for `TIME`, such as 10m, what cannot be sent"},
			&cli.BoolFlag{Name: "job", Hidden: true, Usage: "only to the sinks that the job itself sends to"},
		},
		Action: func(c *cli.Context) error {
			patience, err := caseflags.Limit(c, "for")
			if err != nil {
				return err
			}
			o, err := outboxesOf(c)
			if err != nil {
				return err
			}
			report := sinks().DrainRun(c.Context, o.attempts, o.urls, patience.Std())
			notices := 0
			if !c.Bool("job") {
				notices = o.drainNotices(c)
			}
			if c.Bool("json") {
				err = errors.Join(printJSON(c.App.Writer, report), command.Exit(uploadCode(report), nil))
			} else {
				err = tellUpload(c.App.Writer, report)
			}
			if err == nil && notices > 0 {
				return command.Exit(protocol.ExitPending, nil)
			}
			return err
		},
	}
}

// uploadCode is the exit code of what a drain reports. What a sink will never take is not to be waited for.
func uploadCode(r protocol.UploadReport) int {
	switch {
	case r.Pending == 0 && r.Error == "":
		return protocol.ExitPassed
	case r.Pending == 0 && r.Dead > 0:
		return protocol.ExitFailed
	}
	return protocol.ExitPending
}

// tellUpload prints what a drain reports, and is the error that the command ends with.
func tellUpload(out io.Writer, r protocol.UploadReport) error {
	printUpload(out, r)
	if r.Error != "" {
		return command.Exit(uploadCode(r), errors.New(r.Error))
	}
	return command.Exit(uploadCode(r), nil)
}

// printUpload prints a line per sink.
func printUpload(out io.Writer, r protocol.UploadReport) {
	for _, r := range r.Each() {
		dead := ""
		if r.Dead > 0 {
			dead = fmt.Sprintf(", %d that it will not take", r.Dead)
		}
		fmt.Fprintf(out, "%s: %d sent, %d pending%s\n", r.URL, r.Sent, r.Pending, dead)
		for _, name := range r.Known {
			fmt.Fprintln(out, report.Printable(protocol.KnownRecord+": "+name))
		}
	}
}

// outboxes are those that a command is about.
type outboxes struct {
	dir      rundir.Dir
	plan     plan.Plan // without an id: it was not asked for, since sinks were named
	attempts []rundir.Attempt
	urls     []string
}

// outboxesOf finds what the command line names.
func outboxesOf(c *cli.Context) (o outboxes, err error) {
	dir, err := oneRun(c)
	if err != nil {
		return o, err
	}
	run, attempts, err := upload.Attempts(dir)
	if err != nil {
		return o, err
	}
	o = outboxes{dir: run, attempts: attempts, urls: c.StringSlice("upload")}
	if imported := len(o.urls) > 0 && len(attempts) > 0; !imported { // what was imported has no plan
		p, err := rundir.ReadPlan(run.Plan())
		if err != nil {
			return o, err
		}
		o.plan, o.urls = p, chosenSinks(o.urls, p, c.Bool("job"))
	}
	return o, checkSinks(o.urls)
}

// chosenSinks are the URLs that were asked for, else those of a plan, or of its job.
func chosenSinks(asked []string, p plan.Plan, job bool) (urls []string) {
	switch {
	case len(asked) > 0:
		return asked
	case job:
		return p.JobSinks()
	}
	for _, s := range p.Upload.Sinks {
		urls = append(urls, s.URL)
	}
	return urls
}

func checkSinks(urls []string) error {
	for _, u := range urls {
		if err := sinks().Check(u); err != nil {
			return err
		}
	}
	return nil
}

// each calls a function for every outbox.
func (o outboxes) each(do func(upload.Drain) error) error {
	for _, u := range o.urls {
		for _, a := range o.attempts {
			if err := do(upload.Drain{Outbox: a.OpenOutbox(upload.Folder(u)), Sinks: sinks(), URL: u}); err != nil {
				return err
			}
		}
	}
	return nil
}

// chosen are the records that a command is about: those that are named, or all.
func chosen(c *cli.Context, all []string) []string {
	if ids := command.List(c, "id"); len(ids) > 0 {
		return slices.DeleteFunc(all, func(id string) bool { return !slices.Contains(ids, id) })
	}
	return all
}
