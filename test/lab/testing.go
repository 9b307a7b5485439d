package lab

import (
	"strings"
	"testing"
)

// Start brings up a lab for a test and takes it down when the test ends. A machine that cannot have a lab skips the
// test, and says what is missing. The log of a test that fails ends with what Slurm complained about.
func Start(t testing.TB, o Options) *Lab {
	t.Helper()
	if missing := Missing(o); len(missing) > 0 {
		t.Skipf("cannot have a lab: missing: %s", strings.Join(missing, ", "))
	}
	l, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if complaints := l.dir.complaints(); t.Failed() && complaints != nil {
			t.Log(complaints)
		}
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	return l
}
