package agent

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
)

// mpiVars are what MPI launchers set. A process that is not a rank of an MPI job, but sees them or a scheduler's, tries
// to join one and dies ("PMI2_Init failed to initialize").
var mpiVars = [...]string{"PMI*", "PMIX*", "OMPI_*", "PRTE*", "MPI*"}

// LauncherVars are the variables of schedulers' tasks, as [scheduler.Identifier] lists them.
type LauncherVars struct {
	Patterns []string
	Kept     []string // that every child keeps all the same
}

// ChildEnv decides a child's whole environment: the agent's own, less what the role must not see, then the recipe's,
// the cluster's, the case's (which begins with what its mode adds), and last the role's name. A later one wins. A
// variable whose template renders to nothing is not set.
func ChildEnv(own []string, launcher LauncherVars, p plan.Plan, d recipe.Data) ([]string, error) {
	spec := p.Spec(d.Role)
	env := newEnviron(own)
	if !spec.MPI {
		env.unset(slices.Concat(mpiVars[:], launcher.Patterns), launcher.Kept)
	}
	env.unset(p.Cluster.Unset, nil)
	if pl, ok := p.Layout.Find(d.Role); ok && p.Layout.Packed && d.Role.Kind.Worker() {
		env.set(visibleGPUs, strings.Join(gpuNames(env.own[visibleGPUs], pl.FirstGPU, pl.GPUs), ","))
	}
	d.Environ = env.own
	for _, vars := range []map[string]string{p.Recipe.Env, spec.Env, p.Cluster.Env} {
		for name, text := range vars {
			value, err := recipe.Render("env."+name, text, d)
			if err != nil {
				return nil, err
			}
			if value != "" || text == "" {
				env.set(name, value)
			}
		}
	}
	for _, v := range p.Case.Env[d.Role.Kind] {
		env.set(v.Name, v.Value)
	}
	env.set(protocol.EnvRole, d.Role.String())
	return env.list(), nil
}

// visibleGPUs is what CUDA programs take for all of a node's GPUs.
const visibleGPUs = "CUDA_VISIBLE_DEVICES"

// gpuNames names n GPUs of this host from one on: of those that the agent was given, if it was given enough.
func gpuNames(given string, first, n int) []string {
	all := strings.Split(given, ",")
	if given == "" || len(all) < first+n {
		all = nil
		for i := range first + n {
			all = append(all, strconv.Itoa(i))
		}
	}
	return all[first : first+n]
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

// unset drops the variables whose names match a pattern, but for those that are kept.
func (e *environ) unset(patterns, keep []string) {
	for name := range e.vars {
		matches := func(p string) bool { ok, _ := path.Match(p, name); return ok }
		if !slices.Contains(keep, name) && slices.ContainsFunc(patterns, matches) {
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
