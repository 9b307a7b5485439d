package supervisor_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/supervisor"
)

// Whatever the descendants do to get away, nothing is left.
func TestNothingSurvives(t *testing.T) {
	for _, name := range []string{"wait", "stubborn", "tree", "zombies", "stopped"} {
		t.Run(name, func(t *testing.T) {
			c := run(t, check.Supervise(t), func(sp *supervisor.Spec) {
				sp.StopPolicy.Budget, sp.StopPolicy.Grace = 200*time.Millisecond, 100*time.Millisecond
			}, name)
			c.awaitReady()
			c.Stop("the test says so")
			o := c.outcome()
			if o.StopReason != "the test says so" || len(o.Survivors) > 0 || o.Clean() {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestForkStorm(t *testing.T) {
	const hasty = 10 * time.Millisecond
	c := run(t, check.Supervise(t), func(sp *supervisor.Spec) {
		sp.StopPolicy = supervisor.StopPolicy{Grace: hasty, Budget: hasty, TreeKill: bound}
	}, "forkstorm", "300")
	c.awaitReady()
	c.Stop("enough")
	if o := c.outcome(); len(o.Survivors) > 0 {
		t.Errorf("%d survivors", len(o.Survivors))
	}
}

// A child that ends by itself leaves nothing either, its code is its own, and whoever holds its stdout cannot keep it.
func TestLeakedStdout(t *testing.T) {
	c := run(t, check.Supervise(t), nil, "leaver", "3")
	if o := c.outcome(); o.Code != 3 || len(o.Orphans) != 1 || o.Orphans[0].Comm != "sleep" ||
		o.Orphans[0].Status != "signal 9" {
		t.Errorf("%+v", o)
	}
	if got := c.output(); got != "bye\n" {
		t.Errorf("output %q", got)
	}
}

// The leader's end is told at once, while its descendants are still being swept.
func TestExitedBeforeDone(t *testing.T) {
	c := run(t, check.Supervise(t), nil, "leaver", "3")
	select {
	case <-c.Exited():
	case <-time.After(bound):
		t.Fatal("not told")
	}
	if o := c.Ended(); o.Code != 3 || !o.Started {
		t.Errorf("%+v", o)
	}
	c.outcome()
}

// Slurm sends TERM, CONT, TERM: that is one request, whoever passes it on and however often.
func TestStopIsOneRequest(t *testing.T) {
	c := run(t, check.Supervise(t), nil, "polite", fmt.Sprint(int(unix.SIGTERM)))
	c.awaitReady()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { c.Stop(fmt.Sprint("request ", i)) })
	}
	wg.Wait()
	o := c.outcome()
	c.Stop("after the end")
	if o.Code != 5 || !strings.HasPrefix(o.StopReason, "request ") || c.output() != "ready\nasked 1 times\n" {
		t.Errorf("%+v: %q", o, c.output())
	}
}

// Who is asked first, and how, depends on the role.
func TestAsk(t *testing.T) {
	intToLeader := supervisor.StopPolicy{Signal: unix.SIGINT, Leader: true, Budget: bound, Grace: bound}
	toGroup := supervisor.StopPolicy{Budget: bound, Grace: bound}
	matching := supervisor.StopPolicy{Leader: true, Budget: bound, Grace: bound, Match: func(argv []string) bool {
		return len(argv) > 0 && argv[len(argv)-1] == "inner"
	}}
	// The leader has a child, and that has one; the innermost is the last to be ready.
	script := `trap 'echo the leader; exit 4' TERM INT; (trap 'echo group; exit' TERM; ` +
		`sh -c 'trap "echo inner; exit" TERM; echo ready; while :; do sleep 0.02; done' inner & ` +
		`while :; do sleep 0.02; done) & while :; do sleep 0.02; done`
	tests := map[string]struct {
		policy supervisor.StopPolicy
		has    string
		hasNot string
	}{
		"leader":  {intToLeader, "leader", "group"},
		"group":   {toGroup, "group", ""},
		"matched": {matching, "inner", "leader"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := run(t, check.Supervise(t), func(sp *supervisor.Spec) {
				sp.Argv, sp.Env, sp.StopPolicy = []string{"/bin/sh", "-c", script}, os.Environ(), tt.policy
				sp.StopPolicy.Grace = 300 * time.Millisecond
				sp.StopPolicy.Budget = 600 * time.Millisecond
			}, "")
			c.awaitReady()
			c.Finish(0, "asked")
			c.outcome()
			first, _, _ := strings.Cut(strings.TrimPrefix(c.output(), "ready\n"), "\n")
			if !strings.Contains(c.output(), tt.has) || (tt.hasNot != "" && strings.Contains(first, tt.hasNot)) {
				t.Errorf("output %q", c.output())
			}
		})
	}
}

// One that is expected to end by itself is given the time, unless it becomes urgent.
func TestFinish(t *testing.T) {
	s := check.Supervise(t)
	own := run(t, s, func(sp *supervisor.Spec) {
		sp.Argv, sp.Env = []string{"/bin/sh", "-c", "echo ready; sleep 0.2; exit 6"}, nil
		sp.Env = os.Environ()
	}, "")
	own.awaitReady()
	own.Finish(bound, "done")
	if o := own.outcome(); o.Code != 6 || o.StopReason != "done" {
		t.Errorf("%+v", o)
	}
	urgent := run(t, s, nil, "wait")
	urgent.awaitReady()
	urgent.Finish(time.Hour, "done")
	urgent.Stop("now")
	if o := urgent.outcome(); o.StopReason != "done" || o.Clean() {
		t.Errorf("%+v", o)
	}
}
