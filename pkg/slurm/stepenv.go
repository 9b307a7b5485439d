package slurm

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/disagg/disagg/pkg/roles"
)

// JobEndVar tells when the job's time is over, in seconds since the epoch. Slurm sets it since 23.02.
const JobEndVar = "SLURM_JOB_END_TIME"

// Step is what a task's environment says of the step it is part of.
type Step struct {
	JobID   string
	StepID  string
	Rank    int
	Ranks   int
	Node    string
	Attempt int       // SLURM_RESTART_COUNT; 0 if absent
	Ends    time.Time // when the job's time is over (SLURM_JOB_END_TIME, since Slurm 23.02); zero if absent
}

// Name is how scancel names the step.
func (s Step) Name() string { return s.JobID + "." + s.StepID }

// StepFromEnv reads a task's environment; ok is false outside a step.
func StepFromEnv(getenv func(string) string) (s Step, ok bool, err error) {
	if getenv("SLURM_PROCID") == "" || getenv("SLURM_STEP_ID") == "" {
		return s, false, nil
	}
	s = Step{JobID: getenv("SLURM_JOB_ID"), StepID: getenv("SLURM_STEP_ID"), Node: getenv("SLURMD_NODENAME")}
	if s.JobID == "" {
		return s, true, errors.New("cannot read the step's environment: SLURM_PROCID is set but SLURM_JOB_ID is not")
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
	s.Rank = number("SLURM_PROCID", "")
	s.Ranks = number("SLURM_STEP_NUM_TASKS", getenv("SLURM_NTASKS"))
	s.Attempt = number("SLURM_RESTART_COUNT", "0")
	if end := number(JobEndVar, "0"); end > 0 {
		s.Ends = time.Unix(int64(end), 0)
	}
	return s, true, errors.Join(errs...)
}

// Matches tells whether the step has the shape that the plan gives a role.
func (s Step) Matches(pl roles.Placement) error {
	if s.Ranks != pl.Ranks {
		return fmt.Errorf("the step has %d ranks but the plan gives %s %d: check srun's --ntasks", s.Ranks, pl.Role, pl.Ranks)
	}
	return nil
}

// StepMemory is the bound of a step's memory on this node in bytes, as the environment tells it; 0 if it does not.
func StepMemory(getenv func(string) string) int64 {
	mib, err := strconv.ParseInt(getenv("SLURM_MEM_PER_NODE"), 10, 64)
	if err != nil || mib < 0 {
		return 0
	}
	return mib << 20
}
