package agent

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

// worker is one rank: a child and its link to the hub. Its methods run in one goroutine, that of live.
type worker struct {
	opts    Options
	sup     *supervisor.Supervisor
	attempt roles.Attempt
	facts   roles.Facts
	link    control.Link
	log     *zap.Logger

	child    *supervisor.Process
	probing  context.CancelFunc // ends what watches the service
	stopped  string             // why it was asked to stop; "" if it was not
	finished bool               // it was asked to stop because the work is done
}

// live waits for whatever comes first, again and again, until nothing is left to do. It returns the exit code.
func (w *worker) live() int {
	if w.opts.Plan.Policy.StartAlone && w.needsNobody() {
		w.start(nil)
	}
	defer w.endProbing()
	lost, exited := w.link.Lost(), false
	for {
		var childExited, childDone <-chan struct{}
		if w.child != nil {
			childDone = w.child.Done()
			if !exited {
				childExited = w.child.Exited()
			}
		}
		select {
		case d := <-w.link.Directives():
			w.follow(d)
		case <-lost:
			lost = nil
			w.stop(fmt.Errorf("%w: %w", errHubLost, w.link.Err()).Error(), false)
		case sig := <-w.opts.Signals:
			w.heed(sig)
		case <-childExited:
			w.heedSignal()
			exited = true
			w.endProbing()
			w.tell(control.Event{Kind: control.Exited, Outcome: w.ended()})
		case <-childDone:
			if !exited {
				w.tell(control.Event{Kind: control.Exited, Outcome: w.ended()})
			}
			o := w.child.Outcome()
			w.tell(control.Event{Kind: control.Stopped, Outcome: &o})
			return w.code(o)
		}
		if w.child == nil && w.stopped != "" {
			w.tell(control.Event{Kind: control.Stopped, Outcome: &supervisor.Outcome{StopReason: w.stopped, EndedAt: time.Now()}})
			return w.idleCode()
		}
	}
}

func (w *worker) needsNobody() bool {
	n := w.opts.Plan.Steps(w.facts.Role).Needs
	return len(n.Address)+len(n.Ready) == 0
}

func (w *worker) tell(e control.Event) {
	e.At = time.Now().UTC()
	w.log.Info(string(e.Kind), zap.String("address", e.Address), zap.String("detail", e.Detail), zap.Any("outcome", e.Outcome))
	w.link.Send(e)
}

func (w *worker) ended() *supervisor.Outcome {
	o := w.child.Ended()
	return &o
}

// follow does what the hub says.
func (w *worker) follow(d control.Directive) {
	switch d.Kind {
	case control.Start:
		if w.child == nil && w.stopped == "" {
			w.start(d.Peers)
		}
	case control.Stop:
		w.stop(d.Reason, d.Finished)
	}
}

// signalLag is how much later than its child the agent may notice a signal that Slurm sent to both.
const signalLag = 50 * time.Millisecond

// heedSignal looks for a signal that ended the child and was meant for all of the step: where Slurm tracks processes one
// by one, it signals the child itself too, and the child may be the faster. A child that could have ended so is not
// judged before the agent had the time to see its own.
func (w *worker) heedSignal() {
	if w.stopped != "" {
		return
	}
	lag := time.Duration(0)
	switch o := w.child.Ended(); {
	case o.Clean(), o.Signal == "SIGTERM", o.Signal == "SIGINT", o.Signal == "SIGUSR1", o.Code == 128+int(syscall.SIGTERM), o.Code == 128+int(syscall.SIGINT):
		lag = signalLag
	}
	select {
	case sig := <-w.opts.Signals:
		w.heed(sig)
	case <-time.After(lag):
	}
}

// heed does what a signal asks for.
func (w *worker) heed(sig os.Signal) {
	switch sig {
	case syscall.SIGUSR1: // the hub decides; this rank goes on until it is told
		w.tell(control.Event{Kind: control.Warned, Detail: "Slurm warns that the job's time is nearly over (SIGUSR1)"})
	case syscall.SIGUSR2:
		w.dump()
	default:
		w.leave(sig)
	}
}

// dump logs what this rank is doing.
func (w *worker) dump() {
	state := []zap.Field{zap.String("stopped", w.stopped), zap.Strings("peers", slices.Sorted(maps.Keys(w.facts.Peers)))}
	if w.child != nil {
		state = append(state, zap.Int("child", w.child.PID()), zap.Strings("tail", w.child.Tail()))
	}
	w.log.Info("state, because of SIGUSR2", state...)
}

