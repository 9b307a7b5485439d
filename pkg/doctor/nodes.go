package doctor

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
)

// Visited is a visit that is over.
type Visited struct {
	Plan  plan.Plan
	Asked int // nodes
	Here  map[string]protocol.Content
	Nodes []Examined
	Said  string // what the scheduler, or a task, said last that tells why there are fewer
}

// Judge judges what the nodes have found. What several of them have found alike is one finding.
func (v Visited) Judge() (list []Finding) {
	if missing := v.Asked - len(v.Nodes); missing > 0 {
		f := Bad("nodes", "", "%d of %s did not answer", missing, count(v.Asked, "node"))
		if v.Said != "" {
			f.Text += ": " + v.Said
		}
		list = append(list, f)
	}
	var all findings
	for _, n := range v.Nodes {
		v.node(&all, n)
	}
	v.domain(&all)
	return append(list, all.merged()...)
}

// count is a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// of is a finding, and the node that it is of.
type of struct {
	node string
	Finding
}

type findings []of

func (f *findings) add(node string, list ...Finding) {
	for _, one := range list {
		*f = append(*f, of{node, one})
	}
}

// merged puts what several nodes have found alike into one finding, with their names before it. What is wrong stands
// after what is not, check by check.
func (f findings) merged() (list []Finding) {
	nodes, order := map[Finding][]string{}, []Finding{}
	for _, one := range f {
		if nodes[one.Finding] == nil {
			order = append(order, one.Finding)
		}
		nodes[one.Finding] = append(nodes[one.Finding], one.node)
	}
	for _, one := range order {
		names := nodes[one]
		one.Text = strings.Join(names, ", ") + ": " + one.Text
		list = append(list, one)
	}
	return list
}

// node judges one node.
func (v Visited) node(all *findings, n Examined) {
	if n.NoPlan != "" {
		all.add(n.Node, Bad("rundir", "the run directory needs a file system that all nodes share, and a mount: name "+
			"another with --run-dir, or run_root in the profile", "%s is not seen there: %s", v.Plan.RunDir, n.NoPlan))
		return
	}
	all.add(n.Node, Good("rundir", "run directory %s", v.Plan.RunDir))
	all.add(n.Node, v.clock(n)...)
	all.add(n.Node, v.contents(n)...)
	all.add(n.Node, v.gpus(n)...)
	for _, f := range n.Findings {
		level := Warn
		if f.Fatal {
			level = Fail
		}
		all.add(n.Node, Finding{Level: level, Check: f.Check, Text: f.Detail})
	}
	all.add(n.Node, programs(n)...)
	all.add(n.Node, v.network(n)...)
}

// clock judges a node's clock by the moment at which what it said arrived: later than it was said, never earlier.
func (v Visited) clock(n Examined) []Finding {
	limits := v.Plan.Cluster.Preflight
	if limits.IsOff(protocol.CheckClock) {
		return nil
	}
	if skew := n.At.Sub(n.Came); skew.Abs() > limits.MaxSkew.Std() {
		return []Finding{Bad(protocol.CheckClock, "set it (NTP), or raise preflight.max_skew in the profile",
			"its clock differs by %v from that of this host", skew.Round(100*time.Millisecond))}
	}
	return []Finding{Good(protocol.CheckClock, "its clock agrees with that of this host")}
}

// contents compares what the node sees with what this host sees.
func (v Visited) contents(n Examined) (list []Finding) {
	for _, what := range slices.Sorted(maps.Keys(n.Contents)) {
		there, here := n.Contents[what], v.Here[what]
		switch {
		case there.Fault != "" && what == contentModel: // the preflight says so, too
		case there.Fault != "":
			list = append(list, Bad(what, "mount it, or correct its path", "%s is not seen there: %s", what,
				there.Fault))
		case here.Digest == "":
			list = append(list, Good(what, "%s %s", what, there.Path))
		case here.Digest != there.Digest && what == contentModel:
			list = append(list, Doubt(what, "", "model %s has other files than on this host", there.Path))
		case here.Digest != there.Digest:
			list = append(list, Bad(what, "copy it again, or correct its path",
				"%s %s is another one than on this host", what, there.Path))
		default:
			list = append(list, Good(what, "%s %s, the same as on this host", what, there.Path))
		}
	}
	return list
}

// The contents that are compared.
const (
	contentAgent    = "agent"
	contentCheckout = "checkout"
	contentModel    = "model"
)

// Contents lists the paths whose contents are compared between hosts, by what they are. Of the model it is the folder
// that the plan looks for first; of a checkout what the recipe needs of it.
func Contents(p plan.Plan) map[string]string {
	paths := map[string]string{contentAgent: p.Agent}
	if p.Checkout != "" && len(p.Recipe.Checkout) > 0 {
		paths[contentCheckout] = filepath.Join(p.Checkout, p.Recipe.Checkout[0])
	} else if p.Checkout != "" {
		paths[contentCheckout] = p.Checkout
	}
	if dirs := p.ModelFolders(); len(dirs) > 0 {
		paths[contentModel] = dirs[0]
	}
	return paths
}

