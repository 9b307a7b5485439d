package roles

import (
	"errors"
	"fmt"
)

// Server is the size of every server of one kind, as a case asks for it.
type Server struct {
	Count int `json:"count"` // how many servers
	GPUs  int `json:"gpus"`  // of each: tensor * pipeline * context parallel size
}

// maxGPUs bounds a job. No machine has so many: more is a slip in the case.
const maxGPUs = 100_000

// total is how many GPUs the servers have in all, not more than one above the bound.
func (s Server) total() int {
	if s.Count > 0 && s.GPUs > maxGPUs/s.Count {
		return maxGPUs + 1
	}
	return s.Count * s.GPUs
}

// TasksPer says how many processes a recipe starts for one role.
type TasksPer string

// The ways of counting a role's processes.
const (
	PerGPU  TasksPer = "gpu"  // one rank a GPU: MPI workers
	PerNode TasksPer = "node" // one rank a node: engines that fork their own workers
	Single  TasksPer = "one"  // one process in all
)

// PlacedOn says where a role that is no worker runs.
type PlacedOn string

// The places. "" is FirstNode.
const (
	FirstNode PlacedOn = "first" // on the first node, beside a server
	LastNode  PlacedOn = "last"  // on the last node, beside a server
	OwnNode   PlacedOn = "own"   // on a node that is added for it
)

// Placement is a role's slice of the allocation.
type Placement struct {
	Role         Role `json:"role"`
	FirstNode    int  `json:"first_node"` // index in allocation order
	Nodes        int  `json:"nodes"`
	Ranks        int  `json:"ranks"`
	RanksPerNode int  `json:"ranks_per_node"` // the last node may hold fewer
	GPUs         int  `json:"gpus"`           // used, of the whole nodes it holds
	// FirstGPU is where its GPUs begin on its node, which it may share with others: see [Layout.Packed].
	FirstGPU int `json:"first_gpu,omitempty"`
}

// Even tells whether every node of the slice holds the same number of ranks.
func (p Placement) Even() bool { return p.Ranks == p.Nodes*p.RanksPerNode }

// Tasks lists the placement's ranks.
func (p Placement) Tasks() []Task {
	tasks := make([]Task, p.Ranks)
	for i := range tasks {
		tasks[i] = Task{Role: p.Role, Rank: i}
	}
	return tasks
}

// NodeOf is the index, in allocation order, of the node that holds a rank.
func (p Placement) NodeOf(rank int) int { return p.FirstNode + rank/p.RanksPerNode }

// FirstOnNode tells whether a rank is the first of its role on its node.
func (p Placement) FirstOnNode(rank int) bool { return rank == 0 || rank%p.RanksPerNode == 0 }

// Layout is what runs where, before anybody knows the nodes' names.
type Layout struct {
	GPUsPerNode int         `json:"gpus_per_node"`
	TotalNodes  int         `json:"total_nodes"`
	Placements  []Placement `json:"placements"` // GEN, CTX, DISAGG_SERVER, BENCHMARK
	// Packed says that servers which are smaller than a node may share one. Each has GPUs of its own on it, and must be
	// shown no others.
	Packed bool `json:"packed,omitempty"`
}

// TotalGPUs is what the allocation holds: whole nodes.
func (l Layout) TotalGPUs() int { return l.TotalNodes * l.GPUsPerNode }

// Find returns the placement of a role.
func (l Layout) Find(r Role) (Placement, bool) {
	for _, p := range l.Placements {
		if p.Role == r {
			return p, true
		}
	}
	return Placement{}, false
}

// OfKind lists the placements of a kind, in order.
func (l Layout) OfKind(k Kind) []Placement {
	var ps []Placement
	for _, p := range l.Placements {
		if p.Role.Kind == k {
			ps = append(ps, p)
		}
	}
	return ps
}

