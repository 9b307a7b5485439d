package batch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/decide/steps"
	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/supervisor"
)

// start starts a role's step and sees it through in goroutines of its own. It does not block.
func (b *batch) start(r roles.Role) {
	s := &step{
		batch: b, role: r, log: b.disk.Append(b.attempt.RoleLog(r)), reader: b.opts.Starter.Reader(),
		over: make(chan struct{}),
	}
	b.mu.Lock()
	b.running[r] = s
	b.mu.Unlock()
	cmds, err := b.opts.Starter.Steps(b.opts.Plan, r, b.env(r))
	if err == nil {
		err = s.run(cmds)
	}
	if err != nil {
		go s.failed(err)
		return
	}
	go s.see()
}

// failed reports a step that could not be started.
func (s *step) failed(err error) {
	text := fmt.Sprintf("cannot start %s: %v", s.role, err)
	s.batch.opts.Say(text)
	fmt.Fprintf(s.log, "disagg-agent batch: %s\n", text)
	_ = s.log.Close()
	s.batch.in(steps.Said{Role: s.role, Diagnosis: protocol.Diagnosis{Line: text}})
	s.batch.in(steps.Ended{Role: s.role, Code: protocol.ExitNotStarted, Began: steps.No})
}

// step is one role's step while it runs.
type step struct {
	batch  *batch
	role   roles.Role
	log    *rundir.Appender
	reader scheduler.Reader
	pipes  sync.WaitGroup // readers of the output
	ends   []*os.File     // that they read
	over   chan struct{}  // closed when every command has ended

	telling sync.Mutex // held while an input is made and handed over, so that they arrive in order

	mu    sync.Mutex // guards the commands, the reader and what is known of ranks
	cmds  []*exec.Cmd
	last  protocol.Diagnosis
	ended map[int][]int // ranks whose own command has ended, by exit code
	seen  int           // ranks that are known to have ended
}

// run starts the commands of the step, whose output goes through pipes: nobody but this process touches the log.
func (s *step) run(cmds []*exec.Cmd) error {
	outR, outW, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot make pipe: %w", err)
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("cannot make pipe: %w", err), outR.Close(), outW.Close())
	}
	defer outW.Close()
	defer errW.Close()
	s.ends = []*os.File{outR, errR}
	show := func(logtee.Line) {}
	if out := s.batch.opts.Out; out != nil && !s.batch.single() {
		show = func(l logtee.Line) {
			s.batch.printing.Lock()
			defer s.batch.printing.Unlock()
			fmt.Fprintf(out, "%-*s | %s\n", nameWidth, s.role, l.Text)
		}
	}
	s.pipes.Go(func() { s.copy(outR, logtee.NewSplitter(show)) })
	s.pipes.Go(func() {
		s.copy(errR, logtee.NewSplitter(func(l logtee.Line) { show(l); s.said(l.Text) }))
	})
	for _, cmd := range cmds {
		cmd.Stdout, cmd.Stderr = outW, errW
		start := (*exec.Cmd).Start
		if s.batch.single() || cmd.SysProcAttr != nil && cmd.SysProcAttr.Pdeathsig != 0 {
			start = func(cmd *exec.Cmd) error { return startBound(cmd, s.over) }
		}
		if err := start(cmd); err != nil {
			s.signal(syscall.SIGKILL)
			s.reap(func(int, int) {})
			return fmt.Errorf("%s: %w", cmd.Path, err)
		}
		s.mu.Lock()
		s.cmds = append(s.cmds, cmd)
		s.mu.Unlock()
	}
	return nil
}

// nameWidth is that of the longest common name of a role, DISAGG_SERVER.
const nameWidth = 13

// count is of how many commands the step is made.
func (s *step) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.cmds)
}

// signal signals the commands of the step.
func (s *step) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cmd := range s.cmds {
		_ = cmd.Process.Signal(sig) // one that has ended needs none
	}
}

// reap waits for the commands of the step and returns the highest code. It calls early with a command's number and code
// when one ends although others go on: where there is a command a rank, the others may wait for that rank.
func (s *step) reap(early func(number, code int)) (code int) {
	type end struct{ number, code int }
	ends := make(chan end)
	for number, cmd := range s.cmds {
		go func() {
			_ = cmd.Wait() // the code tells
			ends <- end{number, exitCode(cmd.ProcessState)}
		}()
	}
	for left := len(s.cmds) - 1; left >= 0; left-- {
		e := <-ends
		code = max(code, e.code)
		if left > 0 {
			early(e.number, e.code)
		}
	}
	close(s.over)
	return code
}

