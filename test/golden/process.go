package golden

import (
	"fmt"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/agent"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// process is what the agent of a role's rank 0 starts.
type process struct {
	role    roles.Role
	dir     string
	argv    []string
	set     []string // variables that it gets or that change, as NAME=VALUE
	removed []string // names of variables that it does not get
	files   []file
}

// file is one that the agent writes before.
type file struct {
	name, text string
	from       string // the file beside the recipe that it is a copy of; "": none
}

// taskEnv is what a step of Slurm gives to a task in a container, as far as that matters.
var taskEnv = [...]string{
	"HOME=/root", "PATH=/usr/bin:/bin", "PMIX_RANK=0", "PMI_FD=9", "SLURM_JOB_ID=JOB", "SLURM_LOCALID=0",
	"SLURM_PROCID=0", "UCX_NET_DEVICES=eth0", "UCX_TLS=tcp",
}

// render renders a role of a plan as its agent does.
func render(p plan.Plan, pl roles.Placement) (process, error) {
	spec, d := p.Spec(pl.Role), madeUp(p, pl)
	out := process{role: pl.Role}
	for _, f := range spec.Files {
		text, err := f.Render(d)
		if err != nil {
			return out, err
		}
		out.files = append(out.files, file{f.Path, text, f.From})
	}
	wrapper, err := recipe.RenderArgs("wrapper", spec.Wrapper, d)
	if err != nil {
		return out, err
	}
	command, err := recipe.RenderArgs("command", spec.Command, d)
	if err != nil {
		return out, err
	}
	out.argv = slices.Concat(wrapper, command)
	if out.dir, err = recipe.Render("dir", spec.Dir, d); err != nil {
		return out, err
	}
	if out.dir == "" {
		out.dir = d.Dirs.Work
	}
	out.set, out.removed, err = environment(p, d)
	return out, err
}

// madeUp is the template data of a role's rank 0 on a cluster that nobody has, on which the models are where the
// profile says.
func madeUp(p plan.Plan, pl roles.Placement) recipe.Data {
	d := p.Data(pl.Role)
	d.Ranks, d.Node, d.Host = pl.Ranks, host(pl), host(pl)
	d.RunID, d.AuthKey = p.RunID(0), "AUTH-KEY"
	d.Dirs = rundir.Dir(p.RunDir).Attempt(0).Dirs(roles.Task{Role: pl.Role}, p.Case.TestID)
	if dirs := p.ModelFolders(); len(dirs) > 0 {
		d.ModelPath = dirs[0]
	}
	d.Peers = map[string]string{}
	address, ready := p.Needed(pl.Role)
	for _, r := range slices.Concat(address, ready) {
		peer, _ := p.Layout.Find(r)
		d.Peers[r.String()] = fmt.Sprintf("%s:%d", host(peer), port(peer))
	}
	return d
}

func host(pl roles.Placement) string { return fmt.Sprintf("node%d", pl.FirstNode) }

// port is one of its own for each role.
func port(pl roles.Placement) int {
	return 10000*(slices.Index(roles.Kinds(), pl.Role.Kind)+1) + pl.Role.Index
}

// environment is how a child's environment differs from that of its agent.
func environment(p plan.Plan, d recipe.Data) (set, removed []string, err error) {
	var launcher agent.LauncherVars
	launcher.Patterns, launcher.Kept = launch.TaskVars()
	env, err := agent.ChildEnv(taskEnv[:], launcher, p, d)
	if err != nil {
		return nil, nil, err
	}
	for _, kv := range env {
		if !slices.Contains(taskEnv[:], kv) {
			set = append(set, kv)
		}
	}
	for _, kv := range taskEnv {
		name, _, _ := strings.Cut(kv, "=")
		kept := slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
		if !kept {
			removed = append(removed, name)
		}
	}
	return set, removed, nil
}

// leaders are one placement of each kind of role.
func leaders(p plan.Plan) (list []roles.Placement) {
	for _, pl := range p.Layout.Placements {
		if pl.Role.Index == 0 {
			list = append(list, pl)
		}
	}
	return list
}
