package golden

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/recipe"
)

// way is how a case is planned for a recipe.
type way struct {
	recipe   string
	mode     string // "": as the case says
	checkout string // below the project
}

const (
	standard = "trtllm-serve" // the recipe that a run has if nobody names another
	sim      = "examples/sim" // a checkout of which all that a recipe looks for is there
)

// ways lists one for each recipe that comes with the tool. Two of them are for tests of their own: one starts server
// and client in one process, the other does not know --report_addr.
func ways() (list []way) {
	for _, name := range recipe.Builtin() {
		w := way{recipe: name, checkout: sim}
		switch name {
		case "trtllm-aggregated":
			w.mode = "ctx_only"
		case "trtllm-pytest-ports":
			w.checkout = sim + "/versions/ports"
		}
		list = append(list, w)
	}
	return list
}

// profiles are the example profiles by which cases are planned. The first is that of the recipes' sections: it has
// models, and takes variables away.
var profiles = [...]string{"gb200-pyxis", "pmix", "no-gres", "apptainer"}

// Where a run of these tests would be, if there were one.
const (
	runDir  = "/shared/run"
	agentAt = "/shared/bin/disagg-agent"
	runID   = "0123456789"
)

// planner makes plans as disagg-submit does.
type planner struct {
	project string // its folder, absolute
	cache   launch.Cache
}

// newPlanner is for the project that this package is part of.
func newPlanner() (*planner, error) {
	project, err := filepath.Abs("../..")
	if err != nil {
		return nil, fmt.Errorf("cannot find the project: %w", err)
	}
	return &planner{project: project}, nil
}

// job plans a case. The profile is one of the examples, or the built-in one.
func (p *planner) job(ctx context.Context, file string, w way, profile string) (launch.Job, error) {
	r := p.request()
	r.Case, r.Mode, r.Recipe = file, w.mode, w.recipe
	r.Checkout = filepath.Join(p.project, w.checkout)
	if r.Profile = profile; profile != "default" {
		r.Profile = p.profile(profile)
	}
	job, err := r.Make(ctx)
	if err != nil {
		return job, err
	}
	job.Plan.ID, job.Plan.Agent = runID, agentAt
	return job, nil
}

// request is what all plans have in common.
func (p *planner) request() launch.Request {
	return launch.Request{
		RunDir: runDir, Upload: []string{"sqlite:///shared/results.db"}, Version: "golden", Cache: &p.cache,
	}
}

// profile is the file of an example profile.
func (p *planner) profile(name string) string {
	return filepath.Join(p.project, "examples/profiles", name+".yaml")
}

// stable replaces what differs from one machine to another, and shortens what is the same everywhere.
func (p *planner) stable(text string) string {
	return strings.NewReplacer(
		p.project+"/"+sim, "CHECKOUT", p.project, "PROJECT", runDir, "RUN", agentAt, "AGENT",
	).Replace(text)
}

// cases lists the configs of a folder by their files.
func cases(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot list cases: %w", err)
	}
	var files []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			files = append(files, filepath.Join(folder, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("cannot list cases: %s has no config", folder)
	}
	return files, nil
}

// nameOf is the base name of a config.
func nameOf(file string) string { return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) }
