package launch

import (
	"github.com/disagg/disagg/pkg/agent"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// unknownHost stands for a host that is not known before a role runs.
const unknownHost = "HOST"

// Preview is what the first rank of a role of the job would run, as far as that can be told before it runs.
func (j Job) Preview(r roles.Role, environ []string) (agent.Child, error) {
	return preview(j.Plan, r, 0, nil, environ)
}

// preview is what a role's first rank would run in an attempt, with the addresses of other roles that are known, and
// some words before its command.
func preview(p plan.Plan, r roles.Role, attempt int, wrap, environ []string) (agent.Child, error) {
	o := agent.Options{
		Plan: p, Role: r, Identity: scheduler.Identity{Attempt: attempt}, Node: unknownHost, Host: unknownHost,
		Environ: environ, Wrap: wrap,
	}
	o.LauncherVars.Patterns, o.LauncherVars.Kept = TaskVars()
	peers := map[string]string{}
	for _, pl := range p.Layout.Placements {
		peers[pl.Role.String()] = unknownHost + ":0"
	}
	state, _ := rundir.ReadState(rundir.Current(rundir.Dir(p.RunDir))) // without one nothing is known
	for _, role := range state.Roles {
		if role.Address != "" {
			peers[role.Role.String()] = role.Address
		}
	}
	return agent.Preview(o, peers)
}
