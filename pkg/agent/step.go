package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/slurm"
)

// StepEnd is a role's step that ended with a code other than 0, as the batch script sees it.
type StepEnd struct {
	Plan       roles.Plan
	Attempt    int
	Role       roles.Role
	Code       int // srun's
	JobID      string
	BatchStart time.Time
	Uploader   string // path of disagg-submit, which sends the records
}

// maxTries is how often a step is tried that never begins for a reason that may pass.
const maxTries = 3

// StepEnded decides what a failed step means to the rest. One whose agents ran is their hub's affair, unless it was the
// hub's own, and left no verdict. One that never began is tried again if the reason may pass; else the hub is told.
func StepEnded(ctx context.Context, e StepEnd) (again bool, err error) {
	a := e.Plan.RunDir.Attempt(e.Attempt)
	words := slurm.ReadWords(a.RoleLog(e.Role))
	detail := fmt.Sprintf("srun exited with code %d", e.Code)
	if words.Line != "" {
		detail += ": " + words.Line
	}
	switch _, err := os.Stat(a.Result()); {
	case err == nil: // everything is said
		return false, nil
	case began(a, e.Role, roles.RunID(e.Plan.ID, e.Attempt)):
		if e.Role == roles.Hub().Role {
			return false, hub.Orphaned(e.options(a), results.HubLost, "it ended without a verdict: "+detail)
		}
		return false, nil
	case words.Meaning == slurm.Transient:
		tries, err := countTry(a.Tries(e.Role))
		if err == nil && tries < maxTries {
			fmt.Fprintf(os.Stderr, "disagg-agent: the step of %s never began (%s): trying again\n", e.Role, words.Line)
			time.Sleep(time.Second << (tries - 1))
			return true, nil
		}
		detail = fmt.Sprintf("%s (tried %d times)", detail, tries)
	}
	return false, e.tell(ctx, a, "the step never began: "+detail)
}

// InstallFailed gives the verdict on an attempt whose hosts could not be prepared.
func InstallFailed(e StepEnd) error {
	a := e.Plan.RunDir.Attempt(e.Attempt)
	log := filepath.Join(a.Logs(), "install.log")
	detail := fmt.Sprintf("installing ended with code %d", e.Code)
	if words := slurm.ReadWords(log); words.Line != "" {
		detail += ": " + words.Line
	} else if line := lastLine(log); line != "" {
		detail += ": " + line
	}
	return hub.Orphaned(e.options(a), results.InstallFailed, detail)
}

func lastLine(file string) string {
	data, _ := os.ReadFile(file)
	text := strings.TrimSpace(string(data))
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}

// tell lets the hub know that the step never began; if that is the hub's own step, the verdict is given in its place.
func (e StepEnd) tell(ctx context.Context, a roles.Attempt, detail string) error {
	if e.Role == roles.Hub().Role {
		return hub.Orphaned(e.options(a), results.StepFailed, detail)
	}
	token, err := openAttempt(e.Plan, a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(e.Plan.Timeouts.Launch))
	defer cancel()
	runID := roles.RunID(e.Plan.ID, e.Attempt)
	address, err := findHub(ctx, a, runID)
	if err != nil {
		return err
	}
	return control.ReportStep(ctx, address, token, control.StepFailure{Role: e.Role, RunID: runID, Detail: detail})
}

func (e StepEnd) options(a roles.Attempt) hub.Options {
	return hub.Options{
		Plan: e.Plan, Attempt: a, RunID: roles.RunID(e.Plan.ID, e.Attempt), JobID: e.JobID, BatchStart: e.BatchStart,
		Uploader: uploader(e.Uploader, a),
	}
}

// began tells whether any agent of a role ran in this attempt.
func began(a roles.Attempt, r roles.Role, runID string) bool {
	files, _ := filepath.Glob(filepath.Join(a.Agents(), r.String()+".*.json"))
	for _, f := range files {
		var p roles.Published
		if data, err := os.ReadFile(f); err == nil && json.Unmarshal(data, &p) == nil && p.RunID == runID {
			return true
		}
	}
	return false
}

// countTry counts one more try in a file, and returns how many there were.
func countTry(file string) (int, error) {
	data, _ := os.ReadFile(file) // absent: the first
	n, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = atomicfile.Write(file, []byte(strconv.Itoa(n+1)+"\n"), 0o644)
	}
	return n + 1, err
}
