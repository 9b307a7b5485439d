package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

// trial is a program that a role starts, and the command that shows whether it can start here.
type trial struct {
	program protocol.Program
	argv    []string // none: it is only looked for
	env     []string
}

// tryPrograms tries what the roles' commands start, each once, in the environment that a role's child would have. The
// roles of a kind differ in nothing that matters here.
func (x Examiner) tryPrograms(ctx context.Context, p plan.Plan, sup *supervisor.Supervisor) []protocol.Program {
	var trials []trial
	for i, pl := range p.Layout.Placements {
		if i > 0 && p.Layout.Placements[i-1].Role.Kind == pl.Role.Kind {
			continue
		}
		for _, t := range x.trials(p, pl) {
			at := slices.IndexFunc(trials, func(o trial) bool { return o.program.Name == t.program.Name })
			switch {
			case at < 0:
				trials = append(trials, t)
			case trials[at].argv == nil: // until now it was only looked for
				trials[at] = t
			}
		}
	}
	found := make([]protocol.Program, len(trials))
	for i, t := range trials { // one after the other: they share the host with nobody
		found[i] = t.try(ctx, sup)
	}
	return found
}

// trials are the programs of one role. MPI is kept out: a trial is not a rank.
func (x Examiner) trials(p plan.Plan, pl roles.Placement) []trial {
	kind := pl.Role.Kind
	p.Recipe.Roles = maps.Clone(p.Recipe.Roles)
	spec := p.Recipe.Roles[kind]
	spec.MPI = false
	p.Recipe.Roles[kind] = spec
	data := p.Rehearsal(pl)
	env, err := ChildEnv(x.Environ, x.LauncherVars, p, data)
	fault := func(err error) []trial {
		return []trial{{program: protocol.Program{Name: string(kind), Role: string(kind), Fault: err.Error()}}}
	}
	if err != nil {
		return fault(err)
	}
	data.Environ = newEnviron(x.Environ).own
	var list []trial
	for _, c := range startedBy(spec) {
		argv, err := recipe.RenderArgs("command", c.args, data)
		if err != nil {
			return fault(err)
		}
		if len(argv) > 0 && !strings.HasPrefix(argv[0], "-") {
			list = append(list, newTrial(argv, string(kind), env, c.launches))
		}
	}
	return list
}

// startable is a part of a role's command that begins with a program.
type startable struct {
	args     []recipe.Arg
	launches bool // something else, and is not tried by itself
}

// startedBy are the programs of a role, the launchers first.
func startedBy(spec recipe.RoleSpec) []startable {
	list := []startable{{spec.Wrapper, true}, {spec.Command, false}}
	if rest := bare(spec.Command); len(rest) < len(spec.Command) && !strings.HasPrefix(rest[0].Text, "-") {
		list[1].launches = true
		list = append(list, startable{args: rest})
	}
	return list
}

// newTrial is the trial of a command. An interpreter of Python is tried by importing the module that it is to run;
// another program by asking for its help, which loads what it is made of. A launcher is only looked for: it may start
// what it is given whatever it is asked.
func newTrial(argv []string, role string, env []string, launcher bool) trial {
	t := trial{program: protocol.Program{Name: argv[0], Role: role}, env: env}
	python := strings.HasPrefix(filepath.Base(argv[0]), "python")
	switch at := slices.Index(argv, "-m"); {
	case launcher:
	case python && at > 0 && at+1 < len(argv):
		t.program.Name = fmt.Sprintf("%s -m %s", argv[0], argv[at+1])
		t.argv = []string{argv[0], "-c", "import importlib, sys; importlib.import_module(sys.argv[1])", argv[at+1]}
	case python:
		t.argv = []string{argv[0], "--version"}
	default:
		t.argv = []string{argv[0], "--help"}
	}
	return t
}

// try runs the trial.
func (t trial) try(ctx context.Context, sup *supervisor.Supervisor) protocol.Program {
	p := t.program
	if p.Fault != "" {
		return p
	}
	name, _, _ := strings.Cut(p.Name, " ")
	var err error
	if p.Path, err = supervisor.LookPath(name, "", t.env); err != nil && !errors.Is(err, exec.ErrNotFound) {
		p.Fault = err.Error()
	}
	if err != nil || t.argv == nil {
		return p
	}
	out, code, err := sup.Run(ctx, t.argv, t.env)
	switch {
	case err != nil:
		p.Fault = err.Error()
	case ctx.Err() != nil:
		p.Fault = "no answer within " + programBound.String()
	case code != 0:
		p.Fault = fmt.Sprintf("%s (it ended with code %d)", lastLine(string(out)), code)
	}
	return p
}

// maxLastLine bounds what is shown of a line, in bytes.
const maxLastLine = 300

// lastLine is the last line of an output that says something.
func lastLine(text string) string {
	line := strings.TrimSpace(text)
	line = strings.TrimSpace(line[strings.LastIndexByte(line, '\n')+1:])
	return strings.ToValidUTF8(line[:min(len(line), maxLastLine)], "")
}
