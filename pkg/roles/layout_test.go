package roles_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/disagg/disagg/pkg/roles"
)

func perGPU(roles.Kind) roles.Shape { return roles.Shape{Tasks: roles.PerGPU} }

// layout is one that must be possible.
func layout(t *testing.T, gpus int, gen, ctx roles.Server, shape func(roles.Kind) roles.Shape) roles.Layout {
	t.Helper()
	l, err := roles.NewLayout(roles.Nodes{GPUs: gpus}, gen, ctx, shape)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Every server has whole nodes, GEN before CTX. The coordinator and the benchmark share the first node.
func TestLayoutPlacesGenFirst(t *testing.T) {
	l := layout(t, 4, roles.Server{Count: 2, GPUs: 6}, roles.Server{Count: 2, GPUs: 2}, perGPU)
	gen, ctx := roles.Gen, roles.Ctx
	want := []roles.Placement{
		{Role: roles.Role{Kind: gen}, FirstNode: 0, Nodes: 2, Ranks: 6, RanksPerNode: 4, GPUs: 6},
		{Role: roles.Role{Kind: gen, Index: 1}, FirstNode: 2, Nodes: 2, Ranks: 6, RanksPerNode: 4, GPUs: 6},
		{Role: roles.Role{Kind: ctx}, FirstNode: 4, Nodes: 1, Ranks: 2, RanksPerNode: 2, GPUs: 2},
		{Role: roles.Role{Kind: ctx, Index: 1}, FirstNode: 5, Nodes: 1, Ranks: 2, RanksPerNode: 2, GPUs: 2},
		{Role: roles.Role{Kind: roles.Coordinator}, Nodes: 1, Ranks: 1, RanksPerNode: 1},
		{Role: roles.Role{Kind: roles.Benchmark}, Nodes: 1, Ranks: 1, RanksPerNode: 1},
	}
	if diff := cmp.Diff(want, l.Placements); diff != "" {
		t.Error(diff)
	}
	if l.TotalNodes != 6 || l.TotalGPUs() != 24 || l.Tasks() != 18 {
		t.Errorf("%d nodes, %d GPUs, %d tasks", l.TotalNodes, l.TotalGPUs(), l.Tasks())
	}
	if p := l.Placements[0]; !p.FirstOnNode(0) || p.FirstOnNode(3) || !p.FirstOnNode(4) || p.FirstOnNode(5) {
		t.Errorf("not the ranks 0 and 4 of %+v are the first on their nodes", p)
	}
	if p := l.Placements[0]; p.Even() || p.NodeOf(3) != 0 || p.NodeOf(4) != 1 {
		t.Errorf("ranks 3 and 4 of %+v are on nodes %d and %d", p, p.NodeOf(3), p.NodeOf(4))
	}
}

// How many ranks a role has, and where roles that are no servers run, is for the recipe to say.
func TestShapes(t *testing.T) {
	gen, ctx := roles.Server{Count: 1, GPUs: 6}, roles.Server{Count: 1, GPUs: 4} // three nodes
	worker := func(first, nodes, ranks, perNode, gpus int) roles.Placement {
		return roles.Placement{FirstNode: first, Nodes: nodes, Ranks: ranks, RanksPerNode: perNode, GPUs: gpus}
	}
	one := func(node int) roles.Placement {
		return roles.Placement{FirstNode: node, Nodes: 1, Ranks: 1, RanksPerNode: 1}
	}
	for name, tt := range map[string]struct {
		tasks                  roles.TasksPer
		coordinator, benchmark roles.Shape
		nodes                  int
		want                   []roles.Placement // without their roles
	}{
		"a rank a GPU": {
			roles.PerGPU, roles.Shape{}, roles.Shape{}, 3,
			[]roles.Placement{worker(0, 2, 6, 4, 6), worker(2, 1, 4, 4, 4), one(0), one(0)},
		},
		"a rank a node": {
			roles.PerNode, roles.Shape{On: roles.LastNode}, roles.Shape{On: roles.FirstNode}, 3,
			[]roles.Placement{worker(0, 2, 2, 1, 6), worker(2, 1, 1, 1, 4), one(2), one(0)},
		},
		"a rank in all, nodes of their own": {
			roles.Single, roles.Shape{On: roles.OwnNode}, roles.Shape{On: roles.OwnNode}, 5,
			[]roles.Placement{worker(0, 2, 1, 1, 6), worker(2, 1, 1, 1, 4), one(3), one(4)},
		},
		"the last node is a server's": {
			roles.Single, roles.Shape{On: roles.OwnNode}, roles.Shape{On: roles.LastNode}, 4,
			[]roles.Placement{worker(0, 2, 1, 1, 6), worker(2, 1, 1, 1, 4), one(3), one(2)},
		},
		"no coordinator": {
			roles.Single, roles.Shape{None: true}, roles.Shape{}, 3,
			[]roles.Placement{worker(0, 2, 1, 1, 6), worker(2, 1, 1, 1, 4), one(0)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := layout(t, 4, gen, ctx, func(k roles.Kind) roles.Shape {
				switch k {
				case roles.Coordinator:
					return tt.coordinator
				case roles.Benchmark:
					return tt.benchmark
				}
				return roles.Shape{Tasks: tt.tasks}
			})
			got := make([]roles.Placement, len(l.Placements))
			for i, p := range l.Placements {
				p.Role = roles.Role{}
				got[i] = p
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || l.TotalNodes != tt.nodes {
				t.Errorf("%d nodes, want %d: %s", l.TotalNodes, tt.nodes, diff)
			}
		})
	}
}

// A layout tells of each role where it is, and of each rank on which node.
func TestLayoutAnswers(t *testing.T) {
	l := layout(t, 4, roles.Server{Count: 2, GPUs: 8}, roles.Server{}, perGPU)
	second := roles.Role{Kind: roles.Gen, Index: 1}
	p, ok := l.Find(second)
	if !ok || p.FirstNode != 2 || !p.Even() || p.NodeOf(7) != 3 {
		t.Errorf("%+v, %v", p, ok)
	}
	if tasks := p.Tasks(); len(tasks) != 8 || tasks[7] != (roles.Task{Role: second, Rank: 7}) {
		t.Errorf("the tasks are %v", tasks)
	}
	if _, ok := l.Find(roles.Role{Kind: roles.Ctx}); ok || len(l.OfKind(roles.Ctx)) != 0 {
		t.Error("a role that the case has not was found")
	}
	if list := l.OfKind(roles.Gen); len(list) != 2 || list[1].Role != second {
		t.Errorf("the GEN servers are %+v", list)
	}
}

// fails checks that there is an error, that it begins so, and that it says something.
func fails(t *testing.T, name string, err error, prefix, part string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), part) {
		t.Errorf("%s: got %v, want %s…%s", name, err, prefix, part)
	}
}

