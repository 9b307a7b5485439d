package hub

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disagg/disagg/pkg/roles"
)

// The hub waits for the steps until the batch script has noted the end of the last, and no longer than their bound.
func TestAwaitSteps(t *testing.T) {
	for name, test := range map[string]struct {
		last  roles.Role // whose step ends late
		after time.Duration
		want  bool
	}{
		"all end":       {ctx0.Role, 300 * time.Millisecond, true},
		"one is stuck":  {ctx0.Role, time.Hour, false},
		"only this one": {benchmark.Role, time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			attempt := roles.RunDir(t.TempDir()).Attempt(0)
			if err := os.MkdirAll(filepath.Dir(attempt.RoleDone(ctx0.Role)), 0o755); err != nil {
				t.Fatal(err)
			}
			end := func(r roles.Role) {
				if err := os.WriteFile(attempt.RoleDone(r), nil, 0o600); err != nil {
					t.Error(err)
				}
			}
			plan := newBench(t).job.plan
			for _, pl := range plan.Layout.Placements {
				if pl.Role != test.last {
					end(pl.Role)
				}
			}
			synctest.Test(t, func(t *testing.T) {
				late := time.AfterFunc(test.after, func() { end(test.last) })
				defer late.Stop()
				begun := time.Now()
				h := &Hub{opts: Options{Plan: plan, Attempt: attempt}}
				if got, took := h.awaitSteps(), time.Since(begun); got != test.want || took > stepsBound {
					t.Errorf("got %v after %v", got, took)
				}
			})
		})
	}
}