// gpus judges the GPUs besides what the preflight has to say.
func (v Visited) gpus(n Examined) (list []Finding) {
	want := v.Plan.Layout.GPUsPerNode
	if want == 0 || v.Plan.Cluster.Preflight.IsOff(protocol.CheckGPUs) {
		return nil
	}
	if n.Host.GPUs == 0 && !slices.ContainsFunc(n.Findings, about(protocol.CheckGPUs)) {
		list = append(list, Doubt(protocol.CheckGPUs, "", "nvidia-smi is not there: its GPUs were not counted"))
	} else if n.Host.GPUs > 0 {
		list = append(list, Good(protocol.CheckGPUs, "%d GPUs %s, driver %s", n.Host.GPUs, n.Host.GPU, n.Host.Driver))
	}
	if s := n.Fabric.State; s != "" && s != "Completed" && s != "N/A" {
		list = append(list, Doubt(checkFabric, "ask those who run the cluster to look at its fabric manager",
			"the NVLink fabric is not ready (%s)", s))
	}
	if n.RDMA && !n.PeerMemory && n.Host.GPUs > 0 {
		list = append(list, Doubt("nvidia_peermem", "without it, or DMA-BUF, KV cache goes through the host's memory",
			"the kernel module nvidia_peermem is not loaded"))
	}
	return list
}

const checkFabric = "fabric"

func about(check string) func(protocol.Finding) bool {
	return func(f protocol.Finding) bool { return f.Check == check }
}

// domain judges whether all nodes are in one NVLink domain, where the profile asks for that.
func (v Visited) domain(all *findings) {
	domains := map[string]string{} // the first node of each
	for _, n := range v.Nodes {
		if d := n.Fabric.Domain; d != "" && domains[d] == "" {
			domains[d] = n.Node
		}
	}
	if len(domains) < 2 || !v.Plan.Cluster.Segment {
		return
	}
	names := strings.Join(slices.Sorted(maps.Values(domains)), ", ")
	all.add(names, Bad(checkFabric, "the scheduler's topology does not know the NVLink domains: ask those who run it",
		"they are in different NVLink domains, although the profile asks for one (segment)"))
}

// programs judges what the roles' commands start. A program that is not there, or cannot load what it is made of, fails
// its role; one that only ends with another code in a trial may be meant so.
func programs(n Examined) (list []Finding) {
	for _, p := range n.Programs {
		switch {
		case p.Path == "" && p.Fault == "":
			list = append(list, Bad("programs", "correct PATH in the profile (env), or the image",
				"%s (%s) is not found in PATH", p.Name, p.Role))
		case p.Fault == "":
			list = append(list, Good("programs", "%s is %s", p.Name, p.Path))
		case cannotLoad(p.Fault):
			list = append(list, Bad("programs", "correct PATH or PYTHONPATH in the profile (env), or the image",
				"%s (%s) cannot start: %s", p.Name, p.Role, p.Fault))
		default:
			list = append(list, Doubt("programs", "", "%s (%s) did not run in a trial: %s", p.Name, p.Role, p.Fault))
		}
	}
	return list
}

// cannotLoad tells whether a program said that something is missing that it is made of.
func cannotLoad(said string) bool {
	return slices.ContainsFunc([]string{
		"No module named", "ModuleNotFoundError", "ImportError", "cannot open shared object file", "exec format error",
		"bad interpreter",
	}, func(mark string) bool { return strings.Contains(said, mark) })
}

// network judges the ways from a node to the others.
func (v Visited) network(n Examined) (list []Finding) {
	const check = protocol.CheckNetwork
	if v.Plan.Cluster.Preflight.IsOff(check) {
		return nil
	}
	if n.NoAddress != "" {
		return []Finding{Bad(check, "", "it has no address: %s", n.NoAddress)}
	}
	cut := 0
	for _, to := range slices.Sorted(maps.Keys(n.Reach)) {
		if why := n.Reach[to]; why != "" {
			cut++
			list = append(list, Bad(check, "name another interface in the profile, or open the way",
				"it cannot reach %s: %s", to, why))
		}
	}
	if missed := v.Asked - 1 - len(n.Met); missed > 0 {
		list = append(list, Doubt(check, "", "%d of the other nodes did not appear in the run directory", missed))
	}
	if n := len(n.Reach) - cut; n > 0 {
		list = append(list, Good(check, "the way to %s is open", count(n, "other node")))
	}
	return list
}
