package supervisor_test

import (
	"os"
	"testing"

	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/check"
)

// A tree whose threads get no processor is told from one that waits for something else.
func TestStarved(t *testing.T) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skip("this kernel does not count how long threads wait")
	}
	s := check.Supervise(t)
	crowd, sleeper := run(t, s, nil, "crowd", "8"), run(t, s, func(sp *supervisor.Spec) {
		sp.Argv, sp.Env = []string{"/bin/sh", "-c", "echo ready; sleep 600"}, os.Environ()
	}, "")
	crowd.awaitReady()
	sleeper.awaitReady()
	starved, asleep := crowd.Starved(), sleeper.Starved()
	check.Eventually(t, "eight threads share a processor", starved)
	check.Eventually(t, "the other one sleeps", func() bool { return !asleep() })
	for _, c := range []*child{crowd, sleeper} {
		c.Kill("enough")
		c.outcome()
	}
}
