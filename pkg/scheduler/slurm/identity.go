package slurm

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
)

// jobEndVar tells when the job's time is over, in seconds since the epoch. Slurm sets it since 23.02.
const jobEndVar = "SLURM_JOB_END_TIME"

// TaskVars implements scheduler.Identifier.
func (Slurm) TaskVars() (patterns, kept []string) {
	return []string{"SLURM*"}, []string{"SLURM_PROCID"}
}

// Identify reads a task's environment. It fails outside a step, and in one that has not the shape that the plan gives
// the role.
func (Slurm) Identify(getenv func(string) string, pl roles.Placement) (scheduler.Identity, error) {
	var id scheduler.Identity
	if getenv("SLURM_PROCID") == "" || getenv("SLURM_STEP_ID") == "" {
		return id, errors.New("not in a Slurm step: to start a role by hand, pass --config CASE in an allocation's " +
			"shell")
	}
	id.JobVar = "SLURM_JOB_ID"
	if id.JobID = getenv(id.JobVar); id.JobID == "" {
		return id, errors.New("cannot read the step's environment: SLURM_PROCID is set but SLURM_JOB_ID is not")
	}
	var errs []error
	number := func(name, fallback string) int {
		text := getenv(name)
		if text == "" {
			text = fallback
		}
		v, err := strconv.Atoi(text)
		if err != nil || v < 0 {
			errs = append(errs, fmt.Errorf("cannot read the step's environment: %s is %q: want a number", name, text))
		}
		return v
	}
	id.Step = id.JobID + "." + getenv("SLURM_STEP_ID")
	id.Rank = number("SLURM_PROCID", "")
	ranks := number("SLURM_STEP_NUM_TASKS", getenv("SLURM_NTASKS"))
	id.Attempt = number("SLURM_RESTART_COUNT", "0")
	if end := number(jobEndVar, "0"); end > 0 {
		id.Ends = time.Unix(int64(end), 0)
	}
	if err := errors.Join(errs...); err != nil {
		return id, err
	}
	if ranks != pl.Ranks {
		return id, fmt.Errorf("the step has %d ranks but the plan gives %s %d: check srun's --ntasks", ranks, pl.Role,
			pl.Ranks)
	}
	id.Memory = stepMemory(getenv)
	return id, nil
}

// stepMemory is the bound of a step's memory on this node in bytes, as the environment tells it; 0 if it does not.
func stepMemory(getenv func(string) string) int64 {
	mib, err := strconv.ParseInt(getenv("SLURM_MEM_PER_NODE"), 10, 64)
	if err != nil || mib < 0 {
		return 0
	}
	return mib << 20
}
