package launch

import (
	"testing"

	"github.com/disagg/disagg/pkg/roles"
)

// Of the servers of a run those are named that do not run: a measurement waits for them. BENCHMARK is none.
func TestAbsent(t *testing.T) {
	p := keptRun(t).Plan
	all := absent(p, nil)
	if got := names(all); got != "GEN_0, CTX_0, CTX_1, DISAGG_SERVER" {
		t.Errorf("none runs: %s", got)
	}
	if got := names(absent(p, []roles.Role{all[3], all[0], all[2]})); got != "CTX_0" {
		t.Errorf("one does not: %s", got)
	}
	if left := absent(p, all); len(left) > 0 {
		t.Errorf("all run: %v", left)
	}
}
