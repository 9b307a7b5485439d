package launch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/results"
)

// gate checks how results are to be compared with earlier ones, and fills in what was not said.
func (r Request) gate() (plan.Gate, error) {
	g := r.Gate
	g.Mode, g.Detector = cmp.Or(g.Mode, plan.GateReport), cmp.Or(g.Detector, plan.DetectorInterval)
	if !slices.Contains(plan.GateModes(), g.Mode) {
		return g, fmt.Errorf("unknown gate %q: want one of %s", g.Mode, joined(plan.GateModes()))
	}
	if !slices.Contains(plan.Detectors(), g.Detector) {
		return g, fmt.Errorf("unknown detector %q: want one of %s", g.Detector, strings.Join(plan.Detectors(), ", "))
	}
	for _, c := range slices.Concat(g.History, g.Pinned) {
		if err := results.CheckCondition(c); err != nil {
			return g, err
		}
	}
	if r.Confirm == nil {
		g.Confirm = g.Mode == plan.GateFail || g.Mode == plan.GateStrict
	} else {
		g.Confirm = *r.Confirm && g.Mode != plan.GateOff
	}
	return g, nil
}

func joined[T ~string](list []T) string {
	var words []string
	for _, v := range list {
		words = append(words, string(v))
	}
	return strings.Join(words, ", ")
}
