package agent

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

func envPlan() roles.Plan {
	return roles.Plan{
		Recipe: roles.Recipe{
			Env: map[string]string{"ALL": "{{.Role}}.{{.Rank}}", "WINS": "recipe"},
			Roles: map[roles.Kind]roles.Steps{
				roles.Gen:       {MPI: true, Env: map[string]string{"KIND": "gen"}},
				roles.Benchmark: {},
			},
		},
		Cluster: roles.Cluster{Env: map[string]string{"WINS": "cluster", "PATH": `/x:{{.Env "PATH"}}`}, Unset: []string{"UCX_*"}},
		Case:    roles.Case{Env: map[roles.Kind][]roles.Var{roles.Gen: {{Name: "WINS", Value: "case"}, {Name: "A", Value: "b c"}}}},
	}
}

// The environment of a child: launchers' variables only for MPI roles, and the case's word is the last.
func TestChildEnv(t *testing.T) {
	own := []string{
		"PATH=/bin", "HOME=/h", "SLURM_JOB_ID=1", "SLURM_PROCID=2", "PMIX_RANK=2", "PMI_FD=3", "OMPI_X=4", "MPI_LOCALNRANKS=5", "UCX_TLS=tcp",
		"DISAGG_SERVING_TYPE=other",
	}
	tests := map[string][]string{
		"GEN_0": {
			"A=b c", "ALL=GEN_0.3", "DISAGG_SERVING_TYPE=GEN_0", "HOME=/h", "KIND=gen", "MPI_LOCALNRANKS=5", "OMPI_X=4", "PATH=/x:/bin",
			"PMIX_RANK=2", "PMI_FD=3", "SLURM_JOB_ID=1", "SLURM_PROCID=2", "WINS=case",
		},
		"BENCHMARK": {"ALL=BENCHMARK.3", "DISAGG_SERVING_TYPE=BENCHMARK", "HOME=/h", "PATH=/x:/bin", "SLURM_PROCID=2", "WINS=recipe"},
	}
	for name, want := range tests {
		role, err := roles.ParseRole(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := childEnv(own, envPlan(), roles.Facts{Role: role, Rank: 3})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// All agents of an attempt agree on its token, whoever comes first; it is nobody else's to read.
func TestTokenIsShared(t *testing.T) {
	p := roles.Plan{RunDir: roles.RunDir(t.TempDir()), Case: roles.Case{TestID: "t"}}
	a := p.RunDir.Attempt(0)
	tokens := make([]string, 16)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() {
			var err error
			if tokens[i], err = openAttempt(p, a); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, tok := range tokens {
		if tok != tokens[0] || len(tok) != 64 {
			t.Fatalf("tokens %q and %q", tok, tokens[0])
		}
	}
	if info, err := os.Stat(a.Token()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if other, err := openAttempt(p, p.RunDir.Attempt(1)); err != nil || other == tokens[0] {
		t.Errorf("another attempt has the token %q, %v", other, err)
	}
	if _, err := os.Stat(a.TestDir("t") + "/ranks"); err != nil {
		t.Errorf("the test's folder is not the logs: %v", err)
	}
	if key := authKey(tokens[0]); len(key) != 64 || strings.Contains(key, tokens[0]) {
		t.Errorf("key %q", key)
	}
}

// Only the hub of this attempt is found.
func TestFindHub(t *testing.T) {
	a := roles.RunDir(t.TempDir()).Attempt(0)
	if err := os.MkdirAll(a.Agents(), 0o755); err != nil {
		t.Fatal(err)
	}
	hub := roles.Identity{Task: roles.Hub(), Node: "n", Host: "h"}
	if err := publish(a, hub, "run-0", "h:1"); err != nil { // left by an earlier attempt
		t.Fatal(err)
	}
	late := errors.New("late")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, late)
	defer cancel()
	if addr, err := findHub(ctx, a, "run-1"); !errors.Is(err, late) {
		t.Fatalf("found %q, %v", addr, err)
	}
	found := make(chan string)
	go func() {
		addr, _ := findHub(t.Context(), a, "run-1")
		found <- addr
	}()
	if err := publish(a, hub, "run-1", "h:2"); err != nil {
		t.Fatal(err)
	}
	if addr := <-found; addr != "h:2" {
		t.Errorf("found %q", addr)
	}
}

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		o    supervisor.Outcome
		want int
	}{
		{supervisor.Outcome{Started: true}, 0},
		{supervisor.Outcome{Started: true, Code: 1}, 1},
		{supervisor.Outcome{Started: true, Code: 63}, 63},
		{supervisor.Outcome{Started: true, Code: 64}, 1},
		{supervisor.Outcome{Started: true, Code: 255}, 1},
		{supervisor.Outcome{Started: true, Code: 137, Signal: "SIGKILL"}, 137},
		{supervisor.Outcome{Code: 127}, 127},
	} {
		if got := childCode(tt.o); got != tt.want {
			t.Errorf("%+v: %d, want %d", tt.o, got, tt.want)
		}
	}
	bench := &results.Cause{Role: roles.Hub().Role}
	for _, tt := range []struct {
		r    results.Result
		own  int
		want int
	}{
		{results.Result{Verdict: results.Passed}, 0, 0},
		{results.Result{Verdict: results.Failed, ExitCode: 1, FirstCause: bench}, 5, 5},
		{results.Result{Verdict: results.Failed, ExitCode: 1, FirstCause: bench}, 0, 1}, // its results were invalid
		{results.Result{Verdict: results.Failed, ExitCode: 1, FirstCause: &results.Cause{}}, 130, 1},
		{results.Result{Verdict: results.Failed, ExitCode: 124, FirstCause: bench}, 1, 124},
		{results.Result{Verdict: results.Cancelled, ExitCode: 130, FirstCause: &results.Cause{}}, 1, 1},
	} {
		if got := hubCode(tt.r, tt.own); got != tt.want {
			t.Errorf("%+v with %d: %d, want %d", tt.r, tt.own, got, tt.want)
		}
	}
}

// The process behind a rank launcher is told from the launcher itself.
func TestRunsCommand(t *testing.T) {
	wrapper, command := []string{"/opt/bin/launch"}, []string{"serve", "model", "--port", "0"}
	for argv, want := range map[string]bool{
		"bash /opt/bin/launch serve model --port 0": false,
		"python3 /usr/bin/serve model --port 0":     true,
		"serve model --port 0":                      true,
		"serve model --port 1":                      false,
		"model --port 0":                            false,
		"":                                          false,
	} {
		if got := runsCommand(strings.Fields(argv), wrapper, command); got != want {
			t.Errorf("%q: %v", argv, got)
		}
	}
}

func TestHostAddress(t *testing.T) {
	if addr, err := HostAddress("lo"); err != nil || addr != "127.0.0.1" {
		t.Errorf("lo: %q, %v", addr, err)
	}
	if addr, err := HostAddress("none0"); err == nil || !strings.Contains(err.Error(), "none0") {
		t.Errorf("none0: %q, %v", addr, err)
	}
	if addr, err := HostAddress(""); err == nil && (addr == "0.0.0.0" || addr == "127.0.0.1") {
		t.Errorf("this host's address is %q", addr)
	}
}
