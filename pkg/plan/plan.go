package plan

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// Plan is everything a job needs, resolved before it is submitted.
type Plan struct {
	Schema    int       `json:"schema"` // 1
	ID        string    `json:"id"`     // of the run, unique
	CreatedAt time.Time `json:"created_at"`
	Tool      string    `json:"tool"`     // version of the tool that made the plan
	RunDir    string    `json:"run_dir"`  // absolute
	Launcher  string    `json:"launcher"` // name of the scheduler
	// OneMachine says that one machine plays all nodes.
	OneMachine bool `json:"one_machine,omitempty"`
	// Agent is the path of disagg-agent on the nodes; disagg-submit lies beside it.
	Agent    string            `json:"agent,omitempty"`
	Case     roles.Case        `json:"case"`
	Checkout string            `json:"checkout,omitempty"`
	Values   map[string]string `json:"values,omitempty"`
	Cluster  profile.Profile   `json:"cluster"`
	Recipe   recipe.Recipe     `json:"recipe"`
	Layout   roles.Layout      `json:"layout"`
	Timeouts roles.Timeouts    `json:"timeouts"`
	Policy   Policy            `json:"policy"`
	Upload   Upload            `json:"upload"`
	Gate     Gate              `json:"gate"`
	// Series is what the job goes on with once this run has passed; nil: with nothing.
	Series *Series `json:"series,omitempty"`
	// Followed says that the job has more to run once this run of a series has passed.
	Followed bool `json:"followed,omitempty"`
	// Provenance is what is known beforehand of where the results come from.
	Provenance protocol.Provenance `json:"provenance"`
}

// Series is further runs of the same job, one after the other. Each has a run directory of its own, with its plan.
type Series struct {
	Runs  []string       `json:"runs"`  // run directories, absolute, in their order
	Nodes int            `json:"nodes"` // that the job needs for the largest of all runs
	Time  roles.Duration `json:"time"`  // limit of the job
}

// JobNodes is how many nodes the job needs.
func (p Plan) JobNodes() int {
	if p.Series != nil {
		return p.Series.Nodes
	}
	return p.Layout.TotalNodes
}

// JobTime is the limit of the job.
func (p Plan) JobTime() time.Duration {
	if p.Series != nil {
		return p.Series.Time.Std()
	}
	return p.Timeouts.Job.Std()
}

// Gate is whether and how the results are compared with those of earlier runs.
type Gate struct {
	Mode     GateMode `json:"mode"`
	Detector string   `json:"detector"` // its name
	// Confirm says that the case is measured a second time, on the same servers, if the first measurement is suspicious
	// and there is time.
	Confirm bool `json:"confirm,omitempty"`
	// History are conditions KEY=VALUE on the earlier runs that are compared with; none: every run of the series.
	History []string `json:"history,omitempty"`
	// Pinned are such conditions on the runs that a slow drift is measured against; none: there is no such guard.
	Pinned []string `json:"pinned,omitempty"`
}

// The detectors.
const (
	DetectorInterval = "interval"     // outside of what earlier runs span; package regression
	DetectorUpstream = "upstream-p95" // exactly as upstream's test judges
)

// Detectors lists the name of every detector.
func Detectors() []string { return []string{DetectorInterval, DetectorUpstream} }

// GateMode is what follows from a comparison with earlier runs.
type GateMode string

// The modes.
const (
	GateOff    GateMode = "off"    // there is none
	GateReport GateMode = "report" // it is shown, and has no consequence
	GateFail   GateMode = "fail"   // a regression fails the run
	GateStrict GateMode = "strict" // what cannot be told fails the run too
)

// GateModes lists every mode.
func GateModes() []GateMode { return []GateMode{GateOff, GateReport, GateFail, GateStrict} }

// Policy tells how a batch job and an engineer's session differ.
type Policy struct {
	// Interactive says that people start roles one by one, when they like: roles that need no other start before the
	// hub is there, and nothing waits for agents to arrive.
	Interactive bool `json:"interactive"`
	// Measurements is how often the case is measured, on the same servers; 0: once.
	Measurements int `json:"measurements,omitempty"`
	// Keep is whether servers stay when the benchmark is over, for another one; "": they are stopped.
	Keep Keep `json:"keep,omitempty"`
	// KeepFor is how long a job keeps them while nothing is measured; 0: until somebody ends it.
	KeepFor roles.Duration `json:"keep_for,omitempty"`
}

// Keep is when servers stay after a measurement.
type Keep string

// When servers stay.
const (
	KeepPassed Keep = "passed" // if it passed: nobody is there who could mend what failed
	KeepAlways Keep = "always" // a role that failed is started again by hand
)

// Keeps lists every kind of keeping.
func Keeps() []Keep { return []Keep{KeepPassed, KeepAlways} }

// Upload is where records go after the verdict.
type Upload struct {
	Sinks []Sink `json:"sinks"`
	// Required says that a passed test whose records are not in every sink does not end with 0.
	Required bool `json:"required,omitempty"`
}

// Sink is a place that keeps records.
type Sink struct {
	URL string `json:"url"`
	// Local says that it is a file of the submitting side, which sends the records: a node or a container may have
	// another one under the same name.
	Local bool `json:"local,omitempty"`
}

