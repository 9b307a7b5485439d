package roles_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/roles"
)

func testPlan(t *testing.T) roles.Plan {
	t.Helper()
	recipe, err := roles.LoadRecipe("trtllm-serve")
	if err != nil {
		t.Fatal(err)
	}
	recipe.Checkout = nil
	return roles.Plan{
		Schema: 1, ID: "run", RunDir: roles.RunDir(t.TempDir()), Recipe: recipe, Launcher: "local",
		Case: roles.Case{
			Name: "c", TestID: "disagg-e2e-c", GPUsPerNode: 4, TimeLimit: roles.Duration(2 * time.Hour),
			Servers:      map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 8}, roles.Ctx: {Count: 2, GPUs: 4}},
			WorkerConfig: map[roles.Kind]string{roles.Gen: "a: 1\n", roles.Ctx: "b: 2\n"},
			Routers:      map[roles.Kind]string{roles.Ctx: "type: conversation\nmax: 1\n"}, ServerExtra: "tool_parser: x\n",
			Load: roles.Load{Concurrency: []int{1}},
		},
		Cluster: roles.Cluster{Name: "c", KillWait: roles.Duration(30 * time.Second)},
	}
}

func TestPlanIsCompleteAndChecked(t *testing.T) {
	p := testPlan(t)
	if err := p.Complete(); err != nil {
		t.Fatal(err)
	}
	to := p.Timeouts
	if !(to.Job > to.Benchmark && to.Benchmark > to.Ready && to.Ready > to.Probe && to.Ready+to.Benchmark < to.Job) {
		t.Errorf("the timeouts are no decreasing stack: %+v", to)
	}
	address, _ := p.Needed(roles.Role{Kind: roles.Coordinator})
	if len(address) != 3 {
		t.Errorf("the coordinator needs %v", address)
	}
}

func TestPlanFaults(t *testing.T) {
	tests := map[string]struct {
		change func(*roles.Plan)
		want   string
	}{
		"unknown value":     {func(p *roles.Plan) { p.Values = map[string]string{"sreve": "x"} }, `cannot set value "sreve": recipe trtllm-serve has no such value`},
		"inverted stack":    {func(p *roles.Plan) { p.Timeouts.Ready = roles.Duration(3 * time.Hour) }, "timeout ready (3h0m0s) must be below timeout benchmark"},
		"stack too tall":    {func(p *roles.Plan) { p.Timeouts.Ready, p.Timeouts.Benchmark = 3600e9, 3601e9 }, "together must be below timeout job (2h0m0s)"},
		"missing checkout":  {func(p *roles.Plan) { p.Recipe.Checkout = []string{"x"} }, "needs the engine's checkout: pass --trtllm-dir"},
		"wrong checkout":    {func(p *roles.Plan) { p.Recipe.Checkout, p.Checkout = []string{"x"}, "/" }, "cannot use checkout /: it has no x"},
		"unsplittable word": {func(p *roles.Plan) { p.Values = map[string]string{"pytest": "a 'b"} }, "roles.BENCHMARK.command[0]"},
		"profile template":  {func(p *roles.Plan) { p.Cluster.Env = map[string]string{"A": "{{.Nope}}"} }, "profile c: env.A"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := testPlan(t)
			tt.change(&p)
			if err := p.Complete(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestPlanIsWrittenOnce(t *testing.T) {
	p := testPlan(t)
	if err := errors.Join(p.Complete(), p.Write()); err != nil {
		t.Fatal(err)
	}
	got, err := roles.ReadPlan(p.RunDir.Plan())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("the plan changes on its way through the file: %s", diff)
	}
	if err := p.Write(); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second plan was accepted: %v", err)
	}
	left, err := os.ReadDir(string(p.RunDir))
	if err != nil || len(left) != 1 {
		t.Errorf("the run directory holds %v, %v", left, err)
	}
}

// The coordinator's config is one YAML text made of pieces; their indentation must fit.
func TestCoordinatorConfig(t *testing.T) {
	p := testPlan(t)
	if err := p.Complete(); err != nil {
		t.Fatal(err)
	}
	f := p.Facts(roles.Identity{Task: roles.Task{Role: roles.Role{Kind: roles.Coordinator}}, Host: "10.0.0.1"}, p.RunDir.Attempt(0), "r", "k")
	f.Peers = map[string]string{"GEN_0": "h0:1", "CTX_0": "h1:2", "CTX_1": "h2:3"}
	got, err := roles.Render("x", p.Steps(f.Role).Files[0].Text, f)
	if err != nil {
		t.Fatal(err)
	}
	want := `hostname: "10.0.0.1"
port: 0
backend: pytorch
internal_request_auth_key: "k"
context_servers:
  num_instances: 2
  urls: ["h1:2","h2:3"]
  router:
    type: conversation
    max: 1
generation_servers:
  num_instances: 1
  urls: ["h0:1"]
tool_parser: x

`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
