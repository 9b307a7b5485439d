package upload

import (
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/results"
)

// Query asks for the history of some series.
type Query struct {
	Series []string  // see results.Record.Series; none: all
	Since  time.Time // zero: from the beginning
	Before time.Time // zero: until now
	// Limit bounds the records of each series to the newest ones; 0: all.
	Limit int
}

// Select are the records that a query asks for, by time, for a sink whose store cannot choose by itself.
func (q Query) Select(records []results.Record) []results.Record {
	list := slices.DeleteFunc(slices.Clone(records), func(r results.Record) bool {
		return !q.Since.IsZero() && r.MeasuredAt.Before(q.Since) ||
			!q.Before.IsZero() && !r.MeasuredAt.Before(q.Before) ||
			len(q.Series) > 0 && !slices.Contains(q.Series, r.Series())
	})
	slices.SortFunc(list, func(a, b results.Record) int {
		if c := a.MeasuredAt.Compare(b.MeasuredAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	if q.Limit == 0 {
		return list
	}
	younger := map[string]int{} // how many of the series are at least as young
	for _, r := range list {
		younger[r.Series()]++
	}
	return slices.DeleteFunc(list, func(r results.Record) bool {
		younger[r.Series()]--
		return younger[r.Series()] >= q.Limit
	})
}