// Sizes that no job can have are refused.
func TestLayoutRefusesNonsense(t *testing.T) {
	one := roles.Server{Count: 1, GPUs: 1}
	for name, tt := range map[string]struct {
		gpus     int
		gen, ctx roles.Server
		want     string
	}{
		"no GPUs on a node":  {0, one, roles.Server{}, "gpus_per_node is 0: want at least 1"},
		"no servers":         {4, roles.Server{}, roles.Server{}, "it has no servers"},
		"a server of no GPU": {4, one, roles.Server{Count: 2}, "it has 2 CTX servers of 0 GPUs each: want at least"},
		"fewer than none":    {4, roles.Server{Count: -1, GPUs: 1}, one, "it has -1 GEN servers"},
		"more than any":      {4, roles.Server{Count: 1 << 40, GPUs: 1}, one, "at most 99999 servers"},
		"more in all":        {4, roles.Server{Count: 50_000, GPUs: 2}, one, "more than 100000 GPUs in all"},
		"more than numbers":  {4, roles.Server{Count: 2, GPUs: 1 << 62}, one, "more than 100000 GPUs in all"},
	} {
		_, err := roles.NewLayout(roles.Nodes{GPUs: tt.gpus}, tt.gen, tt.ctx, perGPU)
		fails(t, name, err, "cannot lay out the case: ", tt.want)
	}
}

