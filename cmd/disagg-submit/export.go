package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/report/gather"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/telemetry"
	"github.com/disagg/disagg/pkg/telemetry/otlp"
	"github.com/disagg/disagg/pkg/telemetry/prom"
)

// How long a collector may take: after a run, and when a person waits for nothing else.
const (
	exportBound = 5 * time.Second
	exportWait  = 30 * time.Second
)

// exportCommand hands a run to tools for traces and metrics, once more.
func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "send the trace of a run to an OpenTelemetry collector, or write its metrics for Prometheus",
		ArgsUsage: "[RUN]",
		Description: aboutRun + ` A run that is exported again is the same trace.

  disagg-submit export --otlp http://collector:4318
  disagg-submit export 4459 --prometheus metrics.prom`,
		Flags: exportFlags(),
		Action: func(c *cli.Context) error {
			t := toolsOf(c)
			if t.none() {
				return errors.New("cannot export: want --otlp URL, --prometheus FILE, or both")
			}
			dir, err := oneRun(c)
			if err != nil {
				return err
			}
			in, attempt, err := gather.Brief(dir)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context, exportWait)
			defer cancel()
			err = t.export(ctx, c.App.Writer, telemetry.Build(in, submittedAt(attempt.Dir())))
			if err != nil {
				return command.Exit(protocol.ExitFailed, err)
			}
			return nil
		},
	}
}

// submittedAt is when a run's job was submitted; zero: that is not known.
func submittedAt(d rundir.Dir) time.Time {
	s, err := rundir.ReadSubmission(d)
	if err != nil {
		return time.Time{}
	}
	return s.At
}

// export hands a run to all tools that were named, and says where to.
func (t tools) export(ctx context.Context, out io.Writer, r telemetry.Run) error {
	var faults []error
	if t.prometheus != "" {
		file, err := t.writeProm(r)
		if faults = append(faults, err); err == nil {
			fmt.Fprintf(out, "metrics: %s\n", file)
		}
	}
	if t.otlp == "" && !otlp.Named() {
		return errors.Join(faults...)
	}
	if len(r.Spans) == 0 {
		return errors.Join(append(faults, errors.New("cannot export the run: it has not begun"))...)
	}
	sent, err := otlp.Export(ctx, t.otlp, r)
	for _, s := range sent {
		fmt.Fprintf(out, "otlp:    %s of %x sent to %s\n", s.What, r.Trace, report.Printable(s.To))
	}
	return errors.Join(append(faults, err)...)
}

func (t tools) writeProm(r telemetry.Run) (file string, err error) {
	if file = t.prometheus; isFolder(file) {
		file = filepath.Join(file, prom.FileName(r.Title))
	}
	text, err := prom.Text(r)
	if err == nil {
		err = atomicfile.Write(file, text, 0o644)
	}
	if err != nil {
		return "", fmt.Errorf("cannot write metrics: %w", err)
	}
	return file, nil
}
