package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/roles"
)

// A plan has all that was asked for, unchanged.
func TestBuildKeepsWhatWasAskedFor(t *testing.T) {
	in := input(t)
	in.CreatedAt, in.Tool, in.OneMachine, in.Agent = time.Unix(7, 0), "v1", true, "/bin/agent"
	in.Upload = plan.Upload{Sinks: []plan.Sink{{URL: "u", Local: true}}, Required: true}
	in.Gate = plan.Gate{Mode: plan.GateFail, Detector: plan.DetectorUpstream, History: []string{"a=b"}}
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	want := plan.Plan{
		Schema: 1, ID: in.ID, CreatedAt: in.CreatedAt, Tool: "v1", RunDir: "/runs/r", Launcher: "local",
		OneMachine: true, Agent: "/bin/agent", Case: in.Case, Checkout: "/src", Cluster: in.Profile, Upload: in.Upload,
		Gate: in.Gate,
		// what is made of them has tests of its own
		Values: p.Values, Recipe: p.Recipe, Layout: p.Layout, Timeouts: p.Timeouts,
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
}

// The profile's limit wins over the case's, and without either there is none to contain.
func TestTimeOfProfile(t *testing.T) {
	in := input(t)
	in.Profile.Time = roles.Duration(time.Hour)
	if p, err := plan.Build(in); err != nil || p.JobTime() != time.Hour {
		t.Errorf("%v, %v", p.JobTime(), err)
	}
	in.Profile.Time = 0
	if p, err := plan.Build(in); err != nil || p.JobTime() != 2*time.Hour {
		t.Errorf("%v, %v", p.JobTime(), err)
	}
}

// Only a profile that packs lets servers share a node.
func TestPack(t *testing.T) {
	for pack, nodes := range map[bool]int{false: 3, true: 2} {
		in := input(t)
		in.Profile.Pack = pack
		in.Case.Servers = map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 4}, roles.Ctx: {Count: 2, GPUs: 2}}
		if p, err := plan.Build(in); err != nil || p.JobNodes() != nodes {
			t.Errorf("packed %v: %d nodes, want %d: %v", pack, p.JobNodes(), nodes, err)
		}
	}
}

// A job of several runs is as large as the largest of them and as long as all.
func TestSeries(t *testing.T) {
	p := plan.Plan{Layout: roles.Layout{TotalNodes: 2}, Timeouts: roles.Timeouts{Job: 5}}
	if p.JobNodes() != 2 || p.JobTime() != 5 {
		t.Errorf("%d nodes, %v", p.JobNodes(), p.JobTime())
	}
	p.Series = &plan.Series{Nodes: 4, Time: 9}
	if p.JobNodes() != 4 || p.JobTime() != 9 {
		t.Errorf("%d nodes, %v", p.JobNodes(), p.JobTime())
	}
}

