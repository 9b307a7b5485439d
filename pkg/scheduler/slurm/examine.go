package slurm

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/scheduler"
)

var _ scheduler.Examiner = Slurm{}

// How long one question may take: somebody waits for a job to be submitted, or for a diagnosis.
const (
	quickBound    = 2 * time.Second
	thoroughBound = 10 * time.Second
)

// question asks Slurm something about a plan's job.
type question func(context.Context, plan.Plan) []doctor.Finding

// Examine implements scheduler.Examiner. A quick look leaves out what sbatch itself tells when it takes the job.
func (s Slurm) Examine(ctx context.Context, p plan.Plan, quick bool) []doctor.Finding {
	if quick {
		s.Bound = cmp.Or(s.Bound, quickBound)
		return all(ctx, p, []question{s.examinePartition, s.examineMPI, s.examineContainer})
	}
	s.Bound = cmp.Or(s.Bound, thoroughBound)
	answers, ok := s.examineCluster(ctx, p)
	if !ok {
		return answers // the others would say the same
	}
	return append(answers, all(ctx, p, []question{
		s.examineArgs, s.examinePartition, s.examineArch, s.examineMPI, s.examineContainer, s.wouldTake,
	})...)
}

// all asks questions at the same time.
func all(ctx context.Context, p plan.Plan, questions []question) []doctor.Finding {
	answers := make([][]doctor.Finding, len(questions))
	var wg sync.WaitGroup
	for i, ask := range questions {
		wg.Go(func() { answers[i] = ask(ctx, p) })
	}
	wg.Wait()
	return slices.Concat(answers...)
}

// unanswered is what is in doubt because a command failed.
func unanswered(check string, err error) []doctor.Finding {
	return []doctor.Finding{doctor.Doubt(check, "", "cannot ask Slurm for %s: %v", check, err)}
}

// examineCluster asks how Slurm is configured; ok tells whether it answers at all.
func (s Slurm) examineCluster(ctx context.Context, p plan.Plan) (list []doctor.Finding, ok bool) {
	const check = "slurm"
	out, err := s.run(ctx, "", "scontrol", "show", "config")
	if err != nil {
		return []doctor.Finding{doctor.Bad(check, "run this where jobs are submitted, or choose --launcher local",
			"Slurm does not answer: %v", err)}, false
	}
	var v Survey
	v.config(out)
	accounting := "no accounting"
	if v.Accounting {
		accounting = "with accounting"
	}
	list = append(list, doctor.Good(check, "Slurm %s of cluster %s, %s", v.Version, v.Cluster, accounting))
	if own := p.Cluster.KillWait.Std(); v.KillWait > 0 && own > v.KillWait {
		return append(list, doctor.Bad("kill_wait", "correct kill_wait in the profile, or leave it out",
			"the profile gives jobs %v to stop, and Slurm's KillWait is %v: they would be killed before", own,
			v.KillWait)), true
	}
	return append(list, doctor.Good("kill_wait", "KillWait %v", v.KillWait)), true
}

// examineMPI asks whether srun has the plugin by which ranks join.
func (s Slurm) examineMPI(ctx context.Context, p plan.Plan) []doctor.Finding {
	const check = "mpi"
	want := p.Cluster.MPI
	if want == "" {
		return nil
	}
	out, said, err := s.runBoth(ctx, "", "srun", "--mpi=list")
	if err != nil {
		return unanswered(check, err)
	}
	// Some versions list them on the standard error.
	list := mpiPlugins(out + "\n" + said)
	switch {
	case len(list) == 0:
		return []doctor.Finding{doctor.Doubt(check, "", "srun lists no plugins for MPI (srun --mpi=list)")}
	case !slices.Contains(list, want):
		return []doctor.Finding{doctor.Bad(check,
			"correct mpi in the profile (none: engines join their ranks themselves)",
			"srun has no plugin %s for MPI: it has %s", want, strings.Join(list, ", "))}
	}
	return []doctor.Finding{doctor.Good(check, "srun --mpi=%s", want)}
}

// examineContainer asks whether srun has the plugin for containers, if it is needed.
func (s Slurm) examineContainer(ctx context.Context, p plan.Plan) []doctor.Finding {
	const check = "container"
	if c := p.Cluster.Container; c == nil || c.Exec() != nil {
		return nil
	}
	out, err := s.run(ctx, "", "srun", "--help")
	switch {
	case err != nil:
		return unanswered(check, err)
	case !strings.Contains(out, "--container-image"):
		return []doctor.Finding{doctor.Bad(check,
			"say kind: apptainer (container), or remove container from the profile",
			"srun has no option --container-image: pyxis is not installed here")}
	}
	return []doctor.Finding{doctor.Good(check, "pyxis is installed")}
}

// examineArch compares the nodes' architecture with that of the agent which the profile chooses.
func (s Slurm) examineArch(ctx context.Context, p plan.Plan) []doctor.Finding {
	const check = "arch"
	args := []string{"--noheader", "--format=%n"}
	if p.Cluster.Partition != "" {
		args = append(args, "--partition="+p.Cluster.Partition)
	}
	out, err := s.run(ctx, "", "sinfo", args...)
	node, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if err == nil && node != "" {
		out, err = s.run(ctx, "", "scontrol", "show", "node", node)
	}
	if err != nil {
		return unanswered(check, err)
	}
	m := archOf().FindStringSubmatch(out)
	if m == nil || goArch(m[1]) == "" {
		return nil
	}
	arch, want := goArch(m[1]), cmp.Or(p.Cluster.Arch, runtime.GOARCH)
	if arch == want {
		return []doctor.Finding{doctor.Good(check, "the nodes are %s", want)}
	}
	do := "say arch: " + arch + " in the profile, and install disagg-agent-" + arch + " beside disagg-submit"
	if arch == runtime.GOARCH {
		do = "leave arch out of the profile"
	}
	return []doctor.Finding{doctor.Bad(check, do, "node %s is %s, the agent is for %s", node, arch, want)}
}

// goArch is an architecture as Go names it, "" for one that there is no agent for.
func goArch(slurms string) string {
	return map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[slurms]
}
