package runs

import (
	"slices"
	"strconv"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Target is an agent's endpoint as Prometheus' file_sd has it.
type Target struct {
	Targets []string     `json:"targets"` // host:port; there is one
	Labels  TargetLabels `json:"labels"`
}

// TargetLabels say which rank of which run it is.
type TargetLabels struct {
	Run  string     `json:"run"` // its short id
	Case string     `json:"case"`
	Role roles.Role `json:"role"`
	Rank string     `json:"rank"` // labels are texts
	Host string     `json:"host"` // its name
}

// Targets are the endpoints of those agents of a run that have one, by what they have published of themselves. Those of
// the run's own roles count, in the order of the plan.
func Targets(p plan.Plan, published []protocol.Published) []Target {
	list := []Target{}
	for _, pl := range p.Layout.Placements {
		for _, task := range pl.Tasks() {
			i := slices.IndexFunc(published, func(a protocol.Published) bool { return a.Task == task })
			if i < 0 || published[i].Endpoint == "" {
				continue
			}
			list = append(list, Target{[]string{published[i].Endpoint}, TargetLabels{
				Run: plan.ShortID(p.ID), Case: p.Case.Name, Role: task.Role, Rank: strconv.Itoa(task.Rank),
				Host: published[i].Node,
			}})
		}
	}
	return list
}
