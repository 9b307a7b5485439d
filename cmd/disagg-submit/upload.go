package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/all"
)

// sinks are all that records can be sent to.
func sinks() upload.Registry { return all.Sinks() }

// uploadCommand is about the records of runs that are to be sent, and that were.
func uploadCommand() *cli.Command {
	return &cli.Command{
		Name:        "upload",
		Usage:       "send the results of runs, and see what was sent",
		Subcommands: []*cli.Command{drainCommand(), outboxCommand(), retryCommand(), verifyCommand()},
	}
}

// uploadFlag chooses a sink.
func uploadFlag() cli.Flag {
	return &cli.StringSliceFlag{
		Name: "upload", DefaultText: "as the run's plan says", Usage: "`URL` of the sink; may be repeated",
	}
}

func jsonFlag() cli.Flag { return &cli.BoolFlag{Name: "json", Usage: "print JSON"} }

// aboutDir tells what a command's DIR is.
const aboutDir = "DIR is a run directory, or one attempt's folder in it."

// drainCommand sends records. A job's hub calls it at the end; people do for what was left pending.
func drainCommand() *cli.Command {
	return &cli.Command{
		Name:        "drain",
		Usage:       "send what is pending, records and notices; exit with 75 if something still is",
		ArgsUsage:   "DIR",
		Description: aboutDir + " What was sent before is not sent again.",
		Flags: []cli.Flag{
			uploadFlag(), jsonFlag(),
			&cli.DurationFlag{Name: "for", Usage: "try again for `TIME` what cannot be sent"},
			&cli.BoolFlag{Name: "job", Hidden: true, Usage: "only to the sinks that the job itself sends to"},
		},
		Action: func(c *cli.Context) error {
			o, err := outboxesOf(c)
			if err != nil {
				return err
			}
			report := sinks().DrainRun(c.Context, o.attempts, o.urls, c.Duration("for"))
			code, notices := 0, 0
			if !c.Bool("job") {
				notices = o.drainNotices(c)
			}
			if report.Pending > 0 || report.Error != "" || notices > 0 {
				code = protocol.ExitPending
			}
			if c.Bool("json") {
				return errors.Join(printJSON(c.App.Writer, report), command.Exit(code, nil))
			}
			printUpload(c.App.Writer, report)
			if report.Error != "" {
				return command.Exit(code, errors.New(report.Error))
			}
			return command.Exit(code, nil)
		},
	}
}

// printUpload prints a line a sink.
func printUpload(out io.Writer, r protocol.UploadReport) {
	for _, r := range r.Each() {
		dead := ""
		if r.Dead > 0 {
			dead = fmt.Sprintf(", %d that it will not take", r.Dead)
		}
		fmt.Fprintf(out, "%s: %d sent, %d pending%s\n", r.URL, r.Sent, r.Pending, dead)
	}
}

// outboxes are those that a command is about.
type outboxes struct {
	plan     plan.Plan
	attempts []rundir.Attempt
	urls     []string
}

// outboxesOf finds what the command line names.
func outboxesOf(c *cli.Context) (o outboxes, err error) {
	dir, err := command.One(c, "DIR")
	if err != nil {
		return o, err
	}
	run, attempts, err := upload.Attempts(dir)
	if err != nil {
		return o, err
	}
	p, err := rundir.ReadPlan(run.Plan())
	if err != nil {
		return o, err
	}
	o = outboxes{plan: p, attempts: attempts, urls: c.StringSlice("upload")}
	switch {
	case len(o.urls) > 0:
	case c.Bool("job"):
		o.urls = p.JobSinks()
	default:
		for _, s := range p.Upload.Sinks {
			o.urls = append(o.urls, s.URL)
		}
	}
	for _, u := range o.urls {
		if err := sinks().Check(u); err != nil {
			return o, err
		}
	}
	return o, nil
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
	if ids := c.StringSlice("id"); len(ids) > 0 {
		return slices.DeleteFunc(all, func(id string) bool { return !slices.Contains(ids, id) })
	}
	return all
}
