package fake

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Steps implements scheduler.Starter: every role is one shell script.
func (s *Scheduler) Steps(_ plan.Plan, r roles.Role, env []string) ([]*exec.Cmd, error) {
	s.note("start " + r.String())
	script := "exit 0"
	s.mu.Lock()
	if list := s.Scripts[r.String()]; len(list) > 0 {
		script = list[min(s.tries[r.String()], len(list)-1)]
	}
	if s.tries == nil {
		s.tries = map[string]int{}
	}
	s.tries[r.String()]++
	s.mu.Unlock()
	return []*exec.Cmd{shell(script, env)}, nil
}

func shell(script string, env []string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// Visit implements scheduler.Examiner. The arguments of the command are those of the script.
func (s *Scheduler) Visit(_ plan.Plan, nodes int, args ...string) *exec.Cmd {
	s.note(fmt.Sprintf("visit %d", nodes))
	cmd := shell(s.VisitScript, nil)
	cmd.Args = append(append(cmd.Args, "visit"), args...)
	return cmd
}

// Install implements scheduler.Starter.
func (s *Scheduler) Install(_ plan.Plan, env []string) *exec.Cmd {
	if s.InstallScript == "" {
		return nil
	}
	return shell(s.InstallScript, env)
}

// Job implements scheduler.Starter.
func (s *Scheduler) Job() (string, int, error) { return s.SubmitJob.ID, 0, nil }

// JobEnds implements scheduler.Starter.
func (s *Scheduler) JobEnds(context.Context) time.Time { return s.Ends }

// Allocation implements scheduler.Starter.
func (s *Scheduler) Allocation(context.Context) (scheduler.Allocation, error) { return s.Held, nil }

// StepRuns implements scheduler.Starter.
func (s *Scheduler) StepRuns(_ context.Context, step string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Running[step], nil
}

// StopStep implements scheduler.Starter.
func (s *Scheduler) StopStep(_ context.Context, step string) error {
	s.note("stop " + step)
	if s.OnStop == nil {
		return nil
	}
	return s.OnStop(step)
}

// KillStep implements scheduler.Starter.
func (s *Scheduler) KillStep(_ context.Context, step string) error {
	s.note("kill " + step)
	if s.OnStop == nil {
		return nil
	}
	return s.OnStop(step)
}

// LeaveNote implements scheduler.Starter.
func (s *Scheduler) LeaveNote(_ context.Context, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, text)
	return s.NoteErr
}

// Reader implements scheduler.Starter. It understands two lines: "fake: MEANING TEXT" is what the scheduler says of a
// step, such as "fake: transient busy", and "fake-rank: RANK CODE" that a rank has ended.
func (*Scheduler) Reader() scheduler.Reader { return &reader{ranks: map[int][]int{}} }

type reader struct {
	diagnosis protocol.Diagnosis
	ranks     map[int][]int
}

func (r *reader) Line(text string) {
	if said, ok := strings.CutPrefix(text, "fake: "); ok {
		meaning, line, _ := strings.Cut(said, " ")
		r.diagnosis = protocol.Diagnosis{Meaning: protocol.Meaning(meaning), Line: line}
	}
	if said, ok := strings.CutPrefix(text, "fake-rank: "); ok {
		rank, code, _ := strings.Cut(said, " ")
		n, _ := strconv.Atoi(rank)
		c, _ := strconv.Atoi(code)
		r.ranks[c] = append(r.ranks[c], n)
	}
}

func (r *reader) Diagnosis() protocol.Diagnosis { return r.diagnosis }
func (r *reader) Ranks() map[int][]int          { return r.ranks }

// TaskVars implements scheduler.Identifier.
func (*Scheduler) TaskVars() (patterns, kept []string) { return nil, nil }

// Identify implements scheduler.Identifier.
func (*Scheduler) Identify(func(string) string, roles.Placement) (scheduler.Identity, error) {
	return scheduler.Identity{}, nil
}
