package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/sqlite"
)

// sinks are all that records can be sent to.
func sinks() upload.Sinks { return upload.Sinks{"sqlite": sqlite.Open} }

// uploadCommand sends records. A job's hub calls it at the end; people do for what was left pending.
func uploadCommand(code *int) *cli.Command {
	return &cli.Command{
		Name:            "upload",
		Usage:           "send the results of runs",
		Subcommands:     []*cli.Command{drainCommand(code)},
		Action:          noCommand,
		HideHelpCommand: true,
	}
}

func drainCommand(code *int) *cli.Command {
	return &cli.Command{
		Name:         "drain",
		Usage:        "send what is pending; exit with 75 if something still is",
		ArgsUsage:    "DIR",
		Description:  "DIR is a run directory, or one attempt's folder in it. What was sent before is not sent again.",
		OnUsageError: wrongUsage,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "upload", Usage: "send to `URL` (default: as the run's plan says)"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return fmt.Errorf("want one DIR, have %d: see disagg-submit upload drain --help", c.NArg())
			}
			report, err := drain(c.Context, c.Args().First(), c.String("upload"))
			if err != nil {
				return err
			}
			if report.Pending > 0 || report.Error != "" {
				*code = exitPending
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, report)
			}
			fmt.Fprintf(c.App.Writer, "%s: %d sent, %d pending\n", report.URL, report.Sent, report.Pending)
			if report.Error != "" {
				return errors.New(report.Error)
			}
			return nil
		},
	}
}

// drain sends what is pending of a run's attempts, or of one of them.
func drain(ctx context.Context, dir, url string) (all results.UploadReport, err error) {
	run, attempts := dir, []string{dir}
	if strings.HasPrefix(filepath.Base(dir), "attempt-") {
		run = filepath.Dir(filepath.Clean(dir))
	} else {
		attempts, _ = filepath.Glob(filepath.Join(dir, "attempt-*"))
	}
	plan, err := roles.ReadPlan(roles.RunDir(run).Plan())
	if err != nil {
		return all, err
	}
	if all.URL = plan.Upload.URL; url != "" {
		all.URL = url
	}
	if err := upload.Check(all.URL); err != nil {
		return all, err
	}
	for _, a := range attempts {
		if _, err := os.Stat(a); err != nil {
			return all, fmt.Errorf("cannot upload: %w", err)
		}
		outbox := upload.Outbox{Dir: roles.Attempt(a).Outbox(), Records: roles.Attempt(a).Records()}
		r := outbox.Drain(ctx, sinks(), all.URL)
		all.Sent += r.Sent
		all.Pending += r.Pending
		if all.Error == "" {
			all.Error = r.Error
		}
	}
	return all, nil
}
