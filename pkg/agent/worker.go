package agent

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/preflight"
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

	token    string
	listener *preflight.Listener // answers peers that try the way here; nil if nobody will

	ready    *readyChild // nil until the child can be prepared
	child    *supervisor.Process
	service  *service // nil until the child is started, and for ranks that do not lead
	stopped  string   // why it was asked to stop; "" if it was not
	finished bool     // it was asked to stop because the work is done
	stopCode int      // what it is to end with then

	// What is still to come; nil for what is not, and for what has been seen.
	exited <-chan struct{}  // the child's leader has ended
	done   <-chan struct{}  // nothing of the child is left
	late   <-chan time.Time // the hub has taken too long to judge the child's end
	lost   <-chan struct{}  // the hub is lost
}

// live waits for whatever comes first, again and again, until nothing is left to do. It returns the exit code.
func (w *worker) live() int {
	w.begin()
	defer w.endProbing()
	for !w.over() {
		w.next()
	}
	o := w.outcome()
	w.tell(control.Event{Kind: control.Stopped, Outcome: &o})
	return w.code(o)
}

// begin does what needs nobody else.
func (w *worker) begin() {
	if len(w.opts.Guard) > 0 { // before there is a child, and not before the hub knows of this rank
		if err := w.sup.Guard(w.opts.Guard...); err != nil {
			w.log.Warn("nobody ends what is left if this agent is killed", zap.Error(err))
		}
	}
	if w.needsNobody() {
		w.ready = w.makeReady() // while the others are still to come
		if w.opts.Plan.Policy.StartAlone {
			w.start(nil)
		}
	}
	w.lost = w.link.Lost()
}

// next takes in one thing that happened.
func (w *worker) next() {
	select {
	case d := <-w.link.Directives():
		w.follow(d)
	case sig := <-w.opts.Signals:
		w.heed(sig)
	case <-w.lost:
		w.lost = nil
		w.stop(fmt.Errorf("%w: %w", errHubLost, w.link.Err()).Error(), false)
	case <-w.exited:
		w.heedSignal()
		w.tellExit()
	case <-w.done:
		if w.exited != nil {
			w.tellExit()
		}
		w.done, w.late = nil, time.After(time.Duration(w.opts.Plan.Timeouts.Lost))
	case <-w.late:
		w.stop("the hub says nothing of the end of this rank's child", false)
	}
}

// over tells whether nothing is left to do.
func (w *worker) over() bool {
	switch {
	case w.child == nil:
		return w.stopped != ""
	case w.done != nil:
		return false
	}
	return w.stopped != "" || w.judgesItself()
}

// judgesItself tells whether the rank's exit code is its child's, whatever became of the others. Any other rank waits until
// the hub has judged the end of its child: Slurm takes the code of a step from whichever of its tasks it likes, so all of
// them end with the code of the one that failed first.
func (w *worker) judgesItself() bool {
	return w.opts.Identity.Task == roles.Hub() || w.opts.Plan.Policy.StartAlone
}

// outcome is how the child ended, or why there was none.
func (w *worker) outcome() supervisor.Outcome {
	if w.child == nil {
		return supervisor.Outcome{StopReason: w.stopped, EndedAt: time.Now()}
	}
	return w.child.Outcome()
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

// tellExit tells at once how the child's leader ended, before what it left behind is gone.
func (w *worker) tellExit() {
	w.exited = nil
	w.endProbing()
	o := w.child.Ended()
	w.tell(control.Event{Kind: control.Exited, Outcome: &o, Code: childCode(o)})
}

// follow does what the hub says.
func (w *worker) follow(d control.Directive) {
	switch d.Kind {
	case control.Look:
		go w.look(d.Peers, d.Host)
	case control.Start:
		if w.child == nil && w.stopped == "" {
			w.start(d.Peers)
		}
	case control.Watch:
		if w.service != nil {
			w.service.watch(d.Peers)
		}
	case control.Check:
		if w.service == nil {
			w.tell(control.Event{Kind: control.Checked})
		} else {
			w.service.check()
		}
	case control.Stop:
		w.endProbing() // what is told to end may stop answering
		w.stopCode = d.Code
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
	if finished {
		w.child.Finish(w.patience(), reason)
	} else {
		w.child.Stop(reason)
	}
}

// patience is how long this rank may end by itself: once the work is done, ranks of an MPI job follow their leader.
func (w *worker) patience() time.Duration {
	steps := w.opts.Plan.Steps(w.facts.Role)
	if w.opts.Identity.Task.Leader() || !steps.MPI || w.opts.Plan.Cluster.MPI == "" {
		return 0
	}
	return time.Duration(steps.Stop.Follow)
}

// readyChild is a child that is ready to be started.
type readyChild struct {
	spec    supervisor.Spec
	service *service // nil for ranks that do not lead
	ctx     context.Context
	end     context.CancelFunc // ends what watches the service
}

// makeReady prepares the child. One that cannot be prepared is one that is never started, and says why.
func (w *worker) makeReady() *readyChild {
	r := &readyChild{}
	r.ctx, r.end = context.WithCancel(context.Background())
	spec, err := w.prepare()
	if err == nil && w.opts.Identity.Task.Leader() {
		r.service, err = newService(r.ctx, w, spec.Env)
	}
	if err != nil {
		w.log.Error("cannot prepare", zap.Error(err))
		spec = supervisor.Spec{Fault: err}
	}
	if r.spec = spec; r.service != nil {
		r.spec.OnLine = r.service.onLine()
	}
	return r
}

// start starts the child, and begins to watch its service.
func (w *worker) start(peers map[string]string) {
	if w.listener != nil { // everybody has tried
		w.listener.Close()
	}
	w.facts.Peers = peers
	if w.ready == nil {
		w.ready = w.makeReady()
	}
	w.child, w.service = w.sup.Start(w.ready.spec), w.ready.service
	w.exited, w.done = w.child.Exited(), w.child.Done()
	w.tell(control.Event{Kind: control.Started, PID: w.child.PID()})
	if w.service != nil {
		go w.service.live()
	}
	if release := w.opts.Plan.Steps(w.facts.Role).Release; release != "" {
		go w.watchRelease(w.ready.ctx, release)
	}
}

func (w *worker) endProbing() {
	if w.ready != nil {
		w.ready.end()
	}
}

// code is the exit code after the child has gone, or without one.
func (w *worker) code(o supervisor.Outcome) int {
	switch {
	case w.stopCode != 0:
		return w.stopCode
	case w.finished:
		return 0
	case o.StopReason == "" && (childCode(o) != 0 || w.stopped == ""):
		return childCode(o)
	}
	return ExitStopped
}
