package batch

import (
	"os"
	"strings"
	"testing"

	"github.com/disagg/disagg/test/check"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// verdict is a script that leaves a verdict, as a hub does.
const verdict = `echo '{"schema": 1, "verdict": "passed", "run_id": "run-0"}' >"$A/result.json"` + "\n"

// Every role gets a step with what its agents need, and a log that is marked when it is complete. The code is
// BENCHMARK's, and the hub's verdict stays.
func TestRun(t *testing.T) {
	t.Parallel()
	const env = `echo "$DISAGG_SERVING_TYPE of $DISAGG_PLAN, attempt $DISAGG_ATTEMPT," \
		"batch ${DISAGG_BATCH:+there}, ${DISAGG_BATCH_START:+begun}"`
	j := newJob(t, map[string]string{"GEN_0": env + "; echo said >&2", "BENCHMARK": env + "\n" + verdict + "exit 3"})
	if code := j.run(t.Context()); code != 3 {
		t.Errorf("code %d", code)
	}
	for r, more := range map[roles.Role]string{gen: "said\n", bench: ""} {
		want := r.String() + " of " + j.plan.RunDir + "/plan.json, attempt 0, batch there, begun\n"
		if got := j.log(r); !strings.Contains(got, want) || !strings.Contains(got, more) {
			t.Errorf("%s: %q", r, got)
		}
		if !check.Exists(rundir.DoneFile(j.attempt.RoleLog(r))) {
			t.Errorf("the log of %s is not marked as complete", r)
		}
	}
	if now := rundir.Current(rundir.Dir(j.plan.RunDir)); now != j.attempt {
		t.Errorf("the current attempt is %s", now)
	}
	if r, err := rundir.ReadResult(j.attempt); err != nil || r.Verdict != protocol.Passed {
		t.Errorf("%+v, %v", r, err)
	}
	if got := j.Asked()[0]; got != "start BENCHMARK" {
		t.Errorf("first came %s: all others look for BENCHMARK", got)
	}
}

// A hub that ended without a verdict gets one in its place, which says whether it ever was there.
func TestVerdictInTheHubsPlace(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script string
		code   int
		kind   protocol.CauseKind
		detail string
	}{
		"it never began": {"echo 'fake:  unrecognized option' >&2; exit 2", 2, protocol.StepFailed,
			"the step never began: it ended with code 2: unrecognized option"},
		"it was killed": {published(bench, "7.0") + "kill -9 $$", 137, protocol.HubLost,
			"it ended without a verdict, with code 137"},
		"it ended well": {published(bench, "7.0"), 0, protocol.HubLost, "it ended without a verdict, with code 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, map[string]string{"BENCHMARK": tt.script})
			if code := j.run(t.Context()); code != tt.code {
				t.Errorf("code %d", code)
			}
			if c := j.cause(); c.Kind != tt.kind || c.Detail != tt.detail || c.Role != bench {
				t.Errorf("%+v", c)
			}
			if !check.Exists(j.attempt.Report()) {
				t.Error("there is no report")
			}
		})
	}
}

// A verdict that the hub could not write is kept for it. Nobody else can give one, and what is no verdict is none.
func TestVerdictLine(t *testing.T) {
	t.Parallel()
	const line = `disagg-verdict: {"schema": 1, "verdict": "failed", "exit_code": 124, "run_id": "run-0"}`
	tests := map[string]struct {
		bench, gen string
		want       int // exit code of the verdict
	}{
		"the hub's": {"echo '" + line + "' >&2", "", 124},
		"another's": {"", "echo '" + line + "' >&2", 1},
		"a part":    {"echo '" + line[:40] + "' >&2", "", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const after = "\n" + `until [ -e "$A/logs/gen_server_0.done" ]; do sleep 0.02; done; exit 1`
			j := newJob(t, map[string]string{"BENCHMARK": tt.bench + after, "GEN_0": tt.gen})
			j.run(t.Context())
			r, err := rundir.ReadResult(j.attempt)
			if err != nil && len(j.Notes()) > 0 { // a disk as slow as this one did not answer
				r = j.note()
				j.written()
			}
			if r.ExitCode != tt.want {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// An attempt whose folder cannot be made is a fault of configuration: nothing is started.
func TestAttemptCannotBeOpened(t *testing.T) {
	t.Parallel()
	j := newJob(t, nil)
	if err := os.WriteFile(string(j.attempt), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, err := j.try(t.Context()); code != protocol.ExitUsage || err == nil {
		t.Errorf("code %d, %v", code, err)
	}
	if asked := j.Asked(); len(asked) > 0 {
		t.Errorf("%v", asked)
	}
}
