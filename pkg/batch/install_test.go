package batch

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// Nodes that cannot be prepared end the job with the last of what the command said, or what the scheduler says of it.
// No step is started then.
func TestInstallFails(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ script, detail string }{
		"the command says why": {"echo 'Collecting x'; echo 'ERROR: no distribution found for x'; echo; exit 3",
			"installing ended with code 3: ERROR: no distribution found for x"},
		"the scheduler says why": {"echo 'fake:  node n2 is down' >&2; echo; exit 1",
			"installing ended with code 1: node n2 is down"},
		"agents say how it ended": {
			"echo no such package; for n in n1 n2; do " +
				"echo disagg-agent: '" + protocol.InstallEnded + "'$n with code 3: no such package; done; exit 143",
			"installing ended on n1 with code 3: no such package",
		},
		"what agents said is lost with the step": {
			"echo srun: Force Terminated StepId=7.0 >&2; printf '%s' 'n1 with code 3: no such package' >" +
				`"${DISAGG_PLAN%/*}/attempt-$DISAGG_ATTEMPT/logs/install.ended"; exit 143`,
			"installing ended on n1 with code 3: no such package",
		},
		"nothing is said": {"kill -9 $$", "installing ended with code 137"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, nil)
			j.InstallScript = tt.script
			if code := j.run(t.Context()); code != protocol.ExitFailed {
				t.Errorf("code %d", code)
			}
			if c := j.cause(); c.Kind != protocol.InstallFailed || c.Detail != tt.detail {
				t.Errorf("%+v", c)
			}
			if asked := j.Asked(); len(asked) > 0 {
				t.Errorf("%v", asked)
			}
			if !check.Exists(rundir.DoneFile(j.attempt.InstallLog())) {
				t.Error("the log is not marked as complete")
			}
		})
	}
}

// An install command that cannot be started is one that failed.
func TestInstallCannotStart(t *testing.T) {
	j := newJob(t, nil)
	j.InstallScript = "exit 0"
	t.Setenv("PATH", t.TempDir())
	if code := j.run(t.Context()); code != protocol.ExitFailed {
		t.Errorf("code %d", code)
	}
	if c := j.cause(); c.Kind != protocol.InstallFailed || !strings.Contains(c.Detail, "code 125: exec:") {
		t.Errorf("%+v", c)
	}
}

// Once the nodes are prepared the steps are started, and know when that was. What the command left running is not
// waited for, although it holds the output.
func TestInstall(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"BENCHMARK": verdict + `[ -n "$DISAGG_INSTALLED" ] || exit 4`})
	j.InstallScript = "echo prepared; sleep 600 &"
	t.Cleanup(j.kill)
	begun := time.Now()
	if code := j.run(t.Context()); code != 0 || time.Since(begun) > bound {
		t.Errorf("code %d, after %v", code, time.Since(begun))
	}
	if data, err := os.ReadFile(j.attempt.InstallLog()); string(data) != "prepared\n" {
		t.Errorf("%q, %v", data, err)
	}
}

// A job that is asked to end while its nodes are prepared was cancelled, or its time was over: its install command did
// not fail. The command is asked to end.
func TestInstallIsCancelled(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script string
		ends   time.Time
		kind   protocol.CauseKind
	}{
		"by a person":          {runs, time.Time{}, protocol.CauseCancelled},
		"by the scheduler":     {runs, time.Now(), protocol.TimeLimit},
		"and ends well though": {strings.Replace(runs, "exit 1", "exit 0", 1), time.Time{}, protocol.CauseCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, nil)
			j.Ends = tt.ends
			j.InstallScript = "A=" + string(j.attempt) + "\n" + tt.script
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				check.Eventually(t, "the command begins", func() bool {
					return check.Exists(string(j.attempt) + "/runs")
				})
				cancel(errors.New("SIGTERM"))
			}()
			if code := j.run(ctx); code != protocol.ExitFailed {
				t.Errorf("code %d", code)
			}
			const detail = "the job was asked to end while its nodes were prepared: SIGTERM"
			if c := j.cause(); c.Kind != tt.kind || c.Subject != protocol.WholeJob || c.Detail != detail {
				t.Errorf("%+v", c)
			}
			if slices.Contains(j.Asked(), "start BENCHMARK") {
				t.Error("a step was started")
			}
		})
	}
}

// Preparing the nodes is tried again if it never began and may the next time. A command that was run is not run twice.
func TestInstallIsTriedAgain(t *testing.T) {
	t.Parallel()
	const busy, began = "echo 'fake: transient busy' >&2\n", "echo '" + protocol.Installing + "n1'\n"
	tests := map[string]struct {
		script string
		tries  string
		detail string // of the verdict; "": it works
	}{
		"and works":              {"[ -e $A/3 ] && exit 0\n" + busy + "exit 1", "...", ""},
		"and never works":        {busy + "exit 1", "...", "code 1 (tried 3 times): busy"},
		"not if it began":        {began + busy + "exit 1", ".", "code 1: busy"},
		"nor for another reason": {"echo no; exit 1", ".", "code 1: no"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, map[string]string{"BENCHMARK": verdict})
			count := "A=" + string(j.attempt) + "\nprintf . >>$A/tries; : >$A/$(wc -c <$A/tries)\n"
			j.InstallScript = count + tt.script
			if code := j.run(t.Context()); (code == 0) != (tt.detail == "") {
				t.Errorf("code %d", code)
			}
			if data, err := os.ReadFile(string(j.attempt) + "/tries"); string(data) != tt.tries {
				t.Errorf("%d tries, %v", len(data), err)
			}
			if tt.detail != "" && j.cause().Detail != "installing ended with "+tt.detail {
				t.Errorf("%+v", j.cause())
			}
		})
	}
}

// Nobody waits for the next try of a job that is asked to end.
func TestInstallIsCancelledBetweenTries(t *testing.T) {
	t.Parallel()
	j := newJob(t, nil)
	j.InstallScript = "A=" + string(j.attempt) + "\necho 'fake: transient busy' >&2; : >$A/failed; exit 1"
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		check.Eventually(t, "the first try fails", func() bool { return check.Exists(string(j.attempt) + "/failed") })
		cancel(errors.New("SIGTERM"))
	}()
	if code := j.run(ctx); code != protocol.ExitFailed || j.cause().Kind != protocol.CauseCancelled {
		t.Errorf("code %d, %+v", code, j.cause())
	}
}

// By hand nothing is prepared: the allocation is somebody's own.
func TestInstallByHand(t *testing.T) {
	t.Parallel()
	j := byHand(t, "exit 0")
	j.InstallScript = "exit 1"
	if code := j.run(t.Context()); code != 0 {
		t.Errorf("code %d", code)
	}
}

// byHand is a job of which one decode server is started by hand.
func byHand(t *testing.T, script string) *job {
	t.Helper()
	j := newJob(t, map[string]string{"GEN_0": script})
	j.plan.Policy.Interactive = true
	j.roles = []roles.Role{gen}
	return j
}
