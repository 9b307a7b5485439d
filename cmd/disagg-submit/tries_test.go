package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/scheduler/fake"
	"github.com/disagg/disagg/test/runs"
)

// Whoever is asked to end before anything was submitted submits nothing.
func TestAskedToEndBeforeItIsSubmitted(t *testing.T) {
	var out bytes.Buffer
	s := &fake.Scheduler{}
	w := &watcher{out: &out, scheduler: s, progress: report.Progress{Out: &out, Now: time.Now}}
	job := launch.Job{Plan: runs.Passed().Plan, Scheduler: s}
	job.Plan.RunDir = filepath.Join(t.TempDir(), "run")
	job.Plan.Gate.Mode = plan.GateOff
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("SIGINT"))
	err := w.submit(ctx, job)
	if e, ok := errors.AsType[*submissionError](err); !ok || e.code != protocol.ExitCancelled || e.Error() != "SIGINT" {
		t.Errorf("%v", err)
	}
	if slices.Contains(s.Asked(), "submit") || !bytes.Contains(out.Bytes(), []byte("nothing was submitted")) {
		t.Errorf("%s: %s", s.Asked(), out.Bytes())
	}
}