// leave stops because of a signal, and lets the hub know.
func (w *worker) leave(sig os.Signal) {
	if w.stopped == "" {
		w.tell(control.Event{Kind: control.Leaving, Detail: "stopped by " + sig.String()})
	}
	w.stop("signal "+sig.String(), false)
}

func (w *worker) stop(reason string, finished bool) {
	if w.stopped == "" {
		w.stopped, w.finished = reason, finished
		w.log.Info("stopping", zap.String("reason", reason))
	}
	if w.child == nil {
		return
	}
	w.child.StopAfter(w.patience(finished), reason)
}

// patience is how long this rank may end by itself: once the work is done, ranks of an MPI job follow their leader.
func (w *worker) patience(finished bool) time.Duration {
	steps := w.opts.Plan.Steps(w.facts.Role)
	if !finished || w.opts.Identity.Task.Leader() || !steps.MPI || w.opts.Plan.Cluster.MPI == "" {
		return 0
	}
	return time.Duration(steps.Stop.Follow)
}

// start prepares and starts the child, and begins to watch its service.
func (w *worker) start(peers map[string]string) {
	w.facts.Peers = peers
	spec, err := w.prepare()
	if err != nil {
		w.log.Error("cannot prepare", zap.Error(err))
		spec = supervisor.Spec{Fault: err}
	}
	w.child = w.sup.Start(spec)
	w.tell(control.Event{Kind: control.Started, PID: w.child.PID()})
	ctx, cancel := context.WithCancel(context.Background())
	w.probing = cancel
	if w.opts.Identity.Task.Leader() {
		go w.watchService(ctx)
	}
	if release := w.opts.Plan.Steps(w.facts.Role).Release; release != "" {
		go w.watchRelease(ctx, release)
	}
}

func (w *worker) endProbing() {
	if w.probing != nil {
		w.probing()
	}
}

// prepare writes the role's files and renders its command and environment.
func (w *worker) prepare() (supervisor.Spec, error) {
	p, steps := w.opts.Plan, w.opts.Plan.Steps(w.facts.Role)
	if err := w.writeFiles(steps.Files); err != nil {
		return supervisor.Spec{}, err
	}
	if err := w.makeAddressFolder(steps.Address); err != nil {
		return supervisor.Spec{}, err
	}
	wrapper, command, err := w.command(steps)
	if err != nil {
		return supervisor.Spec{}, err
	}
	argv := slices.Concat(wrapper, command)
	env, err := childEnv(w.opts.Environ, p, w.facts)
	if err != nil {
		return supervisor.Spec{}, err
	}
	dir, err := roles.Render("dir", steps.Dir, w.facts)
	if err != nil {
		return supervisor.Spec{}, err
	}
	if dir == "" {
		dir = w.facts.Dirs.Work
	}
	w.log.Info("starting", zap.Strings("argv", argv), zap.String("dir", dir))
	return supervisor.Spec{
		Argv: argv, Dir: dir, Env: env, Log: w.attempt.RankLog(w.opts.Identity.Task), Copy: w.opts.Stdout,
		Redact: supervisor.NewRedactor(append(env, "AUTH_KEY="+w.facts.AuthKey)), Memory: w.opts.Memory,
		DiesWithParent: true, Ladder: ladder(steps.Stop, p.Timeouts, wrapper, command),
	}, nil
}

func (w *worker) command(s roles.Steps) (wrapper, command []string, err error) {
	if wrapper, err = roles.RenderArgs("wrapper", s.Wrapper, w.facts); err != nil {
		return nil, nil, err
	}
	command, err = roles.RenderArgs("command", s.Command, w.facts)
	return wrapper, command, err
}

func ladder(s roles.Stop, t roles.Timeouts, wrapper, command []string) supervisor.Ladder {
	sig := syscall.SIGTERM
	if s.Signal == "INT" {
		sig = syscall.SIGINT
	}
	budget := time.Duration(t.Stop)
	l := supervisor.Ladder{
		Signal: sig, Leader: s.To == "leader", Budget: budget, Grace: min(time.Duration(s.Grace), budget*2/3),
	}
	if s.To == "command" && len(wrapper) > 0 {
		l.Match = func(argv []string) bool { return runsCommand(argv, wrapper, command) }
	}
	return l
}

