package slurm

import (
	"path"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/plan"
)

// optionPrefixes begin the names of variables that Slurm's commands take for options: sbatch, srun, salloc, squeue,
// sacct, scancel and scontrol each have dozens, and every version has more.
var optionPrefixes = [...]string{
	"SLURM_", "SRUN_", "SBATCH_", "SALLOC_", "SQUEUE_", "SACCT_", "SCANCEL_", "SCONTROL_", "SINFO_",
}

// kept are variables with such a prefix that tell where a cluster or a job is, and are no options.
var kept = [...]string{"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT", "SACK_*", "SLURM_CONFIG_FETCH"}

// ofJob are variables that Slurm itself sets for a job, and that its steps need to find it.
var ofJob = [...]string{
	"SLURM_JOB_ID", "SLURM_JOBID", "SLURM_JOB_NODELIST", "SLURM_NODELIST", "SLURM_JOB_NUM_NODES", "SLURM_NNODES",
	"SLURM_JOB_NAME", "SLURM_JOB_PARTITION", "SLURM_JOB_ACCOUNT", "SLURM_JOB_QOS", "SLURM_JOB_RESERVATION",
	"SLURM_JOB_USER", "SLURM_JOB_UID",
	"SLURM_JOB_GID", "SLURM_JOB_GROUP", "SLURM_JOB_CPUS_PER_NODE", "SLURM_JOB_START_TIME", "SLURM_JOB_END_TIME",
	"SLURM_JOB_GPUS",
	"SLURM_JOB_LICENSES", "SLURM_JOB_SEGMENT_SIZE", "SLURM_RESTART_COUNT", "SLURM_CLUSTER_NAME",
	"SLURM_WORKING_CLUSTER",
	"SLURM_SUBMIT_DIR", "SLURM_SUBMIT_HOST", "SLURM_TASKS_PER_NODE", "SLURM_NODE_ALIASES", "SLURM_TOPOLOGY_ADDR",
	"SLURM_TOPOLOGY_ADDR_PATTERN",
}

// cleanEnv is an environment without what Slurm's commands would take for options: what the user's shell happens to
// hold must change neither what is asked nor what is submitted.
func cleanEnv(env []string) []string { return clean(env, kept[:]) }

// jobEnv is the environment of steps: that of the job, without what srun would take for an option.
func jobEnv(env []string, p plan.Plan) []string {
	keep := slices.Concat(kept[:], ofJob[:])
	if p.Cluster.GPUs == "gpus-per-node" { // Slurm sets it to what the job asks for, and steps take their GPUs from it
		keep = append(keep, "SLURM_GPUS_PER_NODE")
	}
	return clean(env, keep)
}

func clean(env []string, keep []string) []string {
	var out []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if !isOption(name) || matches(keep, name) {
			out = append(out, kv)
		}
	}
	return out
}

func isOption(name string) bool {
	return slices.ContainsFunc(optionPrefixes[:], func(p string) bool { return strings.HasPrefix(name, p) })
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, name); return ok })
}

// LeftOut lists the variables of an environment by which people choose how jobs are submitted, and which have no effect
// here: they are options of a profile, or of the command line.
func LeftOut(env []string) (names []string) {
	for _, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "SBATCH_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
