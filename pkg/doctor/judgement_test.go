package doctor

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
)

// bad are findings as people see them, without those that say that all is well.
func bad(list []Finding) (lines []string) {
	for _, f := range list {
		if f.Level != OK {
			lines = append(lines, f.Check+" "+f.String())
		}
	}
	return lines
}

// Every fault of a node is told in words, with what to do about it; of each it is decided whether a job would fail.
func TestWordsOfANode(t *testing.T) {
	t.Parallel()
	v := twoNodes()
	for name, tt := range map[string]struct {
		judge func(Examined) []Finding
		node  func(*Examined)
		want  string
	}{
		"a clock ahead": {
			v.clock, func(n *Examined) { n.At = n.Came.Add(12340 * time.Millisecond) },
			"clock FAIL  its clock differs by 12.3s from that of this host: " +
				"set it (NTP), or raise preflight.max_skew in the profile",
		},
		"a clock behind, as much as is allowed": {
			v.clock, func(n *Examined) { n.At = n.Came.Add(-10 * time.Second) }, "",
		},
		"an agent that is not there": {
			v.contents,
			func(n *Examined) { n.Contents = map[string]protocol.Content{"agent": {Fault: "no such file"}} },
			"agent FAIL  agent is not seen there: no such file: mount it, or correct its path",
		},
		"another agent": {
			v.contents,
			func(n *Examined) { n.Contents = map[string]protocol.Content{"agent": {Path: "/a", Digest: "9"}} },
			"agent FAIL  agent /a is another one than on this host: copy it again, or correct its path",
		},
		"another model": {
			v.contents,
			func(n *Examined) { n.Contents = map[string]protocol.Content{"model": {Path: "/m", Digest: "9"}} },
			"model warn  model /m has other files than on this host",
		},
		"no model, which the preflight tells": {
			v.contents, func(n *Examined) { n.Contents = map[string]protocol.Content{"model": {Fault: "x"}} }, "",
		},
		"what nobody has compared": {
			v.contents,
			func(n *Examined) { n.Contents = map[string]protocol.Content{"other": {Path: "/o", Digest: "9"}} }, "",
		},
		"no tool for GPUs": {
			v.gpus, func(n *Examined) { n.Host.GPUs = 0 },
			"gpus warn  nvidia-smi is not there: its GPUs were not counted",
		},
		"no GPUs, which the preflight tells": {
			v.gpus, func(n *Examined) {
				n.Host.GPUs, n.Findings = 0, []protocol.Finding{{Check: protocol.CheckGPUs}}
			}, "",
		},
		"no GPUs, and the preflight tells something else": {
			v.gpus, func(n *Examined) {
				n.Host.GPUs, n.Findings = 0, []protocol.Finding{{Check: protocol.CheckClock}}
			}, "gpus warn  nvidia-smi is not there: its GPUs were not counted",
		},
		"a fabric that waits": {
			v.gpus, func(n *Examined) { n.Fabric.State = "In Progress" },
			"fabric warn  the NVLink fabric is not ready (In Progress): " +
				"ask those who run the cluster to look at its fabric manager",
		},
		"no fabric": {v.gpus, func(n *Examined) { n.Fabric.State = "N/A" }, ""},
		"no way from the network to GPUs": {
			v.gpus, func(n *Examined) { n.RDMA = true },
			"nvidia_peermem warn  the kernel module nvidia_peermem is not loaded: " +
				"without it, or DMA-BUF, KV cache goes through the host's memory",
		},
		"a way from the network to GPUs": {v.gpus, func(n *Examined) { n.RDMA, n.PeerMemory = true, true }, ""},
		"no address": {
			v.network, func(n *Examined) { n.NoAddress = "no interface ib0" },
			"network FAIL  it has no address: no interface ib0",
		},
		"no way": {
			v.network, func(n *Examined) { n.Reach["n2"] = "timed out" },
			"network FAIL  it cannot reach n2: timed out: name another interface in the profile, or open the way",
		},
		"a node that did not appear": {
			v.network, func(n *Examined) { n.Met = nil },
			"network warn  1 of the other nodes did not appear in the run directory",
		},
	} {
		n := healthy("n1", "n2")
		tt.node(&n)
		if got := strings.Join(bad(tt.judge(n)), "\n"); got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, tt.want)
		}
	}
}

