package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

func input(t *testing.T) plan.Input {
	t.Helper()
	r, _, err := recipe.Load("trtllm-serve")
	if err != nil {
		t.Fatal(err)
	}
	return plan.Input{
		ID: "0f0e0d0c-1111", RunDir: "/runs/r", Recipe: r, Launcher: "local", Checkout: "/src",
		Case: roles.Case{
			Name: "c", TestID: "disagg-e2e-c", GPUsPerNode: 4, TimeLimit: roles.Duration(2 * time.Hour),
			Servers:      map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 8}, roles.Ctx: {Count: 2, GPUs: 4}},
			WorkerConfig: map[roles.Kind]string{roles.Gen: "a: 1\n", roles.Ctx: "b: 2\n"},
			Routers: map[roles.Kind]string{
				roles.Ctx: "type: conversation\nmax: 1\n",
			}, ServerExtra: "tool_parser: x\n",
			Load: roles.Load{Concurrency: []int{1}},
		},
		Profile: profile.Profile{Name: "c", KillWait: roles.Duration(30 * time.Second)},
	}
}

func TestPlanIsComplete(t *testing.T) {
	in := input(t)
	in.Profile.Values = map[string]string{
		"serve": "of the profile", "pytest": "of the profile", "of another recipe": "x",
	}
	in.Values = map[string]string{"pytest": "asked for"}
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	to := p.Timeouts
	if !(to.Job > to.Benchmark && to.Job > to.Ready && to.Ready > to.Probe && to.Ready+to.Benchmark < to.Job &&
		to.Disk > 0) {
		t.Errorf("the timeouts do not contain each other: %+v", to)
	}
	address, _ := p.Needed(roles.Role{Kind: roles.Coordinator})
	if len(address) != 3 {
		t.Errorf("the coordinator needs %v", address)
	}
	if p.Values["serve"] != "of the profile" || p.Values["pytest"] != "asked for" ||
		p.Values["launch"] != "trtllm-llmapi-launch" {
		t.Errorf("values %v", p.Values)
	}
	if p.JobName() != "d0f0e0d-c" || p.RunID(2) != "0f0e0d0c-1111-2" {
		t.Errorf("job name %s, run id %s", p.JobName(), p.RunID(2))
	}
	for runID, want := range map[string]int{"0f0e0d0c-1111-2": 2, "0f0e0d0c-1111--2": -1, "0f0e0d0c-2": -1, "": -1} {
		if n, ok := p.AttemptOf(runID); ok != (want >= 0) || ok && n != want {
			t.Errorf("%q is of attempt %d, %t", runID, n, ok)
		}
	}
	if p.Spec(roles.Role{Kind: roles.Gen}).Ready.Period == 0 || in.Recipe.Roles[roles.Gen].Ready.Period != 0 {
		t.Error("the probes are not filled in, or the recipe that was given is changed")
	}
}