// runsCommand tells whether a process is what a wrapper was asked to run, and not the wrapper, whose arguments end in
// the same words.
func runsCommand(argv, wrapper, command []string) bool {
	inner := command[1:] // the command itself may be shown with a path, or behind an interpreter
	if len(argv) < len(inner)+1 || !slices.Equal(argv[len(argv)-len(inner):], inner) {
		return false
	}
	own := filepath.Base(wrapper[0])
	return !slices.ContainsFunc(argv, func(a string) bool { return filepath.Base(a) == own })
}

func (w *worker) writeFiles(files []roles.File) error {
	if err := os.MkdirAll(w.facts.Dirs.Work, 0o755); err != nil {
		return fmt.Errorf("cannot write the role's files: %w", err)
	}
	for _, f := range files {
		text, err := roles.Render("files."+f.Path, f.Text, w.facts)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(w.facts.Dirs.Work, f.Path), []byte(text), 0o600); err != nil {
			return fmt.Errorf("cannot write the role's files: %w", err)
		}
	}
	return nil
}

// makeAddressFolder makes the folder that the service will write its address into.
func (w *worker) makeAddressFolder(a *roles.Address) error {
	if a == nil || a.File == "" {
		return nil
	}
	file, err := roles.Render("address", a.File, w.facts)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err != nil {
		return fmt.Errorf("cannot make the address file's folder: %w", err)
	}
	return nil
}

// watchService waits for the service's address and then for its readiness, and tells the hub of both.
func (w *worker) watchService(ctx context.Context) {
	steps, facts := w.opts.Plan.Steps(w.facts.Role), w.facts
	if steps.Address != nil {
		addr, err := w.address(ctx, *steps.Address, facts)
		if err != nil {
			return
		}
		facts.Address = addr
		w.tell(control.Event{Kind: control.Address, Address: addr})
	}
	if steps.Ready == nil {
		return
	}
	probe, period, err := w.probe(*steps.Ready, facts)
	if err != nil {
		w.tell(control.Event{Kind: control.Unready, Detail: err.Error()})
		return
	}
	err = healthcheck.Ready{Period: period}.Wait(ctx, probe, func(err error) {
		w.tell(control.Event{Kind: control.Unready, Detail: err.Error()})
	})
	if err == nil {
		w.tell(control.Event{Kind: control.Ready})
	}
}

func (w *worker) address(ctx context.Context, a roles.Address, f roles.Facts) (string, error) {
	text, err := roles.Render("address", a.File+a.Text, f)
	if err != nil || a.Text != "" {
		return text, err
	}
	return healthcheck.WaitAddress(ctx, text)
}

// defaultPeriod is how often a service is asked whether it is ready.
const defaultPeriod = 250 * time.Millisecond

func (w *worker) probe(p roles.Probe, f roles.Facts) (healthcheck.Probe, time.Duration, error) {
	url, err := roles.Render("ready.url", p.URL, f)
	if err != nil {
		return nil, 0, err
	}
	body, err := roles.Render("ready.body", p.Body, f)
	if err != nil {
		return nil, 0, err
	}
	period := time.Duration(p.Period)
	if period == 0 {
		period = defaultPeriod
	}
	return healthcheck.HTTP{URL: url, Method: p.Method, Body: body, Timeout: time.Duration(w.opts.Plan.Timeouts.Probe)}, period, nil
}

// releasePoll is how often the benchmark's release file is looked for.
const releasePoll = 200 * time.Millisecond

// watchRelease tells the hub when the benchmark no longer needs the servers.
func (w *worker) watchRelease(ctx context.Context, text string) {
	file, err := roles.Render("release", text, w.facts)
	if err != nil {
		return
	}
	tick := time.NewTicker(releasePoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := os.Stat(file); err == nil {
				w.tell(control.Event{Kind: control.Release})
				return
			}
		}
	}
}

// code is the exit code after the child has gone.
func (w *worker) code(o supervisor.Outcome) int {
	switch {
	case o.StopReason == "":
		return childCode(o)
	case w.finished:
		return 0
	}
	return ExitStopped
}

// idleCode is the exit code of an agent that was stopped before it had a child.
func (w *worker) idleCode() int {
	if w.finished {
		return 0
	}
	return ExitStopped
}
