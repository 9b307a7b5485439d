package supervisor_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"github.com/disagg/disagg/pkg/supervisor"
)

// A launcher that goes on although what it runs has ended is noticed; one that ends itself, or whose command goes on or
// never begins, has not outlived anything.
func TestOutlived(t *testing.T) {
	sleeps := func(argv []string) bool { return slices.Equal(argv, []string{"sleep", "0.37"}) }
	for name, tt := range map[string]struct {
		script string
		stop   time.Duration // the child is ended then; 0: it ends, or is outlived, by itself
		want   bool
	}{
		"it goes on":          {"sleep 0.37; exec sleep 600", 0, true},
		"it ends":             {"sleep 0.37", 0, false},
		"it starts it again":  {"sleep 0.37; sleep 0.37; sleep 0.37; sleep 0.37", 0, false},
		"another runs":        {"exec sleep 600", time.Second, false},
		"the command goes on": {"sleep 600", time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			shell := []string{"/bin/sh", "-c", tt.script}
			c := run(t, check.Supervise(t), func(s *supervisor.Spec) { s.Argv = shell }, "")
			if tt.stop > 0 {
				time.AfterFunc(tt.stop, func() { c.Stop("the test has seen enough") })
			}
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			if got := c.Outlived(ctx, sleeps, 600*time.Millisecond); got != tt.want {
				t.Errorf("outlived: %t", got)
			}
			c.Stop("the test is over")
			c.outcome()
		})
	}
}
