// Package scheduler is what the tool needs of a scheduler, such as Slurm: to submit a job and know how it is, to start
// a role's step inside it, and to tell a task who it is. The implementations are in folders of their own; package local
// runs a job on this machine, package fake plays one in tests.
//
// Rules:
//   - An answer is evidence, not truth: an odd, empty or missing one is JobUnknown, and changes nothing.
//   - Every call has a bound.
//   - Nothing outside an implementation knows its scheduler's commands, variables or words.
//
// Terms: a step is what starts all ranks of one role; a task is one of its processes.
package scheduler

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// ErrUnavailable says that the scheduler refused a request or could not be reached, and that no job of ours can exist.
var ErrUnavailable = errors.New("the scheduler refused, or cannot be reached")

// ErrBusy says, with ErrUnavailable, that the scheduler takes no job for now, and may in a while.
var ErrBusy = errors.New("it takes no jobs for now")

// Scheduler starts jobs and knows about them.
type Scheduler interface {
	// Name is what plans and command lines call it.
	Name() string
	Submitter
	Starter
	Identifier
}

// Tied is implemented by a scheduler whose jobs end with the process that submitted them.
type Tied interface {
	// Detached is the same scheduler with jobs that go on.
	Detached() Scheduler
}

// Enterable is implemented by a scheduler whose steps are started in the allocation of a job.
type Enterable interface {
	// Within is the same scheduler, as a shell in a job's allocation has it.
	Within(jobID string) Scheduler
}

// Examiner is implemented by a scheduler that can tell beforehand what it thinks of a job.
type Examiner interface {
	// Examine tells whether a plan's job would be taken, and could ever start. A quick look asks only what is answered
	// within a moment. What is not answered is in doubt, not a failure.
	Examine(ctx context.Context, p plan.Plan, quick bool) []doctor.Finding
	// Visit prepares the process that runs a command of the plan's agent on some nodes, once on each, with the options
	// and in the container of the plan's job. It is a job of its own, or part of the one that this process is in; its
	// standard output is that of the commands.
	Visit(p plan.Plan, nodes int, args ...string) *exec.Cmd
}

// Submitter is the side of the submitting host.
type Submitter interface {
	// Grace is the time between a request to end a job and its kill, 0 if that cannot be found out.
	Grace(context.Context) (time.Duration, error)
	// Script is the batch script of a plan.
	Script(plan.Plan) (string, error)
	// Submit submits the batch script that lies in the plan's run directory. After an error other than ErrUnavailable
	// the job may exist.
	Submit(context.Context, plan.Plan) (Job, error)
	// State asks for a job. What cannot be found out is JobUnknown, with the reason.
	State(context.Context, Job) (protocol.JobState, error)
	// History asks what is recorded of a job that may be over; JobUnknown where nothing is recorded.
	History(context.Context, Job) (protocol.JobState, error)
	// Cancel asks for the end of a job.
	Cancel(context.Context, Job) error
}

// Job names a job.
type Job struct {
	ID      string
	Cluster string // that it was sent to, "" if the scheduler does not say
	Name    string // unique to the plan
}

// Allocation is what somebody holds to start roles in.
type Allocation struct {
	JobID   string    // "" where there are no jobs
	Nodes   int       // 0: as many as are asked for
	WorkDir string    // where it was asked for
	Ends    time.Time // when its time is over; zero if it has no limit
}

// Starter is the side of the batch script, or of an engineer's shell inside an allocation.
type Starter interface {
	// Steps prepares the processes that start all ranks of a role: one command for a scheduler that starts tasks
	// itself, one per rank for one that does not. env is what is added to the environment of the tasks.
	Steps(p plan.Plan, r roles.Role, env []string) ([]*exec.Cmd, error)
	// Install makes the command that prepares each node once: it runs the plan's install command, if there is one, and
	// makes what the steps share. nil if there is nothing to do.
	Install(p plan.Plan, env []string) *exec.Cmd
	// Allocation is what this shell's person holds, to start roles in by hand.
	Allocation(ctx context.Context) (Allocation, error)
	// StepRuns tells whether a step, by the scheduler's name for it, has a task that runs. An error means that this
	// cannot be found out.
	StepRuns(ctx context.Context, step string) (bool, error)
	// StopStep asks the tasks of a step, by the scheduler's name for it, to end.
	StopStep(ctx context.Context, step string) error
	// KillStep ends the tasks of a step at once.
	KillStep(ctx context.Context, step string) error
	// Reader reads what the scheduler says on the standard error of a step.
	Reader() Reader
	// Job is the job that this process is part of, and the number of its attempt.
	Job() (id string, attempt int, err error)
	// JobEnds asks when the job's time is over; zero if that cannot be found out.
	JobEnds(context.Context) time.Time
	// LeaveNote leaves a text of at most protocol.NoteSize bytes with the job, where the submitting side finds it
	// although the run directory does not answer.
	LeaveNote(ctx context.Context, text string) error
}

// Reader makes sense of what a scheduler says about one step, line by line.
type Reader interface {
	// Line takes the next line of the step's standard error.
	Line(text string)
	// Diagnosis is what the lines say so far.
	Diagnosis() protocol.Diagnosis
	// Ranks lists the ranks that are said to have ended, by exit code.
	Ranks() map[int][]int
}

// Identifier is the side of a task.
type Identifier interface {
	// TaskVars lists patterns of the variables by which the scheduler speaks to a task, and which of them every child
	// keeps although it is not a rank of an MPI job: upstream's scripts read them.
	TaskVars() (patterns, kept []string)
	// Identify tells from the environment which task of a role this process is.
	Identify(getenv func(string) string, pl roles.Placement) (Identity, error)
}

// Identity is who a task is.
type Identity struct {
	JobID string
	// JobVar is the variable by which processes of a job can be told, "" if there is none.
	JobVar  string
	Attempt int
	Rank    int
	Step    string    // the scheduler's name of its step, "" if it has none
	Ends    time.Time // when the job's time is over; zero if that is not known
	// Memory is the bound of the step's memory on this node in bytes, 0 if the environment does not tell.
	Memory int64
}
