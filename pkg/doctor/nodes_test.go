package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// healthy is a node on which nothing is wrong.
func healthy(name, other string) Examined {
	return Examined{Came: noon, Examination: protocol.Examination{
		Schema: 1, Node: name, At: noon.Add(-time.Second), Arch: "amd64",
		Contents: map[string]protocol.Content{
			"agent": {Path: "/a", Digest: "1"}, "checkout": {Path: "/c", Digest: "2"}, "model": {Path: "/m",
				Digest: "3"},
		},
		Host:     protocol.HostFacts{GPUs: 4, GPU: "GB200", Driver: "580"},
		Fabric:   protocol.Fabric{State: "Completed", Domain: "d.1"},
		Programs: []protocol.Program{{Name: "trtllm-serve", Role: "GEN", Path: "/usr/bin/trtllm-serve"}},
		Address:  "10.0.0.1", Met: []string{other}, Reach: map[string]string{other: ""},
	}}
}

// twoNodes is a visit on which nothing is wrong.
func twoNodes() Visited {
	p := somePlan()
	p.Cluster.Preflight = profile.Preflight{MaxSkew: roles.Duration(10 * time.Second)}
	return Visited{
		Plan: p, Asked: 2, Nodes: []Examined{healthy("n1", "n2"), healthy("n2", "n1")},
		Here: map[string]protocol.Content{
			"agent": {Digest: "1"}, "checkout": {Digest: "2"}, "model": {Digest: "3"},
		},
	}
}

