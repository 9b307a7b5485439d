package runs

import (
	"encoding/json"
	"testing"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// The agents of the run's ranks that have an endpoint are targets, in the order of the plan, with texts as labels.
func TestTargets(t *testing.T) {
	gen, hub := roles.Role{Kind: roles.Gen}, roles.Hub().Role
	p := plan.Plan{ID: "a1b2c3d4", Case: roles.Case{Name: "tiny"}, Layout: roles.Layout{Placements: []roles.Placement{
		{Role: gen, Ranks: 2}, {Role: hub, Ranks: 1},
	}}}
	agent := func(r roles.Role, rank int, endpoint string) protocol.Published {
		return protocol.Published{Task: roles.Task{Role: r, Rank: rank}, Node: "n1", Endpoint: endpoint}
	}
	got, err := json.Marshal(Targets(p, []protocol.Published{
		agent(hub, 0, "10.0.0.1:3"), agent(gen, 1, "10.0.0.1:2"), agent(gen, 0, ""), agent(gen, 7, "10.0.0.1:9"),
	}))
	const want = `[{"targets":["10.0.0.1:2"],` +
		`"labels":{"run":"a1b2c3","case":"tiny","role":"GEN_0","rank":"1","host":"n1"}},` +
		`{"targets":["10.0.0.1:3"],` +
		`"labels":{"run":"a1b2c3","case":"tiny","role":"BENCHMARK","rank":"0","host":"n1"}}]`
	if err != nil || string(got) != want {
		t.Errorf("%v %s", err, got)
	}
	if got, err := json.Marshal(Targets(p, nil)); err != nil || string(got) != "[]" {
		t.Errorf("%v %s", err, got)
	}
}
