package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/dispatch"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/report/gather"
	"github.com/disagg/disagg/pkg/rundir"
)

// runsIn are the run directories below a folder that is none itself, as a list of tests leaves them.
func runsIn(dir string) (runs []string) {
	if isRun(dir) {
		return nil
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if run := filepath.Join(dir, e.Name()); isRun(run) {
			runs = append(runs, run)
		}
	}
	return runs
}

func isRun(dir string) bool {
	_, err := os.Stat(rundir.Dir(dir).Plan())
	return err == nil
}

// reportOnList makes the page of several runs again.
func reportOnList(c *cli.Context, folder string, runs []string) error {
	if c.String("format") != "html" || c.Bool("single-file") || c.IsSet("against") {
		return fmt.Errorf("cannot report on a list so: %s holds several runs, of which there is one page", folder)
	}
	l := report.List{
		Title: filepath.Base(folder), Summary: fmt.Sprintf("%d %s", len(runs), plural(len(runs), "run", "runs")),
	}
	for _, dir := range runs {
		l.Runs = append(l.Runs, listedRun(folder, dir, "", ""))
	}
	file, err := writeList(folder, l)
	if err == nil {
		fmt.Fprintln(c.App.Writer, command.ShortPath(file))
	}
	return err
}

// keepListPage writes the page of a list that has ended.
func keepListPage(folder string, entries []dispatch.Entry) error {
	l := report.List{Title: filepath.Base(folder), Summary: dispatch.Counts(entries)}
	for _, e := range entries {
		r := report.ListedRun{Name: e.Name, Status: string(e.Status), Detail: e.Detail, Settings: e.Variant}
		if e.RunDir != "" {
			page := listedRun(folder, e.RunDir, r.Status, r.Detail)
			r.Page, r.Model = page.Page, page.Model
		}
		l.Runs = append(l.Runs, r)
	}
	_, err := writeList(folder, l)
	return err
}

// listedRun is a run below a list's folder. A run that cannot be read is listed all the same.
func listedRun(folder, dir, status, detail string) report.ListedRun {
	r := report.ListedRun{Name: filepath.Base(dir), Status: status, Detail: detail}
	in, attempt, err := gather.Run(dir)
	if err != nil {
		r.Status, r.Detail = "unknown", err.Error()
		return r
	}
	m := report.Build(in)
	r.Model, r.Settings = &m, m.Run.Settings
	if page, err := filepath.Rel(folder, attempt.Report()); err == nil {
		r.Page = filepath.ToSlash(page)
	}
	if status == "" {
		r.Status = m.Run.Ending()
		if m.Failure != nil {
			r.Detail = m.Failure.Who + ": " + m.Failure.Detail
		}
	}
	return r
}

// listPage is the file of a list's page, in the list's folder.
const listPage = "index.html"

// writeList writes a list's page and its style sheet, and returns where the page is.
func writeList(folder string, l report.List) (page string, err error) {
	files, err := l.Files()
	if err != nil {
		return "", err
	}
	for name, content := range files {
		if err := atomicfile.Write(filepath.Join(folder, name), content, 0o644); err != nil {
			return "", fmt.Errorf("cannot write the list's page: %w", err)
		}
	}
	return filepath.Join(folder, listPage), nil
}
