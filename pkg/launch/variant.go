package launch

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// Variant is the kept run with settings that no server depends on, as a run of its own in a run directory. Settings
// that need other servers are refused. Its results are compared with no earlier ones: those were the first of their
// servers.
func (b Bench) Variant(settings []roles.Setting, runDir, version string) (Job, error) {
	s, err := SchedulerNamed(b.Plan.Launcher)
	if err != nil {
		return Job{}, err
	}
	c, kept, err := b.caseWith(settings)
	if err != nil {
		return Job{}, err
	}
	if runDir, err = (Request{RunDir: runDir}).runDir("", ""); err != nil {
		return Job{}, err
	}
	p := b.Plan
	c.File = filepath.Join(runDir, "case", c.Name+".yaml")
	in := plan.Input{
		ID: uuid.NewString(), CreatedAt: time.Now().UTC(), Tool: version, RunDir: runDir, Launcher: p.Launcher,
		OneMachine: p.OneMachine, Agent: p.Agent, Case: c, Checkout: p.Checkout, Recipe: p.Recipe, Profile: p.Cluster,
		Values: p.Values, Timeouts: p.Timeouts, Policy: p.Policy, Upload: p.Upload,
		Gate: plan.Gate{Mode: plan.GateOff},
	}
	q, err := plan.Build(in)
	if err != nil {
		return Job{}, err
	}
	if err := onSameServers(p, q, settings); err != nil {
		return Job{}, err
	}
	q.Provenance = p.Provenance
	q.Provenance.RunDir, q.Provenance.Tool = q.RunDir, version
	q.Provenance.CaseHash, q.Provenance.PlanHash = c.Origin.SHA256, planHash(q)
	q.Case.Document = document(q)
	hideSecrets(&q.Case)
	return Job{Plan: q, Kept: kept, Scheduler: s}, nil
}

// caseWith reads the kept run's copy of its case, with settings.
func (b Bench) caseWith(settings []roles.Setting) (roles.Case, []byte, error) {
	p := b.Plan
	for _, s := range settings {
		if _, ofRecipe := p.Values[s.Key]; ofRecipe {
			return roles.Case{}, nil, otherServers(s.Key, "a value of the recipe")
		}
	}
	r := Request{}
	test, err := r.testOf(p.Recipe, p.Checkout)
	if err != nil {
		return roles.Case{}, nil, err
	}
	file := rundir.Dir(p.RunDir).Case(p.Case.Name)
	c, kept, err := loadSettled(p.Recipe, settings, perfsanity.Source{
		Name: p.Case.TestID, Mode: p.Case.Mode, Folder: filepath.Dir(file), Checkout: p.Checkout,
		ModelsRoot: p.Cluster.ModelsRoot, Models: p.Cluster.Models, Test: test, Read: rundir.ReadRegular,
	})
	before := slices.DeleteFunc(slices.Clone(p.Case.Settings), func(old roles.Setting) bool {
		return slices.ContainsFunc(c.Settings, func(s roles.Setting) bool { return s.Key == old.Key })
	})
	c.Settings = append(before, c.Settings...)
	return c, kept, err
}

// onSameServers tells why a plan needs other servers than those of another, nil if it does not.
func onSameServers(servers, p plan.Plan, settings []roles.Setting) error {
	p.RunDir, p.Case.File = servers.RunDir, servers.Case.File
	for _, d := range Shown(plan.Differ(servers, p)) {
		if !plan.OfMeasurement(d.Path) {
			return otherServers(roles.Label(settings), d.String())
		}
	}
	return nil
}

func otherServers(what, why string) error {
	return fmt.Errorf("cannot measure %s on these servers, which were started with another value (%s): "+
		"disagg-submit run CASE --vary starts others for each value", what, why)
}
