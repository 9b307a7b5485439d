package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/dispatch"
	"github.com/disagg/disagg/pkg/protocol"
)

// many is several runs that are made, and what is kept of them together in their folder.
type many struct {
	c       *cli.Context
	name    string // of all of them
	folder  string // absolute
	entries []dispatch.Entry
	strict  bool // what was not run fails, too
}

// listCode is the exit code of all runs as that of a list of tests.
func (m many) listCode() int { return dispatch.ExitCode(m.entries, m.strict) }

// run makes the runs, shows and keeps what became of them, and ends with a code of all.
func (m many) run(ctx context.Context, r dispatch.Runner, start func(context.Context, *dispatch.Entry, *lines),
	code func() int,
) error {
	if err := os.MkdirAll(m.folder, 0o755); err != nil {
		return fmt.Errorf("cannot make the runs' folder: %w", err)
	}
	if err := m.keepJUnit(m.entries); err != nil {
		return err
	}
	began, soFar := time.Now(), slices.Clone(m.entries) // the others are written to meanwhile
	out := &lines{out: m.c.App.Writer}
	fmt.Fprintf(m.c.App.Writer, "%s, in %s\n", dispatch.Counts(m.entries), command.ShortPath(m.folder))
	r.Start = func(ctx context.Context, e *dispatch.Entry) { start(ctx, e, out) }
	r.Done = func(e dispatch.Entry) {
		out.say("%s: %s %s", e.Name, e.Status, e.Detail)
		if err := m.keepJUnit(ended(soFar, e)); err != nil {
			out.say("%v", err)
		}
	}
	r.Run(ctx, m.entries)
	if err := dispatch.Summary(m.c.App.Writer, m.entries); err != nil {
		return err
	}
	err := errors.Join(m.keepJUnit(m.entries), keepListPage(m.folder, m.entries))
	m.tell(began, code())
	if err != nil {
		return err
	}
	fmt.Fprintf(m.c.App.Writer, "report:  %s\n", command.ShortPath(filepath.Join(m.folder, listPage)))
	return command.Exit(code(), context.Cause(ctx))
}

// ended puts a run that has ended into its place.
func ended(entries []dispatch.Entry, e dispatch.Entry) []dispatch.Entry {
	for i := range entries {
		if entries[i].Job.Plan.RunDir == e.Job.Plan.RunDir {
			entries[i] = e
		}
	}
	return entries
}

// keepJUnit writes the runs' JUnit XML into their folder, and where the command line wants it.
func (m many) keepJUnit(entries []dispatch.Entry) error {
	data, err := dispatch.JUnit(m.name, entries)
	if err != nil {
		return err
	}
	files := []string{filepath.Join(m.folder, "junit.xml")}
	if m.c.IsSet("junit") {
		files = append(files, m.c.String("junit"))
	}
	for _, file := range files {
		if err := atomicfile.Write(file, data, 0o644); err != nil {
			return command.Exit(protocol.ExitFailed, fmt.Errorf("cannot write JUnit: %w", err))
		}
	}
	return nil
}
