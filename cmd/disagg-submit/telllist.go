package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/disagg/disagg/pkg/dispatch"
	"github.com/disagg/disagg/pkg/notice"
	"github.com/disagg/disagg/pkg/report"
)

// tell tells all targets how the runs ended, in their folder. Runs have no notices of their own then.
func (m many) tell(began time.Time, code int) {
	targets := toolsOf(m.c).targets
	if len(targets) == 0 {
		return
	}
	n := notice.OfList(noticeList(m.entries, m.strict), notice.ListEnded{
		ID: "list-" + uuid.NewString(), Name: m.name, Began: began, At: time.Now(), Code: code,
		Summary: dispatch.Counts(m.entries),
		Links: notice.Links{
			RunDir: m.folder, Report: filepath.Join(m.folder, listPage), JUnit: filepath.Join(m.folder, "junit.xml"),
		},
	})
	ctx, cancel := context.WithTimeout(context.Background(), noticeBound)
	defer cancel()
	printNotices(m.c.App.Writer, noticesKept().Tell(ctx, targets, n))
}

// noticeList is what became of the runs, for a notice.
func noticeList(entries []dispatch.Entry, strict bool) notice.List {
	l := notice.List{Counts: map[string]int{}, Failures: []notice.Failure{}}
	for _, e := range entries {
		l.Counts[string(e.Status)]++
		if !e.Fails(strict) {
			continue
		}
		why, _, _ := strings.Cut(e.Detail, "\n")
		f := notice.Failure{
			Test: e.Name, Status: string(e.Status), Why: why, RunDir: e.RunDir, JobID: e.JobID,
		}
		if e.Result != nil {
			f.FirstCause = notice.CauseOf(report.Build(report.Input{Plan: e.Job.Plan, Result: *e.Result}).Failure)
		}
		l.Failures = append(l.Failures, f)
	}
	return l
}