// A large model loads for an hour and is measured for half of one: phases that follow each other are not compared.
func TestTimeouts(t *testing.T) {
	h, m := roles.Duration(time.Hour), roles.Duration(time.Minute)
	tests := map[string]struct {
		asked roles.Timeouts
		want  string // "": fine
	}{
		"ready longer than the benchmark": {roles.Timeouts{Job: 2 * h, Ready: h, Benchmark: 30 * m}, ""},
		"a short job":                     {roles.Timeouts{Job: roles.Duration(10 * time.Second)}, ""},
		"only the benchmark":              {roles.Timeouts{Job: 2 * h, Benchmark: 100 * m}, ""},
		"ready above the job": {
			roles.Timeouts{Job: 2 * h, Ready: 3 * h},
			"the ready limit (--ready-timeout, 3h0m0s) leaves no time for the benchmark",
		},
		"both above the job": {
			roles.Timeouts{Job: 2 * h, Ready: h, Benchmark: h + m},
			"do not fit into the job's limit (--time, 2h0m0s) together",
		},
		"lost below two heartbeats":  {roles.Timeouts{Lost: roles.Duration(time.Second)}, "two heartbeats"},
		"no room for an orderly end": {roles.Timeouts{Stop: h}, "kill_wait, 30s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			in.Timeouts = tt.asked
			_, err := plan.Build(in)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestPlanFaults(t *testing.T) {
	tests := map[string]struct {
		change func(*plan.Input)
		want   string
	}{
		"unknown value": {
			func(in *plan.Input) { in.Values = map[string]string{"sreve": "x"} },
			`cannot set value "sreve": recipe trtllm-serve has no such value: it has launch, numactl`,
		},
		"unsplittable word": {
			func(in *plan.Input) { in.Values = map[string]string{"pytest": "a 'b"} }, "roles.BENCHMARK.command[0]",
		},
		"profile template": {
			func(in *plan.Input) { in.Profile.Env = map[string]string{"A": "{{.Nope}}"} }, "profile c: env.A",
		},
		"line break":         {func(in *plan.Input) { in.Case.Name = "a\nb" }, "control character"},
		"escape in the path": {func(in *plan.Input) { in.RunDir = "/a\x1b[2J" }, "control character"},
		"model":              {func(in *plan.Input) { in.Case.Model = "a\x1b[2J" }, "the case's model, "},
		"long name": {
			func(in *plan.Input) { in.Case.Name = strings.Repeat("n", 201) }, "has 201 bytes: want at most 200",
		},
		"NUL in a value": {
			func(in *plan.Input) { in.Values = map[string]string{"serve": "a\x00b"} }, "has a NUL character",
		},
		"NUL in the environment": {
			func(in *plan.Input) { in.Profile.Env = map[string]string{"A": "a\x00b"} },
			`profile c: env.A: "a\x00b" has a NUL character`,
		},
		"partition":         {func(in *plan.Input) { in.Profile.Partition = "a\nb" }, "partition (--partition)"},
		"path as a test id": {func(in *plan.Input) { in.Case.TestID = "../../x" }, "not a plain name"},
		"no servers":        {func(in *plan.Input) { in.Case.Servers = nil }, "it has no servers"},
		"reserved key": {func(in *plan.Input) { in.Case.WorkerConfig[roles.Gen] = "internal_request_auth_key: mine\n" },
			"worker.yaml: internal_request_auth_key: is given by the case ({{.Worker}}) and by the recipe"},
		"nested reserved key": {
			func(in *plan.Input) { in.Case.ServerExtra = "context_servers: {urls: [x]}\n" },
			"context_servers.urls: is given by",
		},
		"block that is no mapping": {
			func(in *plan.Input) { in.Case.WorkerConfig[roles.Gen] = "[1, 2]\n" }, "is a list: want keys and values",
		},
		"hasty sampling": {
			func(in *plan.Input) { in.Profile.SampleGPUs = roles.Duration(time.Millisecond) },
			"GPUs are to be sampled every 1ms (--sample-gpus; sample_gpus of the profile): want at least 100ms",
		},
		"negative measurements": {
			func(in *plan.Input) { in.Policy.Measurements = -1 }, "--repeat -1: want 1 or more",
		},
		"servers that end with the benchmark": {func(in *plan.Input) {
			in.Policy.Measurements = 2
			b := in.Recipe.Roles[roles.Benchmark]
			b.Again = false
			in.Recipe.Roles[roles.Benchmark] = b
		}, "cannot measure again on the same servers"},
		"step time of several measurements": {func(in *plan.Input) {
			in.Policy.Measurements, in.Case.Load.StepTime = 2, true
		}, "the step time of decode is read from a server's whole log"},
		"unknown client": {func(in *plan.Input) {
			b := in.Recipe.Roles[roles.Benchmark]
			b.Results = &recipe.Results{Format: "none", Files: "x"}
			in.Recipe.Roles[roles.Benchmark] = b
		}, `unknown format "none"`},
		"one file for several points": {func(in *plan.Input) {
			in.Case.Load.Concurrency = []int{4, 8}
			b := in.Recipe.Roles[roles.Benchmark]
			b.Results = &recipe.Results{Format: "json", Files: "x"}
			in.Recipe.Roles[roles.Benchmark] = b
		}, `roles.BENCHMARK.results.files: "x" has no {index}: the case has 2 points`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(t)
			tt.change(&in)
			if _, err := plan.Build(in); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// What the coordinator reads is merged as data: blocks in flow style, keys that the case overrides, and parts that are
// absent.
func TestCoordinatorConfig(t *testing.T) {
	in := input(t)
	in.Case.ServerExtra = "{backend: tensorrt, tool_parser: x}\n"
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	d := p.Data(roles.Role{Kind: roles.Coordinator})
	d.Host, d.AuthKey, d.Peers = "10.0.0.1", "k: #", map[string]string{
		"GEN_0": "h0:1", "CTX_0": "h1:2", "CTX_1": "h2:3",
	}
	got, err := p.Spec(d.Role).Files[0].Render(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `backend: tensorrt
tool_parser: x
hostname: "10.0.0.1"
port: 0
internal_request_auth_key: "k: #"
context_servers:
  num_instances: 2
  urls: ["h1:2", "h2:3"]
  router:
    type: conversation
    max: 1
generation_servers:
  num_instances: 1
  urls: ["h0:1"]
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// On every node that has GPUs in use one agent samples them, and on others none.
func TestSamplesGPUs(t *testing.T) {
	placed := func(k roles.Kind, index, first, nodes, ranks, perNode, gpus int) roles.Placement {
		r := roles.Role{Kind: k, Index: index}
		return roles.Placement{
			Role: r, FirstNode: first, Nodes: nodes, Ranks: ranks, RanksPerNode: perNode, GPUs: gpus,
		}
	}
	layout := roles.Layout{GPUsPerNode: 4, TotalNodes: 4, Placements: []roles.Placement{
		placed(roles.Gen, 0, 0, 2, 6, 4, 6), placed(roles.Ctx, 0, 2, 1, 2, 2, 2), placed(roles.Ctx, 1, 2, 1, 2, 2, 2),
		placed(roles.Coordinator, 0, 0, 1, 1, 1, 0), placed(roles.Benchmark, 0, 3, 1, 1, 1, 0),
	}}
	for name, tt := range map[string]struct {
		every time.Duration
		one   bool
		want  string
	}{
		"on nodes":       {time.Second, false, "GEN_0.0 GEN_0.4 CTX_0.0"},
		"on one machine": {time.Second, true, "GEN_0.0"},
		"never":          {0, false, ""},
	} {
		p := plan.Plan{Layout: layout, OneMachine: tt.one}
		p.Cluster.SampleGPUs = roles.Duration(tt.every)
		var got []string
		for _, pl := range layout.Placements {
			for _, task := range pl.Tasks() {
				if p.SamplesGPUs(task) {
					got = append(got, task.String())
				}
			}
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%s: %s, want %s", name, text, tt.want)
		}
	}
	if (plan.Plan{}).SamplesGPUs(roles.Hub()) {
		t.Error("a role that is not there samples")
	}
}
