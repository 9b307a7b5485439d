package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/dispatch"
	"github.com/disagg/disagg/pkg/notice"
	"github.com/disagg/disagg/pkg/report"
)

// tellList tells all targets how a list of tests ended, in the folder of its runs. Its tests have no notices of their
// own.
func tellList(c *cli.Context, folder string, entries []dispatch.Entry, began time.Time) {
	targets := toolsOf(c).targets
	if len(targets) == 0 {
		return
	}
	strict := c.Bool("strict")
	n := notice.OfList(noticeList(entries, strict), notice.ListEnded{
		ID: "list-" + uuid.NewString(), Name: filepath.Base(c.String("testlist")), Began: began, At: time.Now(),
		Code: dispatch.ExitCode(entries, strict), Summary: dispatch.Counts(entries),
		Links: notice.Links{
			RunDir: folder, Report: filepath.Join(folder, listPage), JUnit: filepath.Join(folder, "junit.xml"),
		},
	})
	ctx, cancel := context.WithTimeout(context.Background(), noticeBound)
	defer cancel()
	printNotices(c.App.Writer, noticesKept().Tell(ctx, targets, n))
}

// noticeList is what became of the tests, for a notice.
func noticeList(entries []dispatch.Entry, strict bool) notice.List {
	l := notice.List{Counts: map[string]int{}, Failures: []notice.Failure{}}
	for _, e := range entries {
		l.Counts[string(e.Status)]++
		if !e.Fails(strict) {
			continue
		}
		why, _, _ := strings.Cut(e.Detail, "\n")
		f := notice.Failure{
			Test: dispatch.Name(e.Test), Status: string(e.Status), Why: why, RunDir: e.RunDir, JobID: e.JobID,
		}
		if e.Result != nil {
			f.FirstCause = notice.CauseOf(report.Build(report.Input{Plan: e.Job.Plan, Result: *e.Result}).Failure)
		}
		l.Failures = append(l.Failures, f)
	}
	return l
}
