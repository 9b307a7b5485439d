package agent

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/decide/rank"
	"github.com/disagg/disagg/pkg/endpoint"
	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/supervisor"
)

// worker is one rank: a child and its link to the hub. Its methods run in one goroutine, that of live, unless they say
// otherwise.
type worker struct {
	opts    Options
	sup     *supervisor.Supervisor
	attempt rundir.Attempt
	data    recipe.Data
	task    roles.Task
	runID   string
	token   string
	link    control.Link // nil while there is no hub; written in live's goroutine, under linkMu
	log     *zap.Logger
	machine *rank.Machine

	listener  *preflight.Listener    // answers peers that try the way here; nil if nobody will
	endpoint  *endpoint.Server       // answers who asks for the status; nil: nobody may
	job       func() *protocol.State // the hub's view; nil: this is no hub's agent
	gpus      *gpuSampler            // nil: this agent samples none
	linkMu    sync.Mutex
	moved     bool           // the link is another
	lastHub   string         // address of the hub that was attached to last; "": none was
	searching func()         // ends the search for the next hub
	parting   sync.WaitGroup // of links to hubs that were left

	inputs chan any      // from other goroutines: rank inputs, and children that were started
	over   chan struct{} // closed when nobody takes them any more

	ready   *readyChild // nil until the child is being prepared
	abandon func(reason string)
	child   *supervisor.Process
	output  *searched // of the child
	service *service  // nil until the child is started, and for ranks that do not lead
	release *release  // of the benchmark, once it is being started
	heard   atomic.Bool
}

// launched is a child that was started, or that could not be.
type launched struct {
	process *supervisor.Process
	service *service
	output  *searched
	command func([]string) bool // finds what its launcher runs; nil if there is no launcher
}

// live waits for whatever comes first, again and again, until nothing is left to do. It returns the exit code.
func (w *worker) live() int {
	defer close(w.over)
	if len(w.opts.Guard) > 0 { // before there is a child, and not before the hub knows of this rank
		if err := w.sup.Guard(w.opts.Guard...); err != nil {
			w.log.Warn("nobody ends what is left if this agent is killed", zap.Error(err))
		}
	}
	defer w.endProbing()
	defer w.sampleGPUs()()
	lost := w.lost()
	timer := time.NewTimer(0)
	defer timer.Stop()
	w.step(rank.Begin{})
	for {
		if code, over := w.machine.Over(); over {
			if w.child != nil {
				<-w.child.Stored() // bounded: what is in memory still goes to a disk that answers late
			}
			return code
		}
		if w.moved {
			lost, w.moved = w.lost(), false
		}
		timer.Reset(w.idle())
		select {
		case c := <-w.commands():
			w.heard.Store(true)
			w.step(rank.Told{Command: c})
		case sig := <-w.opts.Signals:
			w.signalled(sig)
		case <-lost:
			lost = nil
			w.step(rank.HubLost{Why: errText(w.linkErr())})
		case in := <-w.inputs:
			w.take(in)
		case <-timer.C:
			w.step(rank.Tick{})
		}
	}
}

func errText(err error) string {
	if err == nil {
		return "it is gone"
	}
	return err.Error()
}

// attached tells whether the hub ever gave this rank a command.
func (w *worker) attached() bool { return w.heard.Load() }

const mostIdle = time.Hour

func (w *worker) idle() time.Duration {
	d := w.machine.Deadline()
	if d.IsZero() {
		return mostIdle
	}
	return max(time.Until(d), 0)
}

// signalled does what a signal asks for.
func (w *worker) signalled(sig os.Signal) {
	switch sig {
	case syscall.SIGUSR1:
		w.step(rank.Warned{Name: signalName(sig)})
	case syscall.SIGUSR2:
		w.dump()
	default:
		w.step(rank.Asked{Name: signalName(sig)})
	}
}

// dump logs what this rank is doing.
func (w *worker) dump() {
	state := []zap.Field{
		zap.String("stopped", w.machine.Stopped()), zap.Strings("peers", slices.Sorted(maps.Keys(w.data.Peers))),
	}
	if w.child != nil {
		state = append(state, zap.Int("child", w.child.PID()), zap.Strings("tail", w.child.Tail()))
	}
	w.log.Info("state, because of SIGUSR2", state...)
}

// take takes what another goroutine hands over.
func (w *worker) take(in any) {
	switch in := in.(type) {
	case launched:
		w.child, w.service, w.output = in.process, in.service, in.output
		w.step(rank.Started{PID: w.child.PID()})
		if w.service != nil {
			w.service.child = w.child
			go w.service.live()
			go w.service.tellProgress(w.child)
		}
		go w.await(w.child, in.output)
		if in.command != nil && w.task.Leader() { // the launchers of other ranks run something else
			go w.watchCommand(w.child, in.command, in.output)
		}
	case nextHub:
		w.meet(in)
	case statusAsked:
		in <- w.now()
	case rank.Input:
		w.step(in)
	}
}

// await reports the ends of a child, from a goroutine of its own.
func (w *worker) await(p *supervisor.Process, output *searched) {
	<-p.Exited()
	w.release.look() // servers may have seen it before
	w.in(rank.Ended{Outcome: outcome(p.Ended(), output)})
	<-p.Done()
	w.in(rank.Done{Outcome: outcome(p.Outcome(), output)})
}