// JobSinks are the URLs of the sinks that the job itself sends to: all of a run that was started by hand, which has no
// submitting side.
func (p Plan) JobSinks() (urls []string) {
	for _, s := range p.Upload.Sinks {
		if !s.Local || p.Policy.Interactive {
			urls = append(urls, s.URL)
		}
	}
	return urls
}

// Spec is how a role of the plan is run.
func (p Plan) Spec(r roles.Role) recipe.RoleSpec { return p.Recipe.Roles[r.Kind] }

// ResultFormat is the format that the benchmark leaves its measurements in. The recipe names it, maybe by a value.
func (p Plan) ResultFormat() (results.Format, error) {
	hub := roles.Hub().Role
	spec := p.Spec(hub).Results
	if spec == nil {
		return results.Format{}, errors.New("there are no results")
	}
	name, err := recipe.Render("format", spec.Parser(p.Case.Load.Client), p.Data(hub))
	if err != nil {
		return results.Format{}, err
	}
	return results.FormatNamed(name)
}

// RunID names an attempt of the plan.
func (p Plan) RunID(attempt int) string { return fmt.Sprintf("%s-%d", p.ID, attempt) }

// AttemptOf is the attempt that a name is of; false if it is none of this plan's.
func (p Plan) AttemptOf(runID string) (n int, ok bool) {
	text, ok := strings.CutPrefix(runID, p.ID+"-")
	n, err := strconv.Atoi(text)
	return n, ok && err == nil && n >= 0 && p.RunID(n) == runID
}

// shortID is how much of a plan's id people see: enough to be unique in a queue.
const shortID = 6

// ShortID is the beginning of a plan's id, by which people name the run: it is part of the names of the run's folder
// and job.
func ShortID(id string) string {
	id = strings.ReplaceAll(id, "-", "")
	return id[:min(len(id), shortID)]
}

// JobName is the job's own name in the queue. What tells runs apart comes first: most lists of jobs show eight
// characters.
func (p Plan) JobName() string {
	return "d" + ShortID(p.ID) + "-" + Plain(p.Case.Name)
}

// Plain replaces what not every tool can show or take as part of a name.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_.", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
}

// Needed lists the roles that a role needs: those whose addresses it needs, and those that must be ready.
func (p Plan) Needed(r roles.Role) (address, ready []roles.Role) {
	n := p.Spec(r).Needs
	return p.ofKinds(n.Address), p.ofKinds(n.Ready)
}

func (p Plan) ofKinds(kinds []roles.Kind) (list []roles.Role) {
	for _, k := range kinds {
		for _, pl := range p.Layout.OfKind(k) {
			list = append(list, pl.Role)
		}
	}
	return list
}

// Peers lists the roles whose services a role's leader must be able to reach while the benchmark runs.
func (p Plan) Peers(r roles.Role) (peers []roles.Role) {
	for _, other := range p.ofKinds(p.Spec(r).Peers) {
		if other != r {
			peers = append(peers, other)
		}
	}
	return peers
}

// Data is the part of a role's template data that the plan knows.
func (p Plan) Data(r roles.Role) recipe.Data {
	return recipe.Data{
		Case: p.Case, Values: p.Values, Checkout: p.Checkout, RunDir: p.RunDir, Cluster: p.Cluster, Role: r,
		ModelPath: p.Case.Model,
	}
}

// ModelFolders are where the model may be, the better ones first; none without a models root.
func (p Plan) ModelFolders() (dirs []string) {
	for _, name := range p.Case.ModelDirs {
		if p.Cluster.ModelsRoot != "" {
			dirs = append(dirs, filepath.Join(p.Cluster.ModelsRoot, name))
		}
	}
	return dirs
}

// SamplesGPUs tells whether the agent of a task samples the GPUs of its node: it is the first there that uses some.
func (p Plan) SamplesGPUs(t roles.Task) bool {
	own, ok := p.Layout.Find(t.Role)
	if p.Cluster.SampleGPUs == 0 || !ok || !own.FirstOnNode(t.Rank) || p.OneMachine && !t.Leader() {
		return false
	}
	node := own.NodeOf(t.Rank)
	for _, pl := range p.Layout.Placements {
		there := p.OneMachine || pl.FirstNode <= node && node < pl.FirstNode+pl.Nodes
		if pl.GPUs > 0 && there {
			return pl.Role == t.Role
		}
	}
	return false
}

// GPUsBeside is how many GPUs are planned on the node of a task, for all roles that are there. Where one machine plays
// all nodes it is all of them.
func (p Plan) GPUsBeside(t roles.Task) int {
	own, ok := p.Layout.Find(t.Role)
	if !ok {
		return 0
	}
	gpus := 0
	for _, pl := range p.Layout.Placements {
		for node := pl.FirstNode; node < pl.FirstNode+pl.Nodes; node++ {
			if node == own.NodeOf(t.Rank) || p.OneMachine {
				gpus += max(0, min(p.Layout.GPUsPerNode, pl.GPUs-(node-pl.FirstNode)*p.Layout.GPUsPerNode))
			}
		}
	}
	return gpus
}
