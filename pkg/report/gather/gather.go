// Package gather reads what a report shows from a run directory, and leaves the report there.
//
// Rules:
//   - What cannot be read is missing in the report, and no reason to have none: a report is for runs that went wrong.
//   - It is asked at the end of a job, while nodes are held: how much it reads is bounded.
//   - A run directory may have been moved or copied: files are looked for beside those that were named, not where the
//     plan says.
package gather

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// How much of a rank's log is searched for an excerpt, in bytes, for its line numbers: at the end of a job, and when a
// person asks for a report.
const (
	briefly    = 4 << 20
	thoroughly = 1 << 30
)

// Run reads the newest attempt of a run directory, or the attempt whose folder is named. A run without a verdict has
// what is known so far.
func Run(dir string) (report.Input, rundir.Attempt, error) { return read(dir, thoroughly) }

// Brief is Run for who does not want to wait: excerpts of long logs are not looked for.
func Brief(dir string) (report.Input, rundir.Attempt, error) { return read(dir, briefly) }

// read reads a run, of whose logs so much is searched.
func read(dir string, most int64) (report.Input, rundir.Attempt, error) {
	a := rundir.Attempt(filepath.Clean(dir))
	if a.Number() < 0 {
		a = rundir.Current(rundir.Dir(dir))
	}
	p, err := rundir.ReadPlan(a.Dir().Plan())
	if err != nil {
		return report.Input{}, a,
			fmt.Errorf("cannot report on %s: it is not a run directory, or not yours: %w", dir, err)
	}
	r, err := rundir.ReadResult(a)
	if errors.Is(err, fs.ErrNotExist) {
		r, err = unfinished(p, a), nil
	}
	if err != nil {
		return report.Input{}, a, fmt.Errorf("cannot report on %s: %w", dir, err)
	}
	return attempt(p, a, r, most), a, nil
}

// unfinished is what is known of an attempt that has no verdict.
func unfinished(p plan.Plan, a rundir.Attempt) protocol.Result {
	r := protocol.Result{RunID: p.RunID(max(a.Number(), 0)), Case: p.Case.Name, TestID: p.Case.TestID}
	for _, rec := range a.RecordStore().All() {
		r.Add(rec.Point)
	}
	return r
}

// Records are those of every attempt of a run directory.
func Records(dir string) (list []results.Record, err error) {
	if _, err := rundir.ReadPlan(rundir.Dir(dir).Plan()); err != nil {
		return nil, fmt.Errorf("cannot compare with %s: it is not a run directory, or not yours: %w", dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot compare with %s: %w", dir, err)
	}
	for _, e := range entries {
		if a := rundir.Attempt(filepath.Join(dir, e.Name())); a.Number() >= 0 {
			list = append(list, a.RecordStore().All()...)
		}
	}
	return list, nil
}

// Report is the files of a report, and the run's junit.xml.
type Report struct {
	Files map[string][]byte
	JUnit []byte
}

// Make makes the report of an attempt that is over. It may be called while nodes are held.
func Make(p plan.Plan, a rundir.Attempt, r protocol.Result) (Report, error) {
	return Render(report.Build(attempt(p, a, r, briefly)))
}

// Render makes the files of a model.
func Render(m report.Model) (Report, error) {
	files, err := report.Files(m)
	if err != nil {
		return Report{}, err
	}
	junit, err := report.JUnit(m)
	return Report{Files: files, JUnit: junit}, err
}

// Write leaves a report in an attempt's folder, and junit.xml in the run directory: as much as can be written. The
// error is the first that was met; the others are alike.
func (r Report) Write(a rundir.Attempt) (err error) {
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		err = cmp.Or(err, a.WriteReport(name, r.Files[name]))
	}
	return cmp.Or(err, a.Dir().WriteJUnit(r.JUnit))
}

// Keep leaves a verdict that the hub itself could not write, with its report. A verdict that is there stays. The
// verdict is kept even if there can be no report.
func Keep(p plan.Plan, a rundir.Attempt, r protocol.Result) error {
	made, err := Make(p, a, r)
	if err == nil {
		err = a.Dir().WriteJUnit(made.JUnit)
	}
	return errors.Join(a.Keep(r, made.Files), err)
}

// attempt reads what an attempt has left.
func attempt(p plan.Plan, a rundir.Attempt, r protocol.Result, most int64) report.Input {
	in := report.Input{
		Plan: p, Result: r, Entries: rundir.ReadJournal(a), Records: a.RecordStore().All(), RankLogs: rankLogs(p, a),
		Logs: roleLogs(a),
	}
	if h, err := rundir.ReadHistory(a.Dir()); err == nil {
		in.Earlier = lastRuns(h.Records, mostEarlier)
	}
	if c := r.FirstCause; c != nil && c.Subject == "" {
		if c.ExcerptLine == 0 {
			in.ExcerptLines = locate(a.RankLog(c.Task()), c.Excerpt, most)
		}
		in.Client = client(p, a, r)
	}
	return in
}

// mostEarlier is how many earlier runs a report shows: more lines would hide each other.
const mostEarlier = 8

// lastRuns are the records of the newest runs, of records that are sorted by time.
func lastRuns(records []results.Record, most int) (list []results.Record) {
	runs := map[string]bool{}
	for _, r := range slices.Backward(records) {
		if !runs[r.RunID] && len(runs) == most {
			break
		}
		runs[r.RunID] = true
		list = append(list, r)
	}
	return list
}

const logSuffix = ".log"

// rankLogs are the logs of ranks that are there. The folder is listed once: there may be a thousand.
func rankLogs(p plan.Plan, a rundir.Attempt) map[roles.Task]string {
	there, logs := map[string]bool{}, map[roles.Task]string{}
	for _, name := range logsIn(filepath.Dir(a.RankLog(roles.Hub()))) {
		there[name] = true
	}
	for _, pl := range p.Layout.Placements {
		for _, t := range pl.Tasks() {
			if there[t.String()] {
				logs[t] = relative(a, a.RankLog(t))
			}
		}
	}
	return logs
}

// roleLogs are the logs of whole roles, and of the install step.
func roleLogs(a rundir.Attempt) (list []report.Log) {
	for _, name := range logsIn(a.Logs()) {
		list = append(list, report.Log{Name: name, Path: relative(a, filepath.Join(a.Logs(), name+logSuffix))})
	}
	return list
}

// logsIn lists the logs of a folder without their suffix.
func logsIn(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), logSuffix); ok && !e.IsDir() {
			names = append(names, name)
		}
	}
	return names
}

func relative(a rundir.Attempt, file string) string {
	name, err := filepath.Rel(string(a), file)
	if err != nil {
		return file
	}
	return filepath.ToSlash(name)
}
