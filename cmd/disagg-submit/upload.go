package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/sqlite"
)

// sinks are all that records can be sent to.
func sinks() upload.Registry { return upload.Registry{sqlite.Scheme()} }

// uploadCommand sends records. A job's hub calls it at the end; people do for what was left pending.
func uploadCommand() *cli.Command {
	return &cli.Command{
		Name:        "upload",
		Usage:       "send the results of runs",
		Subcommands: []*cli.Command{drainCommand()},
	}
}

func drainCommand() *cli.Command {
	return &cli.Command{
		Name:        "drain",
		Usage:       "send what is pending; exit with 75 if something still is",
		ArgsUsage:   "DIR",
		Description: "DIR is a run directory, or one attempt's folder in it. What was sent before is not sent again.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "upload", Usage: "send to `URL` (default: as the run's plan says)"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: func(c *cli.Context) error {
			dir, err := command.One(c, "DIR")
			if err != nil {
				return err
			}
			report, err := drain(c.Context, dir, c.String("upload"))
			if err != nil {
				return err
			}
			code := 0
			if report.Pending > 0 || report.Error != "" {
				code = protocol.ExitPending
			}
			if c.Bool("json") {
				return errors.Join(printJSON(c.App.Writer, report), command.Exit(code, nil))
			}
			fmt.Fprintf(c.App.Writer, "%s: %d sent, %d pending\n", report.URL, report.Sent, report.Pending)
			if report.Error != "" {
				return command.Exit(code, errors.New(report.Error))
			}
			return command.Exit(code, nil)
		},
	}
}

// drain sends what is pending of a run's attempts, or of one of them.
func drain(ctx context.Context, dir, url string) (all protocol.UploadReport, err error) {
	run, attempts := dir, []string{dir}
	if strings.HasPrefix(filepath.Base(dir), "attempt-") {
		run = filepath.Dir(filepath.Clean(dir))
	} else {
		attempts, _ = filepath.Glob(filepath.Join(dir, "attempt-*"))
	}
	p, err := rundir.ReadPlan(rundir.Dir(run).Plan())
	if err != nil {
		return all, err
	}
	if all.URL = p.Upload.URL; url != "" {
		all.URL = url
	}
	if err := sinks().Check(all.URL); err != nil {
		return all, err
	}
	for _, a := range attempts {
		if _, err := os.Stat(a); err != nil {
			return all, fmt.Errorf("cannot upload: %w", err)
		}
		r := upload.Outbox{Outbox: rundir.Attempt(a).OpenOutbox()}.Drain(ctx, sinks(), all.URL)
		all.Sent += r.Sent
		all.Pending += r.Pending
		all.Dead += r.Dead
		if all.Error == "" {
			all.Error = r.Error
		}
	}
	return all, nil
}
