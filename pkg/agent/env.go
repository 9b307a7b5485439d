package agent

import (
	"path"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/roles"
)

// launcherVars are what Slurm and MPI launchers set. A process that is no rank of an MPI job, but sees them, tries to
// join one and dies ("PMI2_Init failed to initialize").
var launcherVars = [...]string{"PMI*", "PMIX*", "OMPI_*", "PRTE*", "MPI*", "SLURM*"}

// keptVar is the one launcher variable that every child keeps: upstream's scripts read it.
const keptVar = "SLURM_PROCID"

// childEnv decides a child's whole environment: the agent's own, less what the role must not see, then the cluster's,
// the recipe's, the case's, and last the role's name.
func childEnv(own []string, p roles.Plan, f roles.Facts) ([]string, error) {
	steps := p.Steps(f.Role)
	env := newEnviron(own)
	if !steps.MPI {
		env.unset(launcherVars[:], keptVar)
	}
	env.unset(p.Cluster.Unset, "")
	f.Environ = env.own
	for _, vars := range []map[string]string{p.Cluster.Env, p.Recipe.Env, steps.Env} {
		for name, text := range vars {
			value, err := roles.Render("env."+name, text, f)
			if err != nil {
				return nil, err
			}
			env.set(name, value)
		}
	}
	for _, v := range p.Case.Env[f.Role.Kind] {
		env.set(v.Name, v.Value)
	}
	env.set("DISAGG_SERVING_TYPE", f.Role.String())
	return env.list(), nil
}

// envChanges tells how a child's environment differs from the agent's own: what was set, as NAME=VALUE, and which
// names were removed.
func envChanges(own, child []string) (set, removed []string) {
	before, after := newEnviron(own), newEnviron(child)
	for _, kv := range child {
		name, value, _ := strings.Cut(kv, "=")
		if old, had := before.vars[name]; !had || old != value {
			set = append(set, kv)
		}
	}
	for name := range before.vars {
		if _, kept := after.vars[name]; !kept {
			removed = append(removed, name)
		}
	}
	slices.Sort(removed)
	return set, removed
}

// environ is an environment that is being decided.
type environ struct {
	own  map[string]string // what the agent itself was given
	vars map[string]string
}

func newEnviron(list []string) *environ {
	e := &environ{own: map[string]string{}, vars: map[string]string{}}
	for _, kv := range list {
		name, value, _ := strings.Cut(kv, "=")
		e.own[name], e.vars[name] = value, value
	}
	return e
}

func (e *environ) set(name, value string) { e.vars[name] = value }

// unset drops the variables whose names match a pattern, but for one.
func (e *environ) unset(patterns []string, keep string) {
	for name := range e.vars {
		matches := func(p string) bool { ok, _ := path.Match(p, name); return ok }
		if name != keep && slices.ContainsFunc(patterns, matches) {
			delete(e.vars, name)
		}
	}
}

func (e *environ) list() []string {
	list := make([]string, 0, len(e.vars))
	for name, value := range e.vars {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}
