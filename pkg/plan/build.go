package plan

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// Input is what a plan is made from: what was asked for, and what was found on the submitting host.
type Input struct {
	ID        string
	CreatedAt time.Time
	Tool      string // version of the tool
	RunDir    string // absolute
	Launcher  string
	// OneMachine says that one machine plays all nodes.
	OneMachine bool
	Agent      string // path of disagg-agent on the nodes
	Case       roles.Case
	Checkout   string
	Recipe     recipe.Recipe
	Profile    profile.Profile
	Values     map[string]string // that were asked for; they win over the profile's
	Timeouts   roles.Timeouts    // what was asked for; 0 is filled in
	Policy     Policy
	Upload     Upload
	Gate       Gate
}

// Build makes a plan and checks the whole of it.
func Build(in Input) (Plan, error) {
	p := Plan{
		Schema: 1, ID: in.ID, CreatedAt: in.CreatedAt, Tool: in.Tool, RunDir: in.RunDir, Launcher: in.Launcher,
		OneMachine: in.OneMachine, Agent: in.Agent,
		Case: in.Case, Checkout: in.Checkout, Cluster: in.Profile, Recipe: in.Recipe, Policy: in.Policy,
		Upload: in.Upload, Gate: in.Gate,
	}
	var err error
	if p.Values, err = mergeValues(in.Recipe, in.Profile.Values, in.Values); err != nil {
		return Plan{}, err
	}
	servers := in.Case.Servers
	nodes := roles.Nodes{GPUs: in.Case.GPUsPerNode, Shared: in.Profile.Pack}
	p.Layout, err = roles.NewLayout(nodes, servers[roles.Gen], servers[roles.Ctx], p.shape)
	if err != nil {
		return Plan{}, err
	}
	limit := in.Case.TimeLimit
	if in.Profile.Time > 0 {
		limit = in.Profile.Time
	}
	p.Timeouts = in.Timeouts.Complete(limit, p.Cluster.KillWait)
	p.Recipe.Roles = maps.Clone(in.Recipe.Roles)
	for k, s := range p.Recipe.Roles {
		p.Recipe.Roles[k] = s.Complete(p.Timeouts.Probe)
	}
	if p.Policy.Interactive && p.Repeatable() != nil {
		p.Policy.Keep = "" // it is the default by hand, where it can be done
	}
	p.Gate.Confirm = p.Gate.Confirm && p.Repeatable() == nil && p.Policy.Measurements <= 1
	if err := errors.Join(p.Timeouts.Check(p.Cluster.KillWait), p.check()); err != nil {
		return Plan{}, err
	}
	if err := p.rehearse(); err != nil {
		return Plan{}, err
	}
	return p, nil
}

func (p Plan) shape(k roles.Kind) roles.Shape {
	s, ok := p.Recipe.Roles[k]
	return roles.Shape{Tasks: s.Tasks, On: s.Placement, None: !ok}
}

// mergeValues lets what was asked for win over the profile, and the profile over the recipe. A profile may know values
// of other recipes.
func mergeValues(r recipe.Recipe, profile, asked map[string]string) (map[string]string, error) {
	values := maps.Clone(r.Values)
	if values == nil {
		values = map[string]string{}
	}
	for k, v := range profile {
		if _, known := r.Values[k]; known {
			values[k] = v
		}
	}
	for _, k := range slices.Sorted(maps.Keys(asked)) {
		if _, known := r.Values[k]; !known {
			return nil, fmt.Errorf("cannot set value %q: recipe %s has no such value: it has %s", k, r.Name,
				strings.Join(slices.Sorted(maps.Keys(r.Values)), ", "))
		}
		values[k] = asked[k]
	}
	return values, nil
}

// maxName bounds the name of a case, in bytes: files are named after it, with more before and after it.
const maxName = 200

