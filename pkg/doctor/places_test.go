package doctor

import (
	"slices"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
)

// somePlan is a plan on a cluster on which nothing is wrong.
func somePlan() plan.Plan {
	p := plan.Plan{ID: "id", RunDir: "/shared/runs/r", Agent: "/shared/bin/disagg-agent", Checkout: "/shared/trtllm"}
	p.Cluster.ModelsRoot = "/models"
	p.Case.Model, p.Case.ModelDirs = "tiny", []string{"tiny"}
	p.Upload.Sinks = []plan.Sink{{URL: "sqlite:///home/results.db", Local: true}}
	p.Layout.GPUsPerNode, p.Layout.TotalNodes = 4, 2
	p.Recipe.Checkout = []string{"test.py"}
	return p
}

// someHost sees all of that.
func someHost() Host {
	return Host{Arch: "amd64", Sinks: map[string]string{}, Places: map[string]Place{
		"/shared/runs/r":           {},
		"/shared/bin/disagg-agent": {There: true, Arch: "amd64"}, "/shared/trtllm": {There: true},
		"/models": {There: true}, "/models/tiny": {There: true}, "/images/x.sqsh": {There: true},
	}}
}

// texts are findings as they are printed.
func texts(list []Finding) string {
	var b strings.Builder
	_ = Print(&b, list)
	return b.String()
}

// only wants exactly one finding that is not ok.
func only(t *testing.T, list []Finding, want string) {
	t.Helper()
	var odd []string
	for _, f := range list {
		if f.Level != OK {
			odd = append(odd, f.String())
		}
	}
	if want == "" && len(odd) > 0 || want != "" && (len(odd) != 1 || !strings.HasPrefix(odd[0], want)) {
		t.Errorf("want %q only:\n%s", want, texts(list))
	}
}

// What is wrong with a path is found, whatever else is right, and what only the nodes may see is in doubt.
func TestPlaces(t *testing.T) {
	pyxis := func(mounts ...string) func(*plan.Plan, Host) {
		return func(p *plan.Plan, _ Host) {
			p.Cluster.Container = &profile.Container{Image: "/images/x.sqsh", Mounts: mounts}
		}
	}
	place := func(path string, seen Place) func(*plan.Plan, Host) {
		return func(_ *plan.Plan, h Host) { h.Places[path] = seen }
	}
	tests := map[string]struct {
		change func(*plan.Plan, Host)
		want   string
	}{
		"nothing is wrong": {func(*plan.Plan, Host) {}, ""},
		"the agent is for another architecture": {
			place("/shared/bin/disagg-agent", Place{There: true, Arch: "arm64"}),
			"FAIL  agent /shared/bin/disagg-agent is a program for arm64: the nodes have amd64",
		},
		"the profile's architecture counts": {func(p *plan.Plan, _ Host) { p.Cluster.Arch = "arm64" },
			"FAIL  agent /shared/bin/disagg-agent is a program for amd64: the nodes have arm64"},
		"the agent is not here": {place("/shared/bin/disagg-agent", Place{}),
			"warn  agent /shared/bin/disagg-agent is not"},
		"the agent is not a program": {place("/shared/bin/disagg-agent", Place{There: true}),
			"warn  agent /shared/bin/disagg-agent is not a program"},
		"the agent's file system hangs": {place("/shared/bin/disagg-agent", Place{Fault: "no answer"}),
			"FAIL  agent /shared/bin/disagg-agent: no answer"},
		"the run directory cannot be made": {place("/shared/runs/r", Place{Denied: "/shared: permission denied"}),
			"FAIL  run directory /shared/runs/r cannot be made: /shared: permission denied: name another with " +
				"--run-dir"},
		"the run directory is on a local disk": {place("/shared/runs/r", Place{Local: "ext4"}),
			"warn  run directory /shared/runs/r is on this host's own file system (ext4)"},
		"which is right where one machine plays all": {func(p *plan.Plan, h Host) {
			p.OneMachine, h.Places["/shared/runs/r"] = true, Place{Local: "ext4"}
		}, ""},
		"the run directory hangs": {place("/shared/runs/r", Place{Fault: "no answer"}),
			"FAIL  run directory /shared/runs/r: no"},
		"the checkout is not here": {place("/shared/trtllm", Place{}),
			"warn  checkout /shared/trtllm is not on this host"},
		"no models root": {place("/models", Place{}),
			"warn  models_root /models is not on this host: only the nodes may see it; if they do not, the job " +
				"would fail: correct models_root"},
		"no models root where one machine plays all": {func(p *plan.Plan, h Host) {
			p.OneMachine, h.Places["/models"] = true, Place{}
		}, "FAIL  models_root /models is not on this host: correct models_root"},
		"no image where one machine plays all, which has no containers": {func(p *plan.Plan, h Host) {
			p.OneMachine = true
			pyxis("/shared", "/models")(p, h)
			delete(h.Places, "/images/x.sqsh")
		}, ""},
		"no model, which is needed": {func(p *plan.Plan, h Host) {
			p.Cluster.Preflight.RequireModel, h.Places["/models/tiny"] = true, Place{}
		}, "warn  there is no /models/tiny: the job would fail: name its folder"},
		"the models' file system hangs": {place("/models", Place{Fault: "no answer"}), "FAIL  models_root /models: no"},
		"no model": {place("/models/tiny", Place{}),
			"warn  there is no /models/tiny: roles would get the bare name tiny: name its folder"},
		"no image": {func(p *plan.Plan, h Host) {
			pyxis("/shared", "/models")(p, h)
			delete(h.Places, "/images/x.sqsh")
		}, "warn  image /images/x.sqsh is not on this host"},
		"an image of a registry": {func(p *plan.Plan, h Host) {
			pyxis("/shared", "/models")(p, h)
			p.Cluster.Container.Image = "nvcr.io#nvidia/trtllm:1"
		}, ""},
		"all is mounted": {pyxis("/shared:/shared", "/models:/models:ro"), ""},
		"the models are not mounted": {pyxis("/shared"),
			"FAIL  models_root /models is under no mount of the container (/shared)"},
		"the run directory is mounted elsewhere": {pyxis("/models", "/shared/bin", "/shared/trtllm",
			"/shared/runs:/runs"),
			"FAIL  run directory /shared/runs/r is under no mount"},
		"the agent is not mounted": {pyxis("/models", "/shared/runs", "/shared/trtllm"),
			"FAIL  agent /shared/bin/disagg-agent is under no mount of the container (/models, /shared/runs, " +
				"/shared/trtllm): " +
				"add it to the profile (container.mounts), or copy disagg-agent"},
		"apptainer mounts of its own accord": {func(p *plan.Plan, h Host) {
			pyxis("/shared")(p, h)
			p.Cluster.Container.Kind = profile.Apptainer
		}, "warn  models_root /models is under no mount"},
		"one machine has no containers": {func(p *plan.Plan, h Host) {
			pyxis("/none")(p, h)
			p.OneMachine = true
		}, ""},
		"a sink that cannot be reached": {func(p *plan.Plan, h Host) { h.Sinks[p.Upload.Sinks[0].URL] = "refused" },
			"warn  records cannot be sent to sqlite:///home/results.db: refused"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, h := somePlan(), someHost()
			tt.change(&p, h)
			only(t, Places(p, h), tt.want)
		})
	}
}