// rankEnded takes in that the command of a rank has ended although its step goes on.
func (s *step) rankEnded(rank, code int) {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	if s.ended == nil {
		s.ended = map[int][]int{}
	}
	s.ended[code] = append(s.ended[code], rank)
	s.mu.Unlock()
	s.tell()
}

// roomPatience is how long a run directory may leave a write unanswered before a step's output no longer waits for it.
const roomPatience = 2 * time.Second

// copy moves output to the role's log, and to those who read along.
func (s *step) copy(from *os.File, lines *logtee.Splitter) {
	defer from.Close()
	r := bufio.NewReaderSize(from, 64<<10)
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			s.batch.disk.Room(n, roomPatience)
			_, _ = s.log.Write(buf[:n])
			if out := s.batch.opts.Out; out != nil && s.batch.single() {
				_, _ = out.Write(buf[:n])
			}
			_, _ = lines.Write(buf[:n])
			select {
			case s.batch.output <- struct{}{}:
			default:
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
				fmt.Fprintf(s.log, "disagg-agent batch: cannot read the output: %v\n", err)
			}
			break
		}
	}
	lines.End()
}

// said takes a line of the step's standard error.
func (s *step) said(line string) {
	if text, ok := strings.CutPrefix(line, protocol.VerdictLine); ok && s.role == roles.Hub().Role {
		var r protocol.Result
		if json.Unmarshal([]byte(text), &r) == nil {
			s.batch.setVerdict(r)
		}
		return
	}
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	s.reader.Line(line)
	s.mu.Unlock()
	s.tell()
}

// tell hands over what is known of the step, if that is news.
func (s *step) tell() {
	s.mu.Lock()
	d, ranks, n := s.reader.Diagnosis(), map[int][]int{}, 0
	for _, known := range []map[int][]int{s.reader.Ranks(), s.ended} {
		for code, list := range known {
			ranks[code] = append(ranks[code], list...)
			n += len(list)
		}
	}
	changed := d != s.last || n != s.seen
	s.last, s.seen = d, n
	s.mu.Unlock()
	if changed {
		s.batch.in(steps.Said{Role: s.role, Diagnosis: d, Ranks: ranks})
	}
}

// leftBound is how long commands that are left have to end when they are asked, and when they are killed.
const leftBound = 50 * time.Millisecond

// endLeft ends the commands of steps that are not waited for any more: those of lost hosts, or that hang. A scheduler
// that follows parents to know what belongs to a job would leave them on the node.
func (b *batch) endLeft() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var left []*step
	for _, s := range b.running {
		if s.count() > 0 {
			left = append(left, s)
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for _, s := range left {
			s.signal(sig)
		}
		until := time.Now().Add(leftBound)
		left = slices.DeleteFunc(left, func(s *step) bool { return s.endsBy(until) })
	}
}

// endsBy waits until every command of the step has ended, or a moment, and tells whether they have.
func (s *step) endsBy(until time.Time) bool {
	select {
	case <-s.over:
		return true
	case <-time.After(time.Until(until)):
		return false
	}
}

// see waits for the end of the step, and of its output.
func (s *step) see() {
	code := s.reap(s.rankEnded)
	s.endOutput()
	_ = s.log.Close()
	s.batch.in(steps.Ended{Role: s.role, Code: code, Began: s.batch.began(s.role, code)})
}

// outputBound is how long the output of a step that has ended may go on: somebody may have inherited it.
const outputBound = 2 * time.Second

// endOutput waits for the end of the output, but neither for whoever inherited it nor for a terminal that stands still.
func (s *step) endOutput() {
	ended := make(chan struct{})
	go func() { s.pipes.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(outputBound):
		fmt.Fprintln(s.log, "disagg-agent batch: the step has ended, its output has not: the rest is not waited for")
		for _, end := range s.ends {
			_ = end.Close()
		}
	}
}

// exitCode is a process's exit code as a shell would tell it.
func exitCode(ps *os.ProcessState) int {
	if ps == nil {
		return protocol.ExitNotStarted
	}
	return supervisor.ShellCode(ps)
}

// beganBound is how long finding out whether a step's agents ran may take.
const beganBound = time.Second

// began tells whether any agent of a role ran, as far as the run directory shows. Of a step that ended well nobody
// asks.
func (b *batch) began(r roles.Role, code int) steps.Answer {
	if code == 0 && r != roles.Hub().Role {
		return steps.NotKnown
	}
	ctx, cancel := context.WithTimeout(context.Background(), beganBound)
	defer cancel()
	answer := make(chan steps.Answer, 1)
	go func() {
		if rundir.AnyPublished(b.attempt, r, b.runID) {
			answer <- steps.Yes
			return
		}
		answer <- steps.No
	}()
	select {
	case a := <-answer:
		return a
	case <-ctx.Done():
		return steps.NotKnown
	}
}