// check refuses what could not be used: names with characters that end a line, and clients that nobody can read.
func (p Plan) check() error {
	var errs []error
	name := p.Case.Name
	for _, part := range []struct{ what, text string }{
		{"case name", name}, {"test id", strings.ReplaceAll(p.Case.TestID, name, "")},
		{"case's model", p.Case.Model}, {"case's model folder", strings.Join(p.Case.ModelDirs, " ")},
		{"run directory", p.RunDir}, {"checkout", p.Checkout}, {"agent", p.Agent},
		{"partition (--partition)", p.Cluster.Partition}, {"account (--account)", p.Cluster.Account},
	} {
		if profile.HasControl(part.text) {
			errs = append(errs,
				fmt.Errorf("cannot plan: the %s, %.200q, has a control character", part.what, part.text))
			break // others are often made from it
		}
	}
	switch {
	case name != filepath.Base(name) || p.Case.TestID != filepath.Base(p.Case.TestID):
		errs = append(errs,
			fmt.Errorf("cannot plan: the case's name %.200q or its test id %.200q is not a plain name", name,
				p.Case.TestID))
	case len(name) > maxName:
		errs = append(errs, fmt.Errorf("cannot plan: the case's name %.40q… has %d bytes: want at most %d",
			name, len(name), maxName))
	}
	if spec := p.Spec(roles.Hub().Role); spec.Results != nil {
		if _, err := p.ResultFormat(); err != nil {
			errs = append(errs, fmt.Errorf("recipe %s: roles.BENCHMARK.results: %w", p.Recipe.Name, err))
		}
	}
	if every := p.Cluster.SampleGPUs.Std(); every > 0 && every < leastSampling {
		errs = append(errs, fmt.Errorf("cannot plan: GPUs are to be sampled every %v (--sample-gpus; sample_gpus of "+
			"the profile): want at least %v", every, leastSampling))
	}
	return errors.Join(append(errs, p.checkMeasurements())...)
}

// leastSampling is the least time between two samples of a GPU: a driver that is asked more often disturbs what is
// measured.
const leastSampling = 100 * time.Millisecond

// checkMeasurements refuses to measure several times, or to keep servers for that, where that cannot be done.
func (p Plan) checkMeasurements() error {
	if err := p.Repeatable(); err != nil && p.Policy.Keep != "" {
		return fmt.Errorf("cannot keep servers: %w: leave out --keep, or choose another --recipe or --mode", err)
	}
	switch n := p.Policy.Measurements; {
	case n < 0:
		return fmt.Errorf("cannot plan: --repeat %d: want 1 or more", n)
	case n > 1:
		if err := p.Repeatable(); err != nil {
			return fmt.Errorf("cannot plan: %w: leave out --repeat, or choose another --recipe or --mode", err)
		}
	}
	return nil
}

// Repeatable tells why the case cannot be measured again on the same servers, nil if it can.
func (p Plan) Repeatable() error {
	switch {
	case !p.Spec(roles.Hub().Role).Again:
		return fmt.Errorf("recipe %s cannot measure again on the same servers: they end with its benchmark",
			p.Recipe.Name)
	case p.Case.Load.StepTime:
		return errors.New("the step time of decode is read from a server's whole log, which can hold one measurement")
	}
	return nil
}

// nowhere is an address that is nobody's (TEST-NET-1), for the rehearsal.
const nowhere = "192.0.2.1"

// rehearse renders every template of the plan with made-up data, so that a fault shows now and not on the nodes.
func (p Plan) rehearse() error {
	for i, pl := range p.Layout.Placements {
		if i > 0 && p.Layout.Placements[i-1].Role.Kind == pl.Role.Kind {
			continue // it differs from the one before in its number
		}
		d := p.Rehearsal(pl)
		err := p.pointsApart(pl.Role)
		if err == nil {
			err = p.Spec(pl.Role).Rehearse(d)
		}
		if err != nil {
			return fmt.Errorf("recipe %s: roles.%s.%w", p.Recipe.Name, pl.Role.Kind, err)
		}
		for name, text := range p.Cluster.Env {
			if _, err := recipe.Render("env."+name, text, d); err != nil {
				return fmt.Errorf("profile %s: env.%s: %w", p.Cluster.Name, name, err)
			}
		}
	}
	return nil
}

// Rehearsal is template data of a role's first rank for what only needs to be rendered: what the plan does not know is
// made up.
func (p Plan) Rehearsal(pl roles.Placement) recipe.Data {
	d := p.Data(pl.Role)
	d.Ranks, d.Node, d.Host, d.RunID, d.AuthKey, d.Address = pl.Ranks, "node", nowhere, "run", "key", nowhere+":1"
	d.Dirs = recipe.Dirs{
		Attempt: "/attempt", Logs: "/attempt/logs", Test: "/attempt/output/test", Output: "/attempt/output",
		Work: "/work",
	}
	d.Peers = map[string]string{}
	address, ready := p.Needed(pl.Role)
	for _, r := range slices.Concat(address, ready) {
		if !p.Spec(pl.Role).Needs.Early {
			d.Peers[r.String()] = nowhere + ":1"
		}
	}
	return d
}
