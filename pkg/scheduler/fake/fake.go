package fake

import (
	"context"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Answer is one answer to a question for a job's state.
type Answer struct {
	State protocol.JobState
	Err   error
	Hang  bool // there is no answer until the question is given up
}

// Scheduler answers as it is told. Its fields are set before it is used.
type Scheduler struct {
	GraceTime time.Duration
	GraceErr  error
	SubmitJob scheduler.Job
	SubmitErr error
	// OnSubmit is called by a submission; nil: nobody.
	OnSubmit  func(plan.Plan)
	Queue     []Answer // to State
	Records   []Answer // to History
	CancelErr error
	// Findings are what it thinks of a job; VisitScript is a shell script that plays the tasks of a visit.
	Findings    []doctor.Finding
	VisitScript string

	// Scripts are the shell scripts of a role's step, by role, one a try; a role without any ends at once.
	Scripts map[string][]string
	// InstallScript prepares the nodes; "": nothing is to be done.
	InstallScript string
	// Ends is when the job's time is over.
	Ends time.Time
	// Held is the allocation that this process's person holds.
	Held scheduler.Allocation
	// Running are the steps that run, by name.
	Running map[string]bool
	// OnStop is called when a step is asked to end; nil: nobody.
	OnStop func(step string) error
	// NoteErr is what comes of leaving a note.
	NoteErr error

	mu    sync.Mutex
	asked []string
	notes []string
	tries map[string]int
}

var (
	_ scheduler.Scheduler = (*Scheduler)(nil)
	_ scheduler.Examiner  = (*Scheduler)(nil)
)

// Asked lists the questions that were asked, in order.
func (s *Scheduler) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// Notes lists the notes that were left, in order.
func (s *Scheduler) Notes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.notes...)
}

func (s *Scheduler) note(question string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, question)
}

// Name implements scheduler.Scheduler.
func (*Scheduler) Name() string { return "fake" }

// Grace implements scheduler.Submitter.
func (s *Scheduler) Grace(context.Context) (time.Duration, error) {
	s.note("grace")
	return s.GraceTime, s.GraceErr
}

// Script implements scheduler.Submitter.
func (*Scheduler) Script(p plan.Plan) (string, error) { return "# " + p.JobName() + "\n", nil }

// Submit implements scheduler.Submitter.
func (s *Scheduler) Submit(_ context.Context, p plan.Plan) (scheduler.Job, error) {
	s.note("submit")
	if s.OnSubmit != nil {
		s.OnSubmit(p)
	}
	return s.SubmitJob, s.SubmitErr
}

// State implements scheduler.Submitter.
func (s *Scheduler) State(ctx context.Context, _ scheduler.Job) (protocol.JobState, error) {
	s.note("state")
	return s.answer(ctx, &s.Queue)
}

// History implements scheduler.Submitter.
func (s *Scheduler) History(ctx context.Context, _ scheduler.Job) (protocol.JobState, error) {
	s.note("history")
	return s.answer(ctx, &s.Records)
}

func (s *Scheduler) answer(ctx context.Context, list *[]Answer) (protocol.JobState, error) {
	s.mu.Lock()
	a := Answer{}
	if len(*list) > 0 {
		a = (*list)[0]
	}
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	s.mu.Unlock()
	if a.Hang {
		<-ctx.Done()
		return protocol.JobState{}, ctx.Err()
	}
	return a.State, a.Err
}

// Examine implements scheduler.Examiner.
func (s *Scheduler) Examine(_ context.Context, _ plan.Plan, quick bool) []doctor.Finding {
	s.note(map[bool]string{true: "examine quickly", false: "examine"}[quick])
	return s.Findings
}

// Cancel implements scheduler.Submitter.
func (s *Scheduler) Cancel(context.Context, scheduler.Job) error {
	s.note("cancel")
	return s.CancelErr
}
