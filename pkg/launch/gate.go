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
	if err := CheckComparison(g.Detector, slices.Concat(g.History, g.Pinned)); err != nil {
		return g, err
	}
	if r.Confirm == nil {
		g.Confirm = g.Mode == plan.GateFail || g.Mode == plan.GateStrict
	} else {
		g.Confirm = *r.Confirm && g.Mode != plan.GateOff
	}
	return g, nil
}

// CheckComparison tells what is wrong with the method of a comparison and its conditions.
func CheckComparison(detector string, conditions []string) error {
	if !slices.Contains(plan.Detectors(), detector) {
		return fmt.Errorf("unknown detector %q: want one of %s", detector, strings.Join(plan.Detectors(), ", "))
	}
	for _, c := range conditions {
		if err := results.CheckCondition(c); err != nil {
			return err
		}
	}
	return nil
}

func joined[T ~string](list []T) string {
	var words []string
	for _, v := range list {
		words = append(words, string(v))
	}
	return strings.Join(words, ", ")
}