// What is wrong with a node is found, and the node is named; what both have found is told once.
func TestNodes(t *testing.T) {
	program := func(v *Visited, p protocol.Program) { v.Nodes[1].Programs = []protocol.Program{p} }
	tests := map[string]struct {
		change func(*Visited)
		want   string
	}{
		"nothing is wrong": {func(*Visited) {}, ""},
		"the run directory is not seen": {func(v *Visited) {
			v.Nodes[1].Examination = protocol.Examination{Schema: 1, Node: "n2", NoPlan: "no such file", At: noon}
		}, "FAIL  n2: /shared/runs/r is not seen there: no such file: the run directory needs a file system"},
		"nobody answers": {func(v *Visited) { v.Nodes, v.Said = nil, "execve(): no such file" },
			"FAIL  2 of 2 nodes did not answer: execve(): no such file"},
		"one does not answer": {func(v *Visited) {
			v.Nodes = v.Nodes[:1]
			v.Nodes[0].Met, v.Nodes[0].Reach = []string{"n2"}, nil
		}, "FAIL  1 of 2 nodes did not answer"},
		"a clock is ahead": {func(v *Visited) { v.Nodes[1].At = noon.Add(time.Minute) },
			"FAIL  n2: its clock differs by 1m0s"},
		"a clock is behind": {func(v *Visited) { v.Nodes[1].At = noon.Add(-time.Minute) },
			"FAIL  n2: its clock differs by -1m0s"},
		"the clock is not looked at": {func(v *Visited) {
			v.Nodes[1].At, v.Plan.Cluster.Preflight.Off = noon.Add(time.Minute), []string{protocol.CheckClock}
		}, ""},
		"another agent": {func(v *Visited) { v.Nodes[1].Contents["agent"] = protocol.Content{Path: "/a", Digest: "x"} },
			"FAIL  n2: agent /a is another one than on this host: copy it again"},
		"another checkout on both": {func(v *Visited) { v.Here["checkout"] = protocol.Content{Digest: "x"} },
			"FAIL  n1, n2: checkout /c is another one than on this host"},
		"no checkout": {func(v *Visited) {
			v.Nodes[0].Contents["checkout"] = protocol.Content{Path: "/c",
				Fault: "not there"}
		},
			"FAIL  n1: checkout is not seen there: not there"},
		"another model": {func(v *Visited) { v.Here["model"] = protocol.Content{Digest: "x"} },
			"warn  n1, n2: model /m has other files than on this host"},
		"a model that this host does not see": {func(v *Visited) { delete(v.Here, "model") }, ""},
		"no model, which the preflight tells": {func(v *Visited) {
			v.Nodes[0].Contents["model"] = protocol.Content{Path: "/m", Fault: "not there"}
			v.Nodes[0].Findings = []protocol.Finding{{Check: protocol.CheckModel, Fatal: true,
				Detail: "there is no /m"}}
		}, "FAIL  n1: there is no /m"},
		"what is only told": {func(v *Visited) {
			v.Nodes[0].Findings = []protocol.Finding{{Check: protocol.CheckLimits, Detail: "8 MiB"}}
		}, "warn  n1: 8 MiB"},
		"a GPU is missing": {func(v *Visited) {
			v.Nodes[1].Host.GPUs = 3
			v.Nodes[1].Findings = []protocol.Finding{{Check: protocol.CheckGPUs, Fatal: true,
				Detail: "3 GPUs are visible"}}
		}, "FAIL  n2: 3 GPUs are visible"},
		"GPUs that nobody counts": {func(v *Visited) { v.Nodes[1].Host = protocol.HostFacts{} },
			"warn  n2: nvidia-smi is not there"},
		"GPUs that nobody asks for": {func(v *Visited) {
			v.Nodes[1].Host, v.Plan.Cluster.Preflight.Off = protocol.HostFacts{}, []string{protocol.CheckGPUs}
		}, ""},
		"the fabric is not ready": {func(v *Visited) { v.Nodes[1].Fabric.State = "In Progress" },
			"warn  n2: the NVLink fabric is not ready (In Progress)"},
		"two NVLink domains": {func(v *Visited) { v.Nodes[1].Fabric.Domain, v.Plan.Cluster.Segment = "d.2", true },
			"FAIL  n1, n2: they are in different NVLink domains"},
		"two NVLink domains, and nobody asks for one": {func(v *Visited) { v.Nodes[1].Fabric.Domain = "d.2" }, ""},
		"RDMA without peer memory": {func(v *Visited) { v.Nodes[1].RDMA = true },
			"warn  n2: the kernel module nvidia_peermem is not loaded"},
		"RDMA with it": {func(v *Visited) { v.Nodes[1].RDMA, v.Nodes[1].PeerMemory = true, true }, ""},
		"no engine": {func(v *Visited) { program(v, protocol.Program{Name: "trtllm-serve", Role: "GEN"}) },
			"FAIL  n2: trtllm-serve (GEN) is not found in PATH"},
		"no pytest": {func(v *Visited) {
			program(v, protocol.Program{Name: "python3 -m pytest", Role: "BENCHMARK", Path: "/p",
				Fault: "No module named pytest"})
		}, "FAIL  n2: python3 -m pytest (BENCHMARK) cannot start: No module named pytest"},
		"a program that knows no help": {func(v *Visited) {
			program(v, protocol.Program{Name: "x", Role: "GEN", Path: "/x", Fault: "usage (it ended with code 2)"})
		}, "warn  n2: x (GEN) did not run in a trial: usage"},
		"a command that cannot be rendered": {func(v *Visited) {
			program(v, protocol.Program{Name: "GEN", Role: "GEN", Fault: "cannot render"})
		}, "warn  n2: GEN (GEN) did not run in a trial: cannot render"},
		"no interface": {func(v *Visited) { v.Nodes[1].NoAddress = "no such interface" },
			"FAIL  n2: it has no address: no such interface"},
		"a way is cut": {func(v *Visited) { v.Nodes[1].Reach["n1"] = "timeout" },
			"FAIL  n2: it cannot reach n1: timeout"},
		"they did not meet": {func(v *Visited) { v.Nodes[1].Met, v.Nodes[1].Reach = nil, nil },
			"warn  n2: 1 of the other nodes did"},
		"the way is not looked at": {func(v *Visited) {
			v.Nodes[1].Reach["n1"], v.Plan.Cluster.Preflight.Off = "timeout", []string{protocol.CheckNetwork}
		}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := twoNodes()
			tt.change(&v)
			only(t, v.Judge(), tt.want)
		})
	}
}

