package recipe

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/roles"
)

// traitTexts say what a trait is, as the rest of "recipe NAME cannot run …".
var traitTexts = map[roles.Trait]string{
	roles.Aggregated:    "an aggregated test, in which one process starts the server and the client",
	roles.AddressFiles:  "the test of a checkout that knows no --report_addr",
	roles.IDWithoutMode: "the test of a checkout that takes the mode from the config",
	roles.TimeBreakdown: "a test with time_breakdown",
	roles.Frontends:     "servers with several front ends (num_serve_frontends)",
	roles.AccuracyOnly:  "a test that measures nothing (only_run_accuracy)",
	roles.SAClient:      "a test with the SemiAnalysis client (use_nv_sa_benchmark)",
}

// traitNames lists every trait.
func traitNames() string {
	var names []string
	for _, t := range slices.Sorted(maps.Keys(traitTexts)) {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

// Fit tells which recipe a case with these traits is run by: this one (""), another by name, or none, which is an
// error.
func (r Recipe) Fit(traits []roles.Trait) (instead, why string, err error) {
	for _, t := range traits {
		switch other := r.Instead[t]; {
		case slices.Contains(r.Does, t):
		case other != "":
			return other, traitTexts[t], nil
		default:
			return "", "", fmt.Errorf("recipe %s cannot run %s", r.Name, traitTexts[t])
		}
	}
	return "", "", nil
}

// Suits tells what is wrong if a recipe that runs certain cases only gets another.
func (r Recipe) Suits(traits []roles.Trait) error {
	if len(r.Only) == 0 || slices.ContainsFunc(r.Only, func(t roles.Trait) bool { return slices.Contains(traits, t) }) {
		return nil
	}
	var texts []string
	for _, t := range r.Only {
		texts = append(texts, traitTexts[t])
	}
	return fmt.Errorf("recipe %s runs only %s: leave --recipe out", r.Name, strings.Join(texts, ", or "))
}

// Parser is the name of the format that a client's output has.
func (r Results) Parser(client string) string {
	if own := r.Clients[client]; own != "" {
		return own
	}
	return r.Format
}