// Tasks counts every rank of the job.
func (l Layout) Tasks() int {
	n := 0
	for _, p := range l.Placements {
		n += p.Ranks
	}
	return n
}

// Shape is what a layout needs to know of a kind of role.
type Shape struct {
	Tasks TasksPer
	On    PlacedOn // of the coordinator and the benchmark
	None  bool     // there is no such role
}

// Nodes is what every node has, and whether servers that are smaller than one may share it.
type Nodes struct {
	GPUs   int
	Shared bool
}

// NewLayout places the servers of a case, GEN first, then CTX: whole nodes for each, unless they may share them; the
// coordinator and the benchmark where their shape says.
func NewLayout(nodes Nodes, gen, ctx Server, shape func(Kind) Shape) (Layout, error) {
	if nodes.GPUs < 1 {
		return Layout{}, fmt.Errorf("cannot lay out the case: gpus_per_node is %d: want at least 1", nodes.GPUs)
	}
	for _, s := range []struct {
		kind Kind
		Server
	}{{Gen, gen}, {Ctx, ctx}} {
		if s.Count < 0 || s.Count > maxIndex || s.Count > 0 && s.GPUs < 1 {
			return Layout{}, fmt.Errorf("cannot lay out the case: it has %d %s servers of %d GPUs each: "+
				"want at least 1 GPU, and at most %d servers", s.Count, s.kind, s.GPUs, maxIndex)
		}
	}
	if gen.total()+ctx.total() > maxGPUs {
		return Layout{}, fmt.Errorf("cannot lay out the case: its servers have more than %d GPUs in all", maxGPUs)
	}
	if gen.Count+ctx.Count == 0 {
		return Layout{}, errors.New("cannot lay out the case: it has no servers")
	}
	l := Layout{GPUsPerNode: nodes.GPUs, Packed: nodes.Shared}
	l.placeServers(Gen, gen, shape(Gen).Tasks)
	l.placeServers(Ctx, ctx, shape(Ctx).Tasks)
	last := l.TotalNodes - 1
	for _, k := range []Kind{Coordinator, Benchmark} {
		if s := shape(k); !s.None {
			l.placeOne(k, s.On, last)
		}
	}
	return l, nil
}

// placeOne places a role of one process.
func (l *Layout) placeOne(k Kind, on PlacedOn, last int) {
	p := Placement{Role: Role{Kind: k}, Nodes: 1, Ranks: 1, RanksPerNode: 1}
	switch on {
	case LastNode:
		p.FirstNode = last
	case OwnNode:
		p.FirstNode = l.TotalNodes
		l.TotalNodes++
	}
	l.Placements = append(l.Placements, p)
}

func (l *Layout) placeServers(k Kind, s Server, per TasksPer) {
	for i := range s.Count {
		p := Placement{Role: Role{Kind: k, Index: i}, FirstNode: l.TotalNodes, GPUs: s.GPUs}
		p.Nodes = (s.GPUs + l.GPUsPerNode - 1) / l.GPUsPerNode
		switch per {
		case PerGPU:
			p.Ranks, p.RanksPerNode = s.GPUs, min(s.GPUs, l.GPUsPerNode)
		case PerNode:
			p.Ranks, p.RanksPerNode = p.Nodes, 1
		default:
			p.Ranks, p.RanksPerNode = 1, 1
		}
		if !l.share(&p) {
			l.TotalNodes += p.Nodes
		}
		l.Placements = append(l.Placements, p)
	}
}

// share puts a server beside the one before it, if both fit on one node and that is wanted.
func (l *Layout) share(p *Placement) bool {
	if !l.Packed || len(l.Placements) == 0 {
		return false
	}
	before := l.Placements[len(l.Placements)-1]
	next := before.FirstGPU + before.GPUs
	if before.Nodes > 1 || next+p.GPUs > l.GPUsPerNode {
		return false
	}
	p.FirstNode, p.FirstGPU = before.FirstNode, next
	return true
}