// What is right is told, too, once for all nodes.
func TestHealthyNodes(t *testing.T) {
	got := texts(twoNodes().Judge())
	for _, want := range []string{
		"ok    n1, n2: run directory /shared/runs/r\n", "ok    n1, n2: agent /a, the same as on this host\n",
		"ok    n1, n2: 4 GPUs GB200, driver 580\n", "ok    n1, n2: trtllm-serve is /usr/bin/trtllm-serve\n",
		"ok    n1, n2: the way to 1 other node is open\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
}

// An examination comes in lines, among those of others and of strangers.
func TestVisit(t *testing.T) {
	var v Visit
	odd := healthy("n 2", "n1").Examination
	odd.Programs = []protocol.Program{{Name: strings.Repeat(`<"é`, 400)}}
	one, err := healthy("n1", "n2").Lines()
	two, err2 := odd.Lines()
	if err != nil || err2 != nil || len(two) < 3 {
		t.Fatal(err, err2, len(two))
	}
	for i := range max(len(one), len(two)) {
		for _, lines := range [][]string{one, two} {
			if i < len(lines) {
				if len(lines[i]) > 1000 || strings.Contains(lines[i], "\n") {
					t.Errorf("a line of %d bytes", len(lines[i]))
				}
				v.Line(lines[i], noon.Add(time.Duration(i)*time.Second))
			}
		}
		v.Line("pyxis: importing docker image", noon)
	}
	nodes, faults := v.Nodes()
	if len(nodes) != 2 || len(faults) != 0 || nodes[0].Node != "n 2" || nodes[1].Node != "n1" ||
		!nodes[1].Came.Equal(noon) {
		t.Fatalf("%d nodes, %v", len(nodes), faults)
	}
	if got := nodes[0].Programs[0].Name; got != odd.Programs[0].Name {
		t.Errorf("%q", got)
	}
	if other := v.Other(); len(other) == 0 || other[0] != "pyxis: importing docker image" {
		t.Errorf("%q", other)
	}
	v.Line(one[0], noon) // another host of that name
	if nodes, faults = v.Nodes(); len(nodes) != 1 || len(faults) != 1 || !strings.Contains(faults[0].Text,
		"what n1 says") {
		t.Errorf("%d nodes, %v", len(nodes), faults)
	}
}

// What is compared is what the plan names.
func TestContents(t *testing.T) {
	p := somePlan()
	got := Contents(p)
	if len(got) != 3 || got["agent"] != p.Agent || got["checkout"] != "/shared/trtllm/test.py" ||
		got["model"] != "/models/tiny" {
		t.Errorf("%v", got)
	}
	p.Recipe.Checkout = nil
	if got := Contents(p); got["checkout"] != "/shared/trtllm" {
		t.Errorf("%v", got)
	}
	if got := Contents(plan.Plan{Agent: "/a"}); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// Whatever tasks print, it is taken for an examination only if it is whole.
func FuzzVisit(f *testing.F) {
	lines, err := healthy("n1", "n2").Lines()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.Join(lines, "\n"))
	f.Add(protocol.ExaminationMark + `"n1" {}`)
	f.Add(protocol.ExaminationMark + `"n1 {"schema":1}` + "\n" + protocol.ExaminationMark)
	f.Fuzz(func(t *testing.T, text string) {
		var v Visit
		for line := range strings.SplitSeq(text, "\n") {
			v.Line(line, noon)
		}
		nodes, faults := v.Nodes()
		if len(v.Other()) > mostOther {
			t.Errorf("%d other lines are kept", len(v.Other()))
		}
		for _, n := range nodes {
			if n.Schema != 1 || !n.Came.Equal(noon) {
				t.Errorf("%+v", n)
			}
		}
		if slices.ContainsFunc(faults, func(f Finding) bool { return f.Level != Fail }) {
			t.Errorf("%v", faults)
		}
		_ = Visited{Plan: somePlan(), Asked: 1, Nodes: nodes}.Judge()
	})
}