// Every fault is told, one does not hide the next.
func TestPlacesTellAll(t *testing.T) {
	p := somePlan()
	p.Cluster.Container = &profile.Container{Image: "/images/x.sqsh"}
	if got := Failures(Places(p, someHost())); len(got) != 4 || !strings.Contains(got[0].Text, "(it has none)") {
		t.Errorf("want agent, run directory, checkout and models:\n%s", texts(got))
	}
}

// What is to be looked at is each path once, and no empty one.
func TestPaths(t *testing.T) {
	p := somePlan()
	p.Checkout = ""
	p.Cluster.Container = &profile.Container{Image: "/images/x.sqsh"}
	want := []string{"/shared/runs/r", "/shared/bin/disagg-agent", "/models", "/images/x.sqsh", "/models/tiny"}
	if got := Paths(p); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A finding is one line; a report is as bad as its worst finding.
func TestFinding(t *testing.T) {
	f := Bad("x", "mend it", "it is\nbroken")
	if got := f.String(); got != "FAIL  it is broken: mend it" {
		t.Errorf("%q", got)
	}
	if got := Doubt("x", "", "odd").String(); got != "warn  odd" {
		t.Errorf("%q", got)
	}
	if r := NewReport([]Finding{Good("x", "good"), Doubt("x", "", "odd")}); !r.OK || len(r.Findings) != 2 ||
		r.Schema != 1 {
		t.Errorf("%+v", r)
	}
	if r := NewReport([]Finding{Good("x", "good"), f}); r.OK {
		t.Errorf("%+v", r)
	}
	if r := NewReport(nil); !r.OK || r.Findings == nil {
		t.Errorf("%+v", r)
	}
	refused := f
	refused.Refused = true
	if Refused([]Finding{f}) || !Refused([]Finding{f, refused}) {
		t.Error("who refuses is not told")
	}
}
