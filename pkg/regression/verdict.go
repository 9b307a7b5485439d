package regression

import (
	"fmt"
	"strings"
)

// Sum makes the verdict of a run: it failed if any gating metric did; it is unknown if any of them cannot be told, or
// none is measured; else it passed.
func Sum(detector string, findings []Finding) Verdict {
	v := Verdict{Detector: detector, Findings: findings, Status: Passed}
	counts := map[Status][]Finding{}
	gating, widest := 0, 0.0
	for _, f := range findings {
		if f.Gates {
			gating++
			counts[f.Status] = append(counts[f.Status], f)
			widest = max(widest, f.Detectable)
		}
	}
	switch {
	case gating == 0:
		v.Status, v.Reason = Unknown, "nothing that gates was measured"
	case len(counts[Failed]) > 0:
		v.Status, v.Reason = Failed, listed(counts[Failed])
	case len(counts[Suspect]) > 0:
		v.Status, v.Reason = Suspect, listed(counts[Suspect])
	case len(counts[Unknown]) > 0:
		v.Status, v.Reason = Unknown, listed(counts[Unknown])
	default:
		v.Reason = fmt.Sprintf("no drop above %.1f %% would have been missed; none was seen", 100*widest)
	}
	return v
}

// listed is the worst of several findings, and how many more there are.
func listed(findings []Finding) string {
	worst := findings[0]
	for _, f := range findings[1:] {
		if f.Worse > worst.Worse {
			worst = f
		}
	}
	text := worst.String()
	if more := len(findings) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return strings.TrimSpace(text)
}
