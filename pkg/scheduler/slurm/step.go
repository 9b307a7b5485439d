package slurm

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
)

// StepArgs are all arguments of srun that start a role of a job: its nodes and ranks, and what every step shares.
// Agents tell each other what failed; Slurm must not end healthy ranks before they could: no --kill-on-bad-exit, no
// --wait.
func StepArgs(p plan.Plan, pl roles.Placement, jobID string) []string {
	args := []string{
		"--job-name=" + pl.Role.String(), "--input=none", "--kill-on-bad-exit=0", "--wait=0", "--overlap",
		"--relative=" + strconv.Itoa(pl.FirstNode), "--nodes=" + strconv.Itoa(pl.Nodes),
		"--ntasks=" + strconv.Itoa(pl.Ranks),
		"--ntasks-per-node=" + strconv.Itoa(pl.RanksPerNode),
	}
	if !pl.Even() {
		// Fill each node before the next; Slurm would spread them evenly.
		args = append(args, "--distribution=plane="+strconv.Itoa(pl.RanksPerNode))
	}
	mpi := "none" // explicitly: the cluster's default may be one that kills processes that do not join
	if p.Cluster.MPI != "" && p.Spec(pl.Role).MPI {
		mpi = p.Cluster.MPI
	}
	return append(append(args, "--mpi="+mpi), commonArgs(p, jobID)...)
}

// commonArgs are the arguments that every step of a job shares. Two jobs of one user on one node must not share a
// container.
func commonArgs(p plan.Plan, jobID string) []string {
	args, own := []string{"--mem=0", "--export=ALL"}, p.Cluster.SrunArgs
	if c := p.Cluster.Container; c != nil && c.Exec() == nil {
		args = append(args, "--container-image="+c.Image, "--no-container-mount-home")
		if c.Name != "" {
			args = append(args, "--container-name="+c.Name+"-"+jobID)
		}
		if len(c.Mounts) > 0 {
			args = append(args, "--container-mounts="+strings.Join(c.Mounts, ","))
		}
		if c.Dir != "" {
			args = append(args, "--container-workdir="+c.Dir)
		}
		var exported []string
		exported, own = exports(own)
		args = append(args, "--container-env="+strings.Join(exported, ","))
	}
	return append(args, own...)
}

// exports are the variables whose values win over the image's own: disagg's, and those that a profile names among its
// arguments of srun, which are returned without them. Of several lists only the last would reach pyxis.
func exports(args []string) (names, others []string) {
	const option = "--container-env"
	names = []string{
		protocol.EnvPlan, protocol.EnvRole, protocol.EnvAttempt, protocol.EnvBatchStart, protocol.EnvInstalled,
		protocol.EnvBatch, protocol.EnvWrap,
	}
	for i := 0; i < len(args); i++ {
		list, found := strings.CutPrefix(args[i], option+"=")
		if args[i] == option && i+1 < len(args) {
			i++
			list, found = args[i], true
		}
		if found {
			names = append(names, strings.Split(list, ",")...)
		} else {
			others = append(others, args[i])
		}
	}
	return names, others
}

// Steps implements scheduler.Starter: one srun starts all ranks of a role.
func (s Slurm) Steps(p plan.Plan, r roles.Role, env []string) ([]*exec.Cmd, error) {
	pl, ok := p.Layout.Find(r)
	if !ok {
		return nil, fmt.Errorf("cannot start %s: the case has no such role", r)
	}
	id, _, err := s.Job()
	if err != nil {
		return nil, err
	}
	command := append(p.Cluster.Container.Exec(), p.Agent)
	return []*exec.Cmd{s.srun(p, append(StepArgs(p, pl, id), command...), env)}, nil
}

func (s Slurm) srun(p plan.Plan, args, env []string) *exec.Cmd {
	cmd := exec.Command("srun", args...)
	cmd.Env = append(jobEnv(s.environ(), p), env...)
	return cmd
}

// Install implements scheduler.Starter. A container that the steps share by its name is made by a step of its own, even
// if there is nothing to install: all steps begin at once, and pyxis would have each of them make it.
func (s Slurm) Install(p plan.Plan, env []string) *exec.Cmd {
	if p.Cluster.Install == "" && !p.Cluster.Container.Shared() {
		return nil
	}
	args := []string{
		"--job-name=install", "--input=none", "--kill-on-bad-exit=1", "--overlap",
		"--nodes=" + strconv.Itoa(p.Layout.TotalNodes),
		"--ntasks-per-node=1", "--mpi=none",
	}
	id, _, _ := s.Job() // without one no step begins
	command := append(p.Cluster.Container.Exec(), p.Agent, "install")
	return s.srun(p, slices.Concat(args, commonArgs(p, id), command), env)
}

// Job implements scheduler.Starter.
func (s Slurm) Job() (id string, attempt int, err error) {
	getenv := lookup(s.environ())
	if id = getenv("SLURM_JOB_ID"); id == "" {
		return "", 0, errors.New("cannot tell which job this is: SLURM_JOB_ID is not set")
	}
	if text := getenv("SLURM_RESTART_COUNT"); text != "" {
		if attempt, err = strconv.Atoi(text); err != nil || attempt < 0 {
			return "", 0, fmt.Errorf("cannot tell which attempt this is: SLURM_RESTART_COUNT is %q: want a number",
				text)
		}
	}
	return id, attempt, nil
}

// JobEnds implements scheduler.Starter: it asks for the limit that is in force, wherever that came from.
func (s Slurm) JobEnds(ctx context.Context) time.Time {
	id, _, err := s.Job()
	if err != nil {
		return time.Time{}
	}
	out, err := s.run(ctx, "", "scontrol", "show", "job", id)
	if err != nil {
		return time.Time{}
	}
	return endTime(jobFields(out))
}

// LeaveNote implements scheduler.Starter: the job's comment can be read as long as Slurm knows the job.
func (s Slurm) LeaveNote(ctx context.Context, text string) error {
	id, _, err := s.Job()
	if err != nil {
		return err
	}
	_, err = s.run(ctx, "", "scontrol", "update", "JobId="+id, "Comment="+text)
	return err
}

// lookup is os.Getenv over a list.
func lookup(env []string) func(string) string {
	return func(name string) string {
		for i := len(env) - 1; i >= 0; i-- {
			if v, ok := strings.CutPrefix(env[i], name+"="); ok {
				return v
			}
		}
		return ""
	}
}

var _ scheduler.Starter = Slurm{}