// The job sends to what is not only the submitting side's; started by hand it has no other side.
func TestJobSinks(t *testing.T) {
	p := plan.Plan{Upload: plan.Upload{Sinks: []plan.Sink{{URL: "file", Local: true}, {URL: "net"}}}}
	if got := p.JobSinks(); !slices.Equal(got, []string{"net"}) {
		t.Errorf("%v", got)
	}
	p.Policy.Interactive = true
	if got := p.JobSinks(); !slices.Equal(got, []string{"file", "net"}) {
		t.Errorf("%v", got)
	}
	if got := (plan.Plan{}).JobSinks(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// A run id is of a plan's attempt if the plan would give it, and of no other way to write the number.
func TestAttemptOf(t *testing.T) {
	p := plan.Plan{ID: "a-b"}
	for runID, want := range map[string]int{
		"a-b-0": 0, "a-b-12": 12, "a-b-012": -1, "a-b-+1": -1, "a-b--1": -1, "a-b-": -1, "a-b": -1, "a-b-1x": -1,
		"a-b-9223372036854775808": -1, "x-a-b-1": -1, "a-1": -1, "a-b-1-1": -1,
	} {
		n, ok := p.AttemptOf(runID)
		if ok != (want >= 0) || ok && n != want {
			t.Errorf("%q: %d, %v, want %d", runID, n, ok, want)
		}
	}
}

func FuzzAttemptOf(f *testing.F) {
	f.Add("id", "id-1")
	f.Add("id", "id-+1")
	f.Add("", "-0")
	f.Fuzz(func(t *testing.T, id, runID string) {
		p := plan.Plan{ID: id}
		if n, ok := p.AttemptOf(runID); ok && p.RunID(n) != runID {
			t.Errorf("%q is attempt %d, whose id is %q", runID, n, p.RunID(n))
		}
	})
}

// What people see of an id is its beginning without dashes, as much as there is.
func TestShortID(t *testing.T) {
	for id, want := range map[string]string{
		"0f0e0d0c-1111": "0f0e0d", "0f-0e-0d0c": "0f0e0d", "abc": "abc", "": "", "---": "", "12345": "12345",
	} {
		if got := plan.ShortID(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}

// A job's name has nothing that a tool of the queue could stumble over.
func TestPlainNames(t *testing.T) {
	for name, want := range map[string]string{
		"azAZ09-_.": "azAZ09-_.", "a b/c:d": "a_b_c_d", "`{@[": "____", "ä\n€": "___", "": "", "a,%j": "a__j",
	} {
		if got := plan.Plain(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	p := plan.Plan{ID: "0f0e0d0c", Case: roles.Case{Name: "c 1"}}
	if got := p.JobName(); got != "d0f0e0d-c_1" {
		t.Error(got)
	}
}

// The model is looked for below the models root, where there is one, the better folders first.
func TestModelFolders(t *testing.T) {
	p := plan.Plan{Case: roles.Case{ModelDirs: []string{"a/b", "c"}}}
	if got := p.ModelFolders(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	p.Cluster = profile.Profile{ModelsRoot: "/models"}
	if got := p.ModelFolders(); !slices.Equal(got, []string{"/models/a/b", "/models/c"}) {
		t.Errorf("%v", got)
	}
}

// A role needs every role of the kinds that its recipe names; it is no peer of its own.
func TestNeededAndPeers(t *testing.T) {
	in := input(t)
	gen := in.Recipe.Roles[roles.Gen]
	gen.Peers = []roles.Kind{roles.Gen, roles.Ctx}
	in.Recipe.Roles[roles.Gen] = gen
	in.Case.Servers[roles.Gen] = roles.Server{Count: 2, GPUs: 4}
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	text := func(list []roles.Role) string {
		var names []string
		for _, r := range list {
			names = append(names, r.String())
		}
		return strings.Join(names, " ")
	}
	address, ready := p.Needed(roles.Hub().Role)
	if got := text(ready); got != "GEN_0 GEN_1 CTX_0 CTX_1 DISAGG_SERVER" || len(address) != 0 {
		t.Errorf("the benchmark waits for %s, and for the addresses of %v", got, address)
	}
	address, ready = p.Needed(roles.Role{Kind: roles.Coordinator})
	if got := text(address); got != "GEN_0 GEN_1 CTX_0 CTX_1" || len(ready) != 0 {
		t.Errorf("the coordinator waits for the addresses of %s, and for %v", got, ready)
	}
	if got := text(p.Peers(roles.Role{Kind: roles.Gen, Index: 1})); got != "GEN_0 CTX_0 CTX_1" {
		t.Errorf("GEN_1 reaches %s", got)
	}
}

// Lists that people choose from have each word once.
func TestChoices(t *testing.T) {
	if want := []string{"interval", "upstream-p95"}; !slices.Equal(plan.Detectors(), want) {
		t.Errorf("%v", plan.Detectors())
	}
	if want := []plan.GateMode{"off", "report", "fail", "strict"}; !slices.Equal(plan.GateModes(), want) {
		t.Errorf("%v", plan.GateModes())
	}
	if want := []plan.Keep{"passed", "always"}; !slices.Equal(plan.Keeps(), want) {
		t.Errorf("%v", plan.Keeps())
	}
}
