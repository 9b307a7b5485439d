package plan_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// A rehearsal has made-up values for all that only a node knows, each of another kind than the rest, and what the plan
// knows as it is.
func TestRehearsalData(t *testing.T) {
	p, err := plan.Build(input(t))
	if err != nil {
		t.Fatal(err)
	}
	coordinator, _ := p.Layout.Find(roles.Role{Kind: roles.Coordinator})
	d := p.Rehearsal(coordinator)
	want := recipe.Data{
		Case: p.Case, Values: p.Values, Checkout: "/src", RunDir: "/runs/r", Cluster: p.Cluster, Role: coordinator.Role,
		Ranks: 1, Node: "node", Host: "192.0.2.1", RunID: "run", AuthKey: "key", Address: "192.0.2.1:1",
		Dirs: recipe.Dirs{
			Attempt: "/attempt", Logs: "/attempt/logs", Test: "/attempt/output/test", Output: "/attempt/output",
			Work: "/work",
		},
		Peers: map[string]string{"GEN_0": "192.0.2.1:1", "CTX_0": "192.0.2.1:1", "CTX_1": "192.0.2.1:1"},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	gen, _ := p.Layout.Find(roles.Role{Kind: roles.Gen})
	if d := p.Rehearsal(gen); d.Ranks != 8 || len(d.Peers) != 0 {
		t.Errorf("%d ranks, peers %v", d.Ranks, d.Peers)
	}
}

// A role that starts before those that it needs has no addresses, and its templates are rehearsed without.
func TestRehearsalOfEarlyRoles(t *testing.T) {
	in := input(t)
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	hub, _ := p.Layout.Find(roles.Hub().Role)
	if d := p.Rehearsal(hub); len(d.Peers) != 4 {
		t.Errorf("what must be ready has an address: %v", d.Peers)
	}
	bench := p.Recipe.Roles[roles.Benchmark]
	bench.Needs.Early = true
	p.Recipe.Roles[roles.Benchmark] = bench
	if d := p.Rehearsal(hub); d.Peers == nil || len(d.Peers) != 0 {
		t.Errorf("%v", d.Peers)
	}
}

// Every kind of role is rehearsed, also after one that has several, and errors say of which recipe or
// profile they are.
func TestEveryKindIsRehearsed(t *testing.T) {
	for _, kind := range []roles.Kind{roles.Gen, roles.Ctx, roles.Coordinator, roles.Benchmark} {
		in := input(t)
		spec := in.Recipe.Roles[kind]
		spec.Env = map[string]string{"A": "{{.Nope}}"}
		in.Recipe.Roles[kind] = spec
		_, err := plan.Build(in)
		fails(t, err, "recipe trtllm-serve: roles."+string(kind)+".env.A: ")
	}
	in := input(t)
	in.Profile.Env = map[string]string{"B": "{{.Nope}}"}
	_, err := plan.Build(in)
	fails(t, err, "profile c: env.B: ")
}

// Values of the profile and of who asks are copies: neither the recipe nor the profile is written into.
func TestValuesAreCopies(t *testing.T) {
	in := input(t)
	before := maps.Clone(in.Recipe.Values)
	in.Profile.Values, in.Values = map[string]string{"serve": "a"}, map[string]string{"pytest": "b"}
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	p.Values["launch"] = "changed"
	if !maps.Equal(before, in.Recipe.Values) {
		t.Errorf("the recipe has %v", in.Recipe.Values)
	}
}

// A recipe may have no values, whatever a profile knows; what it uses it has.
func TestRecipeWithoutValues(t *testing.T) {
	text := strings.Replace(sleepers, "values: {for: \"600\"}\n", "", 1)
	for command, want := range map[string]string{"5": "", "{{.Values.for}}": `no entry for key "for"`} {
		r, err := recipe.Parse("sleepers.yaml", []byte(strings.Replace(text, "{{.Values.for}}", command, 1)), nil)
		if err != nil {
			t.Fatal(err)
		}
		in := input(t)
		in.Recipe, in.Profile.Values = r, map[string]string{"serve": "x"}
		p, err := plan.Build(in)
		if want != "" {
			fails(t, err, want)
		} else if err != nil || p.Values == nil || len(p.Values) != 0 {
			t.Errorf("%v, %v", p.Values, err)
		}
	}
}

// Of several values that are none the same one is told each time.
func TestUnknownValuesInOrder(t *testing.T) {
	for range 10 {
		in := input(t)
		in.Values = map[string]string{"zz": "", "aa": "", "mm": ""}
		_, err := plan.Build(in)
		fails(t, err, `cannot set value "aa"`)
	}
}

// A difference is one line, whatever the values hold, cut where it is too long but never within a character.
func TestDifferenceInALine(t *testing.T) {
	long := strings.Repeat("a", 119) + "€€"
	for want, d := range map[string]plan.Difference{
		"a.b x -> none":              {Path: "a.b", A: "x"},
		"a none -> 7":                {Path: "a", B: 7},
		`a [1,"b"] -> {"c":true}`:    {Path: "a", A: []any{1, "b"}, B: map[string]any{"c": true}},
		`a "x\ny" -> "\u001b[2J"`:    {Path: "a", A: "x\ny", B: "\x1b[2J"},
		"a ? ->  ":                   {Path: "a", A: func() {}, B: " "},
		"a " + long[:119] + "… -> x": {Path: "a", A: long, B: "x"}, // the cut is within a character
	} {
		got := d.String()
		if got != want || !utf8.ValidString(got) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	whole := strings.Repeat("b", 120)
	if got := (plan.Difference{Path: "a", A: whole}).String(); got != "a "+whole+" -> none" {
		t.Errorf("what fits is cut: %q", got)
	}
}

// Only what no server depends on may differ between measurements on the same servers.
func TestOfMeasurement(t *testing.T) {
	for path, want := range map[string]bool{
		"case.load": true, "case.load.concurrency": true, "case.env.BENCHMARK.A": true, "gate": true,
		"gate.mode": true, "upload.sinks": true, "policy.measurements": true, "timeouts.job": true, "timeouts": true,
		"case": false, "case.loads": false, "case.env.GEN.A": false, "case.model": false, "policy": false,
		"policy.keep": false, "": false, "gates": false, "timeout": false, "values.load": false,
	} {
		if got := plan.OfMeasurement(path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}

// What is only told to people, and what follows from the rest, makes no difference.
func TestSameBesidesStories(t *testing.T) {
	a, err := plan.Build(input(t))
	if err != nil {
		t.Fatal(err)
	}
	b := a
	b.Case.Notes, b.Case.Settings = []string{"a"}, []roles.Setting{{Key: "k", Value: "v"}}
	b.Case.Document, b.Case.PointDocuments = map[string]any{"s": 1}, []map[string]any{{"s": 2}}
	b.Case.Origin = roles.Origin{Path: "/x", SHA256: "y"}
	b.Provenance.User, b.Series = "somebody", &plan.Series{Nodes: 3}
	if got := plan.Differ(a, b); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if b.Case.Notes == nil || b.Provenance.User == "" {
		t.Error("comparing changes a plan")
	}
}

// Configurations are compared by what they hold: the way they are written makes no difference, one key does.
func TestConfigurationsAreLookedInto(t *testing.T) {
	a, err := plan.Build(input(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		worker, router string
		want           []string
	}{
		"another style": {"{a: 1} # said\n", "{max: 1, type: conversation}\n", nil},
		"another value": {"a: 2\n", "type: other\nmax: 1\n", []string{
			"case.routers.CTX.type", "case.worker_config.GEN.a",
		}},
		"another key":     {"a: 1\nb: {c: 2}\n", "type: conversation\nmax: 1\n", []string{"case.worker_config.GEN.b"}},
		"a text":          {"a: [\n", "type: conversation\nmax: 1\n", []string{"case.worker_config.GEN"}},
		"nothing at all":  {"", "type: conversation\nmax: 1\n", []string{"case.worker_config.GEN.a"}},
		"no more a block": {"[1]\n", "type: conversation\nmax: 1\n", []string{"case.worker_config.GEN"}},
	} {
		b := a
		b.Case.WorkerConfig = map[roles.Kind]string{roles.Gen: tt.worker, roles.Ctx: "b: 2\n"}
		b.Case.Routers = map[roles.Kind]string{roles.Ctx: tt.router}
		if got := plan.Differences(a, b); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// On a node are planned the GPUs of all roles there, as many of each as are there; on one machine all of them.
func TestGPUsBeside(t *testing.T) {
	role := func(k roles.Kind, index int) roles.Role { return roles.Role{Kind: k, Index: index} }
	placed := func(r roles.Role, first, nodes, ranks, perNode, gpus int) roles.Placement {
		return roles.Placement{
			Role: r, FirstNode: first, Nodes: nodes, Ranks: ranks, RanksPerNode: perNode, GPUs: gpus,
		}
	}
	gen, ctx, bench := role(roles.Gen, 0), role(roles.Ctx, 1), role(roles.Benchmark, 0)
	p := plan.Plan{Layout: roles.Layout{GPUsPerNode: 4, TotalNodes: 4, Placements: []roles.Placement{
		placed(gen, 0, 2, 6, 4, 6), placed(role(roles.Ctx, 0), 2, 1, 1, 1, 1), placed(ctx, 2, 1, 2, 2, 2),
		placed(bench, 3, 1, 1, 1, 0),
	}}}
	for task, want := range map[roles.Task]int{
		{Role: gen, Rank: 0}: 4, {Role: gen, Rank: 3}: 4, {Role: gen, Rank: 4}: 2, {Role: gen, Rank: 5}: 2,
		{Role: ctx}: 3, {Role: bench}: 0, {Role: role(roles.Gen, 7)}: 0,
	} {
		if got := p.GPUsBeside(task); got != want {
			t.Errorf("%s: %d, want %d", task, got, want)
		}
	}
	p.OneMachine = true
	for _, r := range []roles.Role{gen, ctx, bench} {
		if got := p.GPUsBeside(roles.Task{Role: r}); got != 9 {
			t.Errorf("%s on one machine: %d", r, got)
		}
	}
}

// A layout that cannot be made is told as such, before anything else is looked at.
func TestBuildWithoutLayout(t *testing.T) {
	in := input(t)
	in.Case.GPUsPerNode = 0
	p, err := plan.Build(in)
	if err == nil || p.Schema != 0 {
		t.Errorf("%v, %v", p.Schema, err)
	}
}
