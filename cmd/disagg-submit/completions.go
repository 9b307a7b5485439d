package main

import (
	"github.com/disagg/disagg/cmd/internal/caseflags"
	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs/catalog"
)

// completions are the values that a shell can offer.
func completions() command.Completions {
	c := caseflags.Completions()
	for name, values := range map[string][]string{
		"format": {"html", "text", "md", "junit", "json"}, "detector": plan.Detectors(), "fail": {"5%", "spread"},
		"stage": {"pre_merge", "post_merge"}, "gate": gateModes(),
	} {
		c[name] = command.OneOf(values...)
	}
	c["RUN"], c["ROLE"] = knownNames, rolesOfRun
	return c
}

func gateModes() (names []string) {
	for _, m := range plan.GateModes() {
		names = append(names, string(m))
	}
	return names
}

// mostOffered is how many runs a shell offers, the newest.
const mostOffered = 50

// knownNames are what runs are called: the newest by the ids of their jobs, and by their own.
func knownNames([]string) (names []string) {
	list, err := knownRuns()
	if err != nil {
		return nil
	}
	for _, run := range list[:min(len(list), mostOffered)] {
		if run.Job != "" && len(run.Job) <= longestJob {
			names = append(names, run.Job)
		}
		if run.ID != "" {
			names = append(names, plan.ShortID(run.ID))
		}
	}
	return names
}

// rolesOfRun are the roles of the run that stands before them; of the newest if there is none.
func rolesOfRun(arguments []string) []string {
	name := ""
	if len(arguments) > 0 {
		name = arguments[0]
	}
	dir, err := runNamed(name)
	if err != nil {
		return nil
	}
	p, err := rundir.ReadPlan(catalog.AttemptOf(dir).Dir().Plan())
	if err != nil {
		return nil
	}
	return roleNames(p.Layout)
}
