package slurm

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"github.com/disagg/disagg/pkg/roles"
)

//go:embed job.sbatch.tmpl
var scriptTemplate string

// Quote quotes a text for bash.
func Quote(s string) (string, error) {
	q, err := syntax.Quote(s, syntax.LangBash)
	if err != nil {
		return "", fmt.Errorf("cannot quote %q for a shell: %w", s, err)
	}
	return q, nil
}

func quoteAll(list []string) (string, error) {
	quoted := make([]string, len(list))
	for i, s := range list {
		var err error
		if quoted[i], err = Quote(s); err != nil {
			return "", err
		}
	}
	return strings.Join(quoted, " "), nil
}

// Script renders the batch script of a plan. The agent is the path of disagg-agent as the nodes see it.
func Script(p roles.Plan, prof Profile, agent string) (string, error) {
	t, err := template.New("job.sbatch").Funcs(template.FuncMap{"q": Quote}).Parse(scriptTemplate)
	if err != nil {
		return "", fmt.Errorf("cannot render batch script: %w", err)
	}
	common, err := quoteAll(prof.stepArgs())
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{
		"Bash": prof.Bash, "Options": prof.batchOptions(p), "RunDir": string(p.RunDir), "Agent": agent,
		"About":    fmt.Sprintf("%s on %d nodes, recipe %s, run %s", p.Case.TestID, p.Layout.TotalNodes, p.Recipe.Name, p.ID),
		"SrunArgs": common, "Install": prof.Install != "", "Steps": scriptSteps(p),
	})
	if err != nil {
		return "", fmt.Errorf("cannot render batch script: %w", err)
	}
	return b.String(), nil
}

// batchOptions are the #SBATCH lines.
func (prof Profile) batchOptions(p roles.Plan) []string {
	l := p.Layout
	opts := []string{
		"--job-name=disagg-" + jobName(p.Case.Name),
		"--nodes=" + strconv.Itoa(l.TotalNodes),
		"--output=" + outputPattern(string(p.RunDir), "slurm"),
		"--open-mode=append", // a requeued job goes on in the same file
		"--time=" + clock(time.Duration(p.Timeouts.Job)),
	}
	if warn := warning(p.Timeouts); warn > 0 {
		opts = append(opts, fmt.Sprintf("--signal=USR1@%d", warn))
	}
	if prof.Exclusive == nil || *prof.Exclusive {
		opts = append(opts, "--exclusive")
	}
	switch prof.GPUs {
	case "gpus-per-node":
		opts = append(opts, "--gpus-per-node="+strconv.Itoa(l.GPUsPerNode))
	case "gres":
		opts = append(opts, "--gres=gpu:"+strconv.Itoa(l.GPUsPerNode))
	}
	if prof.Segment {
		opts = append(opts, "--segment="+strconv.Itoa(l.TotalNodes))
	}
	if prof.Partition != "" {
		opts = append(opts, "--partition="+prof.Partition)
	}
	if prof.Account != "" {
		opts = append(opts, "--account="+prof.Account)
	}
	return append(opts, prof.SbatchArgs...)
}

// warning is how many seconds before the end of its time a job wants to be warned, so that it can finish in order; 0 if
// it is too short for that. Slurm may warn up to a minute earlier.
func warning(t roles.Timeouts) int {
	need := time.Duration(t.Stop+t.Settle+t.Upload) + 10*time.Second
	if time.Duration(t.Job) < need+5*time.Minute {
		return 0
	}
	return int(need / time.Second)
}

// outputPattern writes a path as sbatch reads it from a directive: in double quotes, with Slurm's own patterns off but
// for the job id.
func outputPattern(dir, base string) string {
	path := strings.ReplaceAll(filepath.Join(dir, base), "%", "%%")
	return `"` + strings.ReplaceAll(path, `"`, `\"`) + `-%j.out"`
}

// jobName keeps what every tool around Slurm can show.
func jobName(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_.", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
}

// clock is Slurm's form of a time limit, rounded up to a second.
func clock(d time.Duration) string {
	s := int((d + time.Second - 1) / time.Second)
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// stepArgs are the srun arguments that every step shares.
func (prof Profile) stepArgs() []string {
	args := []string{"--mem=0", "--export=ALL"}
	if c := prof.Container; c != nil {
		args = append(args, "--container-image="+c.Image, "--no-container-mount-home")
		if c.Name != "" {
			args = append(args, "--container-name="+c.Name)
		}
		if len(c.Mounts) > 0 {
			args = append(args, "--container-mounts="+strings.Join(c.Mounts, ","))
		}
		if c.Dir != "" {
			args = append(args, "--container-workdir="+c.Dir)
		}
		// The image's own values would win otherwise.
		args = append(args, "--container-env=DISAGG_PLAN,DISAGG_SERVING_TYPE,DISAGG_BATCH_START,DISAGG_BATCH_PID")
	}
	return append(args, prof.SrunArgs...)
}

// workerLoop starts every server of a kind.
const workerLoop = `for ((i = 0; i < %d; i++)); do
  step "%s_$i" "%s_server_$i" --relative=%s %s &
done`

// scriptSteps are the lines that start the roles: one loop for all servers of a kind, since they only differ in where
// they begin, so that the script stays short however many there are.
func scriptSteps(p roles.Plan) []string {
	one := func(k roles.Kind) string {
		pl := p.Layout.OfKind(k)[0]
		return fmt.Sprintf("step %s %s --relative=%d %s &", k, pl.Role.LogName(), pl.FirstNode, strings.Join(placementArgs(p, pl), " "))
	}
	lines := []string{one(roles.Benchmark), "benchmark=$!"} // the first: all others look for it
	for _, k := range []roles.Kind{roles.Gen, roles.Ctx} {
		if ps := p.Layout.OfKind(k); len(ps) > 0 {
			first := fmt.Sprintf("$((%d + i * %d))", ps[0].FirstNode, ps[0].Nodes)
			lines = append(lines, fmt.Sprintf(workerLoop, len(ps), k, strings.ToLower(string(k)), first, strings.Join(placementArgs(p, ps[0]), " ")))
		}
	}
	return append(lines, one(roles.Coordinator))
}

// placementArgs are the srun arguments that give a role its nodes and ranks, but for the first node.
func placementArgs(p roles.Plan, pl roles.Placement) []string {
	args := []string{
		"--nodes=" + strconv.Itoa(pl.Nodes), "--ntasks=" + strconv.Itoa(pl.Ranks),
		"--ntasks-per-node=" + strconv.Itoa(pl.RanksPerNode),
	}
	if !pl.Even() {
		// Fill each node before the next; Slurm would spread them evenly.
		args = append(args, "--distribution=plane="+strconv.Itoa(pl.RanksPerNode))
	}
	mpi := "none" // explicitly: the cluster's default may be one that kills processes that do not join
	if p.Cluster.MPI != "" && p.Steps(pl.Role).MPI {
		mpi = p.Cluster.MPI
	}
	return append(args, "--mpi="+mpi)
}

// StepArgs are all srun arguments of one role, for starting it by hand inside an allocation.
func StepArgs(p roles.Plan, prof Profile, r roles.Role) ([]string, error) {
	pl, ok := p.Layout.Find(r)
	if !ok {
		return nil, fmt.Errorf("cannot start %s: the case has no such role", r)
	}
	args := []string{
		"--job-name=" + r.String(), "--input=none", "--kill-on-bad-exit=0", "--wait=0", "--overlap",
		"--relative=" + strconv.Itoa(pl.FirstNode),
	}
	return append(append(args, placementArgs(p, pl)...), prof.stepArgs()...), nil
}
