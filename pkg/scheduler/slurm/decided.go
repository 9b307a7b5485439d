package slurm

import (
	"context"
	"fmt"
	"strings"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
)

// Options that follow from the plan. Given a second time they would win over it: several jobs would write one run
// directory, a job could not be found by its name, or a role would not have its ranks or its log.
var (
	decidedOfJob = []string{
		"--job-name", "-J", "--nodes", "-N", "--time", "-t", "--output", "-o", "--error", "-e", "--open-mode",
		"--array", "-a", "--wrap", "--wait", "-W", "--test-only",
	}
	decidedOfStep = []string{
		"--job-name", "-J", "--nodes", "-N", "--ntasks", "-n", "--ntasks-per-node", "--relative", "-r", "--output",
		"-o", "--error", "-e", "--input", "-i", "--jobid", "--multi-prog", "--pty", "--test-only",
	}
)

// checkArgs refuses options of a profile that are not its to choose.
func checkArgs(p plan.Plan) error {
	for _, list := range []struct {
		key           string
		args, decided []string
	}{
		{"sbatch_args", p.Cluster.SbatchArgs, decidedOfJob}, {"srun_args", p.Cluster.SrunArgs, decidedOfStep},
	} {
		for _, arg := range list.args {
			if isAny(arg, list.decided) {
				return fmt.Errorf("profile %s: %s: %q would win over the plan, which decides name, nodes, ranks, "+
					"time and output: remove it", p.Cluster.Name, list.key, arg)
			}
		}
	}
	return nil
}

// examineArgs asks what a batch script would be refused for.
func (Slurm) examineArgs(_ context.Context, p plan.Plan) []doctor.Finding {
	if err := checkArgs(p); err != nil {
		return []doctor.Finding{doctor.Bad("options", "", "%v", err)}
	}
	return nil
}

// isAny tells whether an argument is one of some options. A long one may be cut short, to a short one its value may be
// glued.
func isAny(arg string, options []string) bool {
	name, _, _ := strings.Cut(arg, "=")
	name, _, _ = strings.Cut(name, " ")
	for _, o := range options {
		long := strings.HasPrefix(o, "--")
		if long && len(name) > 2 && strings.HasPrefix(o, name) || !long && strings.HasPrefix(arg, o) {
			return true
		}
	}
	return false
}
