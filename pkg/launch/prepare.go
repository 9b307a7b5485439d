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

// Prepare makes the run directory: the case's copy, the batch script and, last, the plan. If it fails it leaves nothing
// behind that was not there.
func (j *Job) Prepare() error {
	dir := j.Plan.RunDir
	if _, err := os.Stat(dir.Plan()); err == nil {
		return fmt.Errorf("cannot use run directory %s: %w", dir, ErrOccupied)
	}
	original, err := os.ReadFile(j.Plan.Case.File)
	if err != nil {
		return fmt.Errorf("cannot read case: %w", err)
	}
	script, err := slurm.Script(j.Plan, j.Profile, j.Agent)
	if err != nil {
		return err
	}
	made := firstMissing(string(dir))
	if err = j.write(original, script); err != nil && made != "" && !errors.Is(err, ErrOccupied) {
		_ = os.RemoveAll(made)
	}
	return err
}

func (j *Job) write(original []byte, script string) error {
	dir := j.Plan.RunDir
	j.Plan.Case.File = dir.Case(j.Plan.Case.Name)
	if err := os.MkdirAll(filepath.Dir(j.Plan.Case.File), 0o755); err != nil {
		return fmt.Errorf("cannot make run directory: %w: name another with --run-dir", err)
	}
	err := errors.Join(
		atomicfile.Write(j.Plan.Case.File, original, 0o644),
		atomicfile.Write(dir.Script(), []byte(script), 0o755),
	)
	if err != nil {
		return fmt.Errorf("cannot write run directory: %w: name another with --run-dir", err)
	}
	err = j.Plan.Write()
	if errors.Is(err, os.ErrExist) { // somebody else was faster
		return fmt.Errorf("cannot use run directory %s: %w", dir, ErrOccupied)
	}
	return err
}

// firstMissing is the outermost folder of a path that does not exist, "" if all of it does.
func firstMissing(path string) string {
	missing := ""
	for ; ; path = filepath.Dir(path) {
		if _, err := os.Lstat(path); err == nil || path == filepath.Dir(path) {
			return missing
		}
		missing = path
	}
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
