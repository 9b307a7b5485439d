package roles_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/disagg/disagg/pkg/roles"
)

func perGPU(roles.Kind) roles.TasksPer { return roles.PerGPU }

func TestLayoutPlacesGenFirst(t *testing.T) {
	l, err := roles.NewLayout(4, roles.Server{Count: 2, GPUs: 6}, roles.Server{Count: 2, GPUs: 2}, perGPU)
	if err != nil {
		t.Fatal(err)
	}
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
	if p := l.Placements[0]; p.Even() || p.NodeOf(3) != 0 || p.NodeOf(4) != 1 {
		t.Errorf("ranks 3 and 4 of %+v are on nodes %d and %d", p, p.NodeOf(3), p.NodeOf(4))
	}
}

func TestLayoutRefusesNonsense(t *testing.T) {
	if _, err := roles.NewLayout(0, roles.Server{Count: 1, GPUs: 1}, roles.Server{}, perGPU); err == nil {
		t.Error("no GPUs a node was accepted")
	}
	if _, err := roles.NewLayout(4, roles.Server{}, roles.Server{}, perGPU); err == nil {
		t.Error("no servers were accepted")
	}
}

// Whatever the sizes: servers never share a node, every server fits its nodes, and no node is left unused.
func TestLayoutProperties(t *testing.T) {
	server := rapid.Custom(func(t *rapid.T) roles.Server {
		return roles.Server{Count: rapid.IntRange(1, 20).Draw(t, "count"), GPUs: rapid.IntRange(1, 64).Draw(t, "gpus")}
	})
	rapid.Check(t, func(t *rapid.T) {
		gpn := rapid.IntRange(1, 8).Draw(t, "gpus per node")
		l, err := roles.NewLayout(gpn, server.Draw(t, "gen"), server.Draw(t, "ctx"), perGPU)
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
