package terminal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/watched"
)

// Job is a job that is played in a run directory, and that can be watched.
type Job struct {
	*watched.Job
	Dir   rundir.Dir
	first *exec.Cmd // its first process
}

// NewJob submits a job that began a while ago.
func NewJob(dir string, age time.Duration, prefill, decode roles.Server, concurrency ...int) (*Job, error) {
	played, err := watched.New(dir, time.Now().Add(-age), prefill, decode, concurrency...)
	if err != nil {
		return nil, err
	}
	j := &Job{Job: played, Dir: rundir.Dir(dir), first: exec.Command("sleep", "3600")}
	data, err := json.Marshal(played.Plan)
	err = errors.Join(err, os.WriteFile(j.Dir.Plan(), data, 0o600), os.Mkdir(string(j.Attempt()), 0o700),
		rundir.SetCurrent(j.Dir, 0))
	if err == nil {
		err = j.first.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot play a job: %w", err)
	}
	return j, rundir.WriteSubmission(j.Dir, protocol.Submission{
		At: played.Begin, JobID: strings.ReplaceAll(supervisor.MarkOf(j.first.Process.Pid), ":", "-"),
		Name: played.Plan.JobName(),
	})
}

// Attempt is the job's only attempt.
func (j *Job) Attempt() rundir.Attempt { return j.Dir.Attempt(0) }

// Write brings the files of the run directory up to date.
func (j *Job) Write() error { return j.Job.Write(j.Attempt()) }

// Judge leaves a verdict, and ends the job.
func (j *Job) Judge(v protocol.Verdict, code int) error {
	r := protocol.Result{
		Schema: 1, RunID: j.Plan.RunID(0), Case: j.Plan.Case.Name, TestID: j.Plan.Case.TestID, Verdict: v,
		ExitCode: code, FirstCause: j.State.Cause, StartedAt: j.Begin, EndedAt: time.Now(),
		Roles: []protocol.RankOutcome{}, Points: j.State.Points,
	}
	return errors.Join(j.Attempt().Keep(r, nil), j.End())
}

// End ends the job's first process.
func (j *Job) End() error {
	if j.first.ProcessState != nil {
		return nil
	}
	err := j.first.Process.Kill()
	_ = j.first.Wait()
	return err
}
