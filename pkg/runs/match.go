package runs

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
)

// mostListed is how many runs are listed of those that a name may mean.
const mostListed = 10

// Match chooses the run that a name means of those that are known, the newest first; "" means the newest. What is
// exactly a job's id, a run's id or a folder's name goes before a part of one, or of a case's name.
func Match(name string, known []protocol.KnownRun) (protocol.KnownRun, error) {
	switch {
	case name == "" && len(known) == 0:
		return protocol.KnownRun{}, errors.New("cannot find a run: none is known: name its folder")
	case name == "":
		return known[0], nil
	}
	for _, means := range []func(string, protocol.KnownRun) bool{isCalled, beginsWith, contains} {
		var found []protocol.KnownRun
		for _, k := range known {
			if means(name, k) {
				found = append(found, k)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return protocol.KnownRun{}, ambiguous(name, found)
		}
	}
	return protocol.KnownRun{}, fmt.Errorf("cannot find run %q: it is not a folder, a job id, a run id or part of a "+
		"known name: disagg-submit runs lists all", name)
}

func isCalled(name string, k protocol.KnownRun) bool {
	return name == k.Job || name == k.ID || name == plan.ShortID(k.ID) || name == filepath.Base(k.Dir)
}

// beginsWith tells whether a name begins the run's id, or is what records call an attempt of it.
func beginsWith(name string, k protocol.KnownRun) bool {
	return strings.HasPrefix(k.ID, name) || k.ID != "" && strings.HasPrefix(name, k.ID+"-")
}

func contains(name string, k protocol.KnownRun) bool {
	return strings.Contains(filepath.Base(k.Dir), name) || strings.Contains(k.Case, name)
}

// ambiguous is the error that lists the runs that a name may mean.
func ambiguous(name string, found []protocol.KnownRun) error {
	lines := []string{
		fmt.Sprintf("%q matches %d runs: give an id", name, len(found)),
	}
	for i, k := range found {
		if i == mostListed {
			lines = append(lines, fmt.Sprintf("  and %d more", len(found)-i))
			break
		}
		at := k.At.Local().Format("2006-01-02 15:04")
		lines = append(lines, fmt.Sprintf("  %-6s  %s  %s", plan.ShortID(k.ID), at, k.Dir))
	}
	return errors.New(strings.Join(lines, "\n"))
}