// outlivedAfter is how long a launcher may outlive what it runs; one whose command measures has results to hand in.
const outlivedAfter, outlivedMeasuring = 3 * time.Second, 15 * time.Second

// watchCommand takes the end of what a launcher runs for the end of the child if the launcher does not end too: some
// wait for ever for a command that has failed. How the command ended only its launcher knows.
func (w *worker) watchCommand(p *supervisor.Process, match func([]string) bool, output *searched) {
	patience := outlivedAfter
	if w.opts.Plan.Spec(w.task.Role).Measures {
		patience = outlivedMeasuring
	}
	if !p.Outlived(context.Background(), match, patience) {
		return
	}
	ended := outcome(supervisor.Outcome{
		Started: true, Code: 1, Tail: p.Tail(), EndedAt: time.Now().Add(-patience),
	}, output)
	ended.Outlived = true
	w.in(rank.Outlived{Outcome: ended})
}

// in hands something over from another goroutine. It tells whether anybody took it.
func (w *worker) in(v any) bool {
	select {
	case w.inputs <- v:
		return true
	case <-w.over:
		return false
	}
}

func (w *worker) step(in rank.Input) {
	for _, e := range w.machine.Step(in, time.Now()) {
		w.perform(e)
	}
}

func (w *worker) perform(e rank.Effect) {
	switch e := e.(type) {
	case rank.Tell:
		w.tell(e.Event)
	case rank.Prepare:
		w.ready = w.prepare(nil, 0)
	case rank.Start:
		w.start(e.Peers, e.Measurement)
	case rank.Stop:
		w.log.Info("stopping", zap.String("reason", e.Reason))
		if w.child == nil {
			return
		}
		if e.Finished {
			w.child.Finish(e.Patience, e.Reason)
		} else {
			if w.output != nil {
				w.output.stopping(time.Now())
			}
			w.tellUnwell()
			w.child.Stop(e.Reason)
		}
		if w.opts.Disk != nil {
			go w.watchDisk(w.child)
		}
	case rank.Abandon:
		w.log.Info("not to be started", zap.String("reason", e.Reason))
		w.abandon(e.Reason)
	case rank.Kill:
		if w.child != nil {
			w.child.Kill(e.Reason)
		}
	case rank.EndProbes:
		w.endProbing()
	case rank.Preflight:
		go w.preflight(e.Peers, e.Host)
	case rank.Watch:
		if w.service != nil {
			w.service.watch(e.Peers)
		}
	case rank.Reach:
		go w.reach(e.Peers)
	case rank.Part:
		w.part(e.Reason)
	case rank.Introduce:
		if w.service != nil {
			go w.service.introduce()
		}
	case rank.Check:
		if w.service == nil {
			w.tell(protocol.Event{Kind: protocol.EventChecked, At: time.Now()})
		} else {
			w.service.check(w.release.look)
		}
	}
}

// tellUnwell tells, when the service is stopped, that it did not answer before: that may be why others have failed.
func (w *worker) tellUnwell() {
	if w.service == nil {
		return
	}
	if why, since := w.service.own.unwell(time.Now()); why != "" {
		w.tell(protocol.Event{Kind: protocol.EventUnhealthy, Detail: why, Since: since})
	}
}

// tell reports an event, and logs it afterwards. It may be called from anywhere.
func (w *worker) tell(e protocol.Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	w.send(e)
	if e.Kind == protocol.EventProgress { // the child's own log has that
		return
	}
	fields := []zap.Field{zap.String("address", e.Address), zap.String("detail", e.Detail)}
	if e.Outcome != nil {
		fields = append(fields, zap.Any("outcome", e.Outcome.Brief()))
	}
	w.log.Info(string(e.Kind), fields...)
}

// start starts the child in a goroutine of its own: its files and its program lie on the shared file system. If that
// answers only when the child was abandoned, or the rank has left already, nothing is started any more.
func (w *worker) start(peers map[string]string, measurement int) {
	w.closeListener() // everybody has tried
	w.data.Peers = peers
	if w.ready == nil || w.child != nil { // it is another child
		w.ready = w.prepare(peers, measurement)
	}
	w.release = w.newRelease(w.data)
	ready := w.ready
	abandoned, abandon := context.WithCancelCause(context.Background())
	w.abandon = func(reason string) { abandon(errors.New(reason)) }
	go func() {
		if !ready.await(abandoned) {
			why := context.Cause(abandoned).Error()
			w.in(rank.Done{Outcome: protocol.Outcome{
				StopReason: why, Error: "it was still being prepared", EndedAt: time.Now(),
			}})
			return
		}
		spec := ready.spec
		select {
		case <-w.over:
			spec.Fault = errLeft
		default:
		}
		p := w.sup.Start(spec)
		if !w.in(launched{p, ready.service, ready.output, spec.StopPolicy.Match}) {
			p.Stop(errLeft.Error())
		}
	}()
	if w.release != nil {
		go w.release.watch(ready.ctx)
	}
}

var errLeft = errors.New("the rank has left")

func (w *worker) endProbing() {
	if w.ready != nil {
		w.ready.end()
	}
}

func (w *worker) closeListener() {
	if w.listener != nil {
		w.listener.Close()
	}
}