// Whatever the sizes: servers never share a node, every server fits its nodes, and no node is left unused.
func TestLayoutProperties(t *testing.T) {
	server := rapid.Custom(func(t *rapid.T) roles.Server {
		return roles.Server{Count: rapid.IntRange(1, 20).Draw(t, "count"), GPUs: rapid.IntRange(1, 64).Draw(t, "gpus")}
	})
	rapid.Check(t, func(t *rapid.T) {
		gpn := rapid.IntRange(1, 8).Draw(t, "gpus per node")
		l, err := roles.NewLayout(roles.Nodes{GPUs: gpn}, server.Draw(t, "gen"), server.Draw(t, "ctx"), perGPU)
		if err != nil {
			t.Fatal(err)
		}
		next := 0
		for _, p := range l.Placements {
			if !p.Role.Kind.Worker() {
				continue
			}
			if p.FirstNode != next {
				t.Fatalf("%s begins at node %d, want %d", p.Role, p.FirstNode, next)
			}
			next += p.Nodes
			if p.GPUs > p.Nodes*gpn || p.GPUs <= (p.Nodes-1)*gpn {
				t.Fatalf("%s has %d GPUs on %d nodes of %d", p.Role, p.GPUs, p.Nodes, gpn)
			}
			if last := p.NodeOf(p.Ranks - 1); last != p.FirstNode+p.Nodes-1 {
				t.Fatalf("the last rank of %s is on node %d of %d+%d", p.Role, last, p.FirstNode, p.Nodes)
			}
		}
		if next != l.TotalNodes {
			t.Fatalf("%d nodes are used of %d", next, l.TotalNodes)
		}
	})
}

// Servers that may share a node do, beside the one before, if both fit; none has a GPU of another, and none of a node's
// GPUs that are left could have held the next.
func TestPackedLayout(t *testing.T) {
	server := rapid.Custom(func(t *rapid.T) roles.Server {
		return roles.Server{Count: rapid.IntRange(1, 20).Draw(t, "count"), GPUs: rapid.IntRange(1, 12).Draw(t, "gpus")}
	})
	rapid.Check(t, func(t *rapid.T) {
		gpn := rapid.IntRange(1, 8).Draw(t, "gpus per node")
		nodes := roles.Nodes{GPUs: gpn, Shared: true}
		l, err := roles.NewLayout(nodes, server.Draw(t, "gen"), server.Draw(t, "ctx"), perGPU)
		if err != nil {
			t.Fatal(err)
		}
		used := map[[2]int]roles.Role{} // by node and GPU
		end, room := 0, 0               // where the server before ends, in GPUs, and what is left on its node
		for _, p := range l.Placements {
			if !p.Role.Kind.Worker() {
				continue
			}
			begin := p.FirstNode*gpn + p.FirstGPU
			if p.GPUs <= room && begin != end {
				t.Fatalf("%s would have fitted at %d, and is at %d", p.Role, end, begin)
			}
			if p.FirstGPU+p.GPUs > gpn && p.FirstGPU > 0 {
				t.Fatalf("%s spills from GPU %d on: %+v", p.Role, p.FirstGPU, p)
			}
			for i := range p.GPUs {
				at := [2]int{(begin + i) / gpn, (begin + i) % gpn}
				if other, taken := used[at]; taken {
					t.Fatalf("%s and %s both have GPU %d of node %d", p.Role, other, at[1], at[0])
				}
				used[at] = p.Role
			}
			if end, room = begin+p.GPUs, 0; p.GPUs < gpn {
				room = gpn - p.FirstGPU - p.GPUs
			}
		}
		if l.TotalNodes != (end+gpn-1)/gpn {
			t.Fatalf("%d nodes for %d GPUs of %d", l.TotalNodes, end, gpn)
		}
	})
}