// A program that is not there, or lacks what it is made of, fails its role; one that ends otherwise may be meant so.
func TestWordsOfPrograms(t *testing.T) {
	t.Parallel()
	const start, path = "programs FAIL  serve (GEN) cannot start: ",
		": correct PATH or PYTHONPATH in the profile (env), or the image"
	for fault, want := range map[string]string{
		"": "programs FAIL  serve (GEN) is not found in PATH: correct PATH in the profile (env), or the image",

		"No module named x":                    start + "No module named x" + path,
		"ModuleNotFoundError: x":               start + "ModuleNotFoundError: x" + path,
		"ImportError: x":                       start + "ImportError: x" + path,
		"x.so: cannot open shared object file": start + "x.so: cannot open shared object file" + path,
		"exec format error":                    start + "exec format error" + path,
		"bad interpreter: x":                   start + "bad interpreter: x" + path,
		"exit code 2":                          "programs warn  serve (GEN) did not run in a trial: exit code 2",
	} {
		n := Examined{Examination: protocol.Examination{Programs: []protocol.Program{
			{Name: "serve", Role: "GEN", Fault: fault},
		}}}
		if got := bad(programs(n)); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q, want %q", fault, got, want)
		}
	}
}

// What strangers print among examinations is kept, the last lines of it, and bounds what they can take.
func TestVisitIsBounded(t *testing.T) {
	t.Parallel()
	var v Visit
	for i := range 50 {
		v.Line(fmt.Sprintf("  line %d\n", i), noon)
	}
	v.Line("  ", noon)
	if other := v.Other(); len(other) != mostOther || other[0] != "line 30" || other[mostOther-1] != "line 49" {
		t.Errorf("%q", other)
	}
	mark := protocol.ExaminationMark
	piece := strings.Repeat("x", 1<<20)
	for range 5 {
		v.Line(mark+`"n1" `+piece, noon)
	}
	if n := len(v.texts["n1"]); n != mostOfANode {
		t.Errorf("%d bytes of a node are kept", n)
	}
	for i := range mostNodes + 10 {
		v.Line(fmt.Sprintf(`%s"m%d" {`, mark, i), noon)
	}
	if len(v.order) != mostNodes || len(v.texts) != mostNodes {
		t.Errorf("%d nodes are kept", len(v.order))
	}
	v.Line(mark+`"m1" }`, noon.Add(time.Hour)) // of one that is known more is taken
	if got := string(v.texts["m1"]); got != "{}" || !v.came["m1"].Equal(noon) {
		t.Errorf("%q at %v", got, v.came["m1"])
	}
}

// An examination that is of another node, or of another version, is not taken for the node's own.
func TestExaminationsThatAreNone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"schema":1,"node":"n2"}`: `it is of "n2", schema 1`, `{"schema":2,"node":"n1"}`: `it is of "n1", schema 2`,
		`{"schema":1,`: "unexpected end of JSON input",
	} {
		var v Visit
		v.Line(protocol.ExaminationMark+`"n1" `+text, noon)
		list, faults := v.Nodes()
		want := []Finding{{
			Level: Fail, Check: "nodes", Text: "what n1 says cannot be read: " + want,
			Do: "install both programs again, together",
		}}
		if diff := cmp.Diff(want, faults); diff != "" || len(list) != 0 {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// Nodes of different domains are named only where the profile asks for one.
func TestDomains(t *testing.T) {
	t.Parallel()
	for _, segment := range []bool{true, false} {
		v, all := twoNodes(), findings{}
		v.Plan.Cluster.Segment = segment
		v.domain(&all)
		if len(all) != 0 {
			t.Errorf("one domain: %v", all)
		}
		v.Nodes[1].Fabric.Domain = "d.2"
		v.domain(&all)
		got := bad(all.merged())
		want := []string{"fabric FAIL  n1, n2: they are in different NVLink domains, although the profile asks for " +
			"one (segment): the scheduler's topology does not know the NVLink domains: ask those who run it"}
		if segment && !slices.Equal(got, want) || !segment && got != nil {
			t.Errorf("asked for one: %v: %q", segment, got)
		}
	}
}

// A finding is one line, and nothing that a program on a node has said acts on a terminal.
func TestFindingsArePrintable(t *testing.T) {
	t.Parallel()
	f := Doubt("programs", "look", "it said: \x1b]0;title\x07\r\nand more")
	if got := f.String(); got != "warn  it said: ·]0;title· and more: look" {
		t.Errorf("%q", got)
	}
}
