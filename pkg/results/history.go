package results

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// History is the earlier records of a case's series, as they were when the run was planned: what the verdict on a
// regression is based on stays with the run.
type History struct {
	Schema  int       `json:"schema"` // 1
	TakenAt time.Time `json:"taken_at"`
	From    string    `json:"from"` // URL of the sink
	// Error is why nothing could be asked; then there are no records, which does not mean that there were none.
	Error string `json:"error,omitempty"`
	// Records are oldest first. Of their documents only what a detector reads is kept.
	Records []Record `json:"records"`
}

// Of lists the records that a point may be compared with: those of its series that ask for the same work, count, and
// meet every condition. others is how many there are besides that ask for other work.
func (h History) Of(point Record, conditions []string) (list []Record, others int) {
	for _, r := range h.Records {
		// Servers that have served before are no longer what they were: only first measurements are like each other.
		first := r.Point.Measurement == 0 && !r.Provenance.Warm
		if !first || r.Series() != point.Series() || r.Point.Invalid != "" || !r.meets(conditions) {
			continue
		}
		if !r.SameWork(point) {
			others++
			continue
		}
		list = append(list, r)
	}
	return list, others
}

// OncePerRun keeps one record of each run, the one that stands where the point does: a case may ask for a concurrency
// several times, and what one run measured twice tells no more than once how runs differ. The order stays.
func OncePerRun(list []Record, point Record) (once []Record) {
	at := map[string]int{} // where in once a run is
	for _, r := range list {
		i, known := at[r.RunID]
		switch {
		case !known:
			at[r.RunID] = len(once)
			once = append(once, r)
		case r.Point.Index == point.Point.Index:
			once[i] = r
		}
	}
	return once
}

// SameWork tells whether two points of a series ask for the same work of servers of the same size, as far as both say
// what it is: a case's file may have been given another load or layout under the same name, and then the numbers tell
// nothing about each other.
func (r Record) SameWork(o Record) bool {
	same := func(a, b int) bool { return a == b || a == 0 || b == 0 }
	a, b := r.Load, o.Load
	ints := same(a.Rounds, b.Rounds) && same(a.InputLength, b.InputLength) && same(a.OutputLength, b.OutputLength) &&
		same(r.GPUs, o.GPUs) && same(r.CtxServers, o.CtxServers) && same(r.GenServers, o.GenServers)
	// What was imported does not say how lengths were chosen.
	imported := r.Provenance.Imported != nil || o.Provenance.Imported != nil
	return ints && (imported || a.RangeRatio == b.RangeRatio && a.Dataset == b.Dataset && r.Model == o.Model)
}

// conditionKeys are what a condition may be about.
var conditionKeys = map[string]func(Record) []string{
	"branch": func(r Record) []string { return []string{r.Provenance.Branch} },
	"commit": func(r Record) []string { return []string{r.Provenance.Commit} },
	"user":   func(r Record) []string { return []string{r.Provenance.User} },
	"engine": func(r Record) []string { return []string{r.Provenance.Engine} },
	"image":  func(r Record) []string { return []string{r.Provenance.Image} },
	"tag":    func(r Record) []string { return r.Provenance.Tags },
	"run":    func(r Record) []string { return []string{r.RunID} },
}

// CheckCondition tells what is wrong with a condition KEY=VALUE.
func CheckCondition(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if _, known := conditionKeys[key]; !ok || !known || value == "" {
		keys := slices.Sorted(maps.Keys(conditionKeys))
		return fmt.Errorf("cannot read condition %q: want KEY=VALUE with a KEY of %s", text, strings.Join(keys, ", "))
	}
	return nil
}

// meets tells whether every condition holds.
func (r Record) meets(conditions []string) bool {
	for _, c := range conditions {
		key, value, _ := strings.Cut(c, "=")
		of, known := conditionKeys[key]
		if !known || !slices.Contains(of(r), value) {
			return false
		}
	}
	return true
}
