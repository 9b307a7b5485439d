package rundir_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// Logs have upstream's names, and a rank's templates get the folders that its files are in.
func TestPaths(t *testing.T) {
	d := rundir.Dir("/run")
	a := d.Attempt(2)
	for want, got := range map[string]string{
		"/run/case/c.yaml":                        d.Case("c"),
		"/run/attempt-2/logs/gen_server_0.log":    a.RoleLog(gen0.Role),
		"/run/attempt-2/logs/gen_server_0.done":   rundir.DoneFile(a.RoleLog(gen0.Role)),
		"/run/attempt-2/logs/install.log":         a.InstallLog(),
		"/run/attempt-2/logs/ranks/GEN_0.1.log":   a.RankLog(gen1),
		"/run/attempt-2/logs/agents/GEN_0.1.log":  a.AgentLog(gen1),
		"/run/attempt-2/agents/BENCHMARK.0.json":  a.Agent(roles.Hub()),
		"/run/attempt-2/logs/gpu/n1.csv":          a.GPULog("n1"),
		"/run/attempt-2/status-key":               a.StatusKey(),
		"/run/attempt-2/preflight.json":           a.Preflight(),
		"/run/attempt-2/output/test_e2e[a.b].log": a.TestDir("test_e2e[a.b].log"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	want := recipe.Dirs{
		Attempt: "/run/attempt-2", Logs: "/run/attempt-2/logs", Test: "/run/attempt-2/output/id",
		Output: "/run/attempt-2/output", Work: "/run/attempt-2/work/GEN_0.1",
	}
	if diff := cmp.Diff(want, a.Dirs(gen1, "id")); diff != "" {
		t.Error(diff)
	}
}
