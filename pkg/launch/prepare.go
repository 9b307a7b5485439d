package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/slurm"
)

// ErrOccupied says that a run directory holds a run already.
var ErrOccupied = errors.New("it holds a run already: name a new one with --run-dir")

// Prepare makes the run directory: the case's copy, the batch script and, last, the plan.
func (j *Job) Prepare() error {
	dir := j.Plan.RunDir
	if _, err := os.Stat(dir.Plan()); err == nil {
		return fmt.Errorf("cannot use run directory %s: %w", dir, ErrOccupied)
	}
	script, err := slurm.Script(j.Plan, j.Profile, j.Agent)
	if err != nil {
		return err
	}
	original, err := os.ReadFile(j.Plan.Case.File)
	if err != nil {
		return fmt.Errorf("cannot read case: %w", err)
	}
	j.Plan.Case.File = dir.Case(j.Plan.Case.Name)
	if err := os.MkdirAll(filepath.Dir(j.Plan.Case.File), 0o755); err != nil {
		return fmt.Errorf("cannot make run directory: %w", err)
	}
	err = errors.Join(
		atomicfile.Write(j.Plan.Case.File, original, 0o644),
		atomicfile.Write(dir.Script(), []byte(script), 0o755),
	)
	if err != nil {
		return fmt.Errorf("cannot prepare run directory: %w", err)
	}
	if err := j.Plan.Write(); errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot use run directory %s: %w", dir, ErrOccupied)
	} else if err != nil {
		return err
	}
	return nil
}

// SetCurrent points the run directory's link at an attempt.
func SetCurrent(d roles.RunDir, attempt int) error {
	tmp := fmt.Sprintf("%s.%d", d.Current(), os.Getpid())
	err := os.Symlink(filepath.Base(string(d.Attempt(attempt))), tmp)
	if err == nil {
		err = os.Rename(tmp, d.Current())
	}
	if err != nil {
		return fmt.Errorf("cannot mark the current attempt: %w", err)
	}
	return nil
}

// Submission is submission.json: when and as what a job was submitted.
type Submission struct {
	Schema int       `json:"schema"` // 1
	At     time.Time `json:"at"`
	JobID  string    `json:"job_id"`
}

func (s Submission) write(d roles.RunDir) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = atomicfile.Write(d.Submission(), append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot note the submission: %w", err)
	}
	return nil
}
