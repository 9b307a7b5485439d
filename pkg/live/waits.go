package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
)

// mostWaits is how many roles have a line of their own; of more, those that are equally far share one.
const mostWaits = 4

// Waits says in a line each what the job waits for; none if nothing is known of it.
func (v *View) Waits(now time.Time) []string {
	now = v.by(now)
	phase := span(max(now.Sub(v.since), 0))
	switch v.phase {
	case "":
		if v.queue.Phase == protocol.JobQueued {
			return []string{"job " + v.job + " is " + v.queueText(now)}
		}
		return nil
	case protocol.Launching:
		return v.missing("waiting for "+phase+" for agents", func(r *role) bool { return r.alive() < r.Ranks })
	case protocol.Stopping:
		return v.missing("stopping for "+phase, func(r *role) bool { return r.state() != ended })
	case protocol.Readying, protocol.Measuring:
		return v.busy(now)
	}
	return nil
}

// missing adds the roles that are waited for.
func (v *View) missing(what string, waited func(*role) bool) []string {
	var names []string
	for _, r := range v.roles {
		if waited(r) {
			names = append(names, name(r.Role))
		}
	}
	switch n := len(names); {
	case n == 0:
		return nil
	case n > mostWaits:
		names = append(names[:mostWaits:mostWaits], fmt.Sprintf("%d more", n-mostWaits))
	}
	return []string{what + ": " + strings.Join(names, ", ")}
}

// busy tells of the roles that load, or measure.
func (v *View) busy(now time.Time) (lines []string) {
	var rows []row
	for _, r := range v.roles { // servers come first: what is after them waits for them
		if s := r.state(); s == running || s == loading && (r.Role.Kind.Worker() || len(rows) == 0) {
			rows = append(rows, v.row(r, now))
		}
	}
	if len(rows) > mostWaits {
		rows = fold(rows)
	}
	for _, r := range rows {
		lines = append(lines, r.sentence())
	}
	return lines
}

// sentence tells what a role does, and since when: "GEN_0 is loading for 11 min: weights 61 %, last line 2 s ago".
func (r row) sentence() string {
	text := fmt.Sprintf("%s is loading for %s", r.title(), span(r.spent))
	switch {
	case r.kind == roles.Benchmark:
		text = "the benchmark runs for " + span(r.spent)
	case r.roles > 1:
		text = fmt.Sprintf("%s are loading for up to %s", r.title(), span(r.spent))
	}
	var facts []string
	if r.note != "" {
		facts = append(facts, report.Printable(r.note))
	}
	if r.quiet >= 0 {
		facts = append(facts, "last line "+span(r.quiet)+" ago")
	}
	if len(facts) > 0 {
		text += ": " + strings.Join(facts, ", ")
	}
	return text
}
