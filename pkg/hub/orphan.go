package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/upload"
)

// Orphaned gives the verdict on an attempt whose hub cannot: it never started, or was killed. What was recorded until then
// is uploaded and part of the verdict. An attempt that has a verdict keeps it.
func Orphaned(o Options, kind results.CauseKind, detail string) error {
	if _, err := os.Stat(o.Attempt.Result()); err == nil {
		return nil
	}
	now := time.Now().UTC()
	hub := roles.Hub()
	r := results.Result{
		Schema: 1, RunID: o.RunID, JobID: o.JobID, Case: o.Plan.Case.Name, TestID: o.Plan.Case.TestID, StartedAt: o.BatchStart.UTC(), EndedAt: now,
		FirstCause: &results.Cause{Role: hub.Role, Rank: hub.Rank, Kind: kind, Detail: detail, At: now},
		Points:     recorded(o.Attempt), Roles: []results.RankOutcome{},
	}
	r.Verdict, r.ExitCode = verdict(r.FirstCause)
	ctx, cancel := context.WithTimeout(context.Background(), o.Plan.Timeouts.HastyUpload(o.Plan.Cluster.KillWait))
	defer cancel()
	report := upload.Outbox{Dir: o.Attempt.Outbox(), Records: o.Attempt.Records()}.DrainBy(ctx, o.Uploader, o.Plan.Upload.URL)
	r.Upload = &report
	err := results.WriteReport(o.Attempt.Report(), r)
	if werr := r.Write(o.Attempt.Result()); werr != nil && !errors.Is(werr, os.ErrExist) {
		return fmt.Errorf("cannot conclude: %w", errors.Join(werr, err))
	}
	return err
}

// recorded lists the points that an attempt has records of.
func recorded(a roles.Attempt) []results.Point {
	points := []results.Point{}
	files, _ := filepath.Glob(filepath.Join(a.Records(), "*.json"))
	for _, f := range files {
		if rec, err := results.ReadRecord(a.Records(), strings.TrimSuffix(filepath.Base(f), ".json")); err == nil {
			points = append(points, rec.Point)
		}
	}
	slices.SortFunc(points, func(a, b results.Point) int { return a.Index - b.Index })
	return points
}
