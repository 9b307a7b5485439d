package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/decide"
	"github.com/disagg/disagg/pkg/decide/rank"
	"github.com/disagg/disagg/pkg/endpoint"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/supervisor"
)

// Options is what an agent works on.
type Options struct {
	Plan     plan.Plan
	Role     roles.Role
	Identity scheduler.Identity
	Node     string // name of this host
	Host     string // address that peers reach this host by
	Times    decide.Times
	JobEnds  time.Time // when the scheduler will end the job; zero if unknown
	Batch    string    // mark of the batch script's process (supervisor.Mark), "" if there is none
	Environ  []string  // this process's environment
	// LauncherVars are what only ranks of an MPI job may see of it, besides MPI's own.
	LauncherVars LauncherVars
	Wrap         []string  // words that are put before the child's command; none: nothing is
	Stdout       io.Writer // gets the child's output as well, for the role's log
	Stderr       io.Writer // gets a verdict that the run directory does not take
	Log          *zap.Logger
	Disk         *rundir.Disk
	// DiskEvents reports that the run directory does not answer this host, and that it answers again.
	DiskEvents <-chan protocol.Event
	// DiskPatience is the hub's, see [hub.Options].
	DiskPatience time.Duration
	// Guard is a command that calls supervisor.Watch; none: nobody ends the child if this process is killed.
	Guard    []string
	Uploader string // path of disagg-submit, which sends the records
	// Signals: SIGTERM, SIGINT and SIGHUP stop; SIGUSR1 warns of the end of the job's time; SIGUSR2 logs the state.
	Signals <-chan os.Signal
}

func (o Options) task() roles.Task { return roles.Task{Role: o.Role, Rank: o.Identity.Rank} }

// Run lives the life of one rank and returns its exit code. An error is a fault of the agent or its surroundings, never
// of the child.
func Run(o Options) (code int, err error) {
	attempt := rundir.Dir(o.Plan.RunDir).Attempt(o.Identity.Attempt)
	token, err := bounded(o.Plan.Timeouts.Launch.Std(),
		func() (string, error) { return rundir.OpenAttempt(attempt, o.Plan.Case.TestID) })
	if err != nil {
		return protocol.ExitUsage, err
	}
	sup, err := supervisor.New()
	if err != nil {
		return protocol.ExitInternal, err
	}
	defer sup.Close()
	w, err := newWorker(o, attempt, token, sup)
	if err != nil {
		return protocol.ExitUsage, err
	}
	defer w.closeListener()
	defer w.endpoint.Close()
	if w.task == roles.Hub() {
		return runHub(w)
	}
	if err := w.publish(""); err != nil {
		return protocol.ExitUsage, err
	}
	if o.Plan.Policy.Keep == "" {
		w.link = w.dial(w.findHub, w.runID)
	} else {
		w.seekHub()
	}
	defer w.endLink()
	defer sup.Close() // the goodbye is the last: once all have said it, the job may end and Slurm kills what is left
	code = w.live()
	if w.machine.Asked() && !w.attached() {
		return code, errors.New(protocol.StoppedEarly)
	}
	if why := w.linkErr(); why != nil && !w.attached() {
		const advice = "%w: check the network between %s and the hub's host, and the profile (interface)"
		return code, fmt.Errorf(advice, why, o.Node)
	}
	return code, nil
}

// bounded runs something that may hang with the run directory.
func bounded[T any](bound time.Duration, do func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := do()
		done <- result{v, err}
	}()
	if bound == 0 { // people may take their time
		r := <-done
		return r.v, r.err
	}
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.v, r.err
	case <-timer.C:
		var none T
		return none, fmt.Errorf("the run directory does not answer: waited for %v", bound)
	}
}

func newWorker(o Options, attempt rundir.Attempt, token string, sup *supervisor.Supervisor) (*worker, error) {
	w := &worker{
		opts: o, sup: sup, attempt: attempt, log: o.Log, task: o.task(), token: token,
		machine: rank.New(o.Plan, o.task()), runID: o.Plan.RunID(o.Identity.Attempt),
		inputs: make(chan any), over: make(chan struct{}), searching: func() {},
	}
	w.data = o.data(attempt, token)
	pl, _ := o.Plan.Layout.Find(o.Role)
	if pl.FirstOnNode(w.task.Rank) && !o.Plan.Policy.Interactive {
		var err error
		if w.listener, err = preflight.Listen(o.Host, token); err != nil {
			return nil, fmt.Errorf(noListening, err)
		}
	}
	if o.Plan.Cluster.Endpoints {
		var err error
		if w.endpoint, err = endpoint.Listen(o.Host, rundir.StatusKey(token), w.pages()); err != nil {
			return nil, fmt.Errorf(noListening, err)
		}
	}
	return w, nil
}

const noListening = "cannot listen on this host's address: %w: check the profile (interface)"

// data is what the rank's templates can refer to, but for the addresses of its peers.
func (o Options) data(attempt rundir.Attempt, token string) recipe.Data {
	d := o.Plan.Data(o.Role)
	pl, _ := o.Plan.Layout.Find(o.Role)
	d.Rank, d.Ranks, d.Node, d.Host = o.Identity.Rank, pl.Ranks, o.Node, o.Host
	d.RunID, d.AuthKey, d.Dirs = o.Plan.RunID(o.Identity.Attempt), rundir.AuthKey(token),
		attempt.Dirs(o.task(), o.Plan.Case.TestID)
	d.ModelPath = modelPath(o.Plan)
	return d
}

func (w *worker) hello(runID string) protocol.Hello {
	o := w.opts
	h := protocol.Hello{
		Task: w.task, Session: uuid.NewString(), RunID: runID, Node: o.Node, Host: o.Host, PID: os.Getpid(),
		Step: o.Identity.Step, Served: w.machine.Served(),
	}
	if w.listener != nil {
		h.Listen = w.listener.Address()
	}
	return h
}

// publish tells the others of this agent; of the hub, where it is.
func (w *worker) publish(hub string) error {
	_, err := bounded(w.opts.Plan.Timeouts.Launch.Std(), func() (struct{}, error) {
		if w.endpoint != nil {
			if err := rundir.LeaveStatusKey(w.attempt, w.token); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, rundir.Publish(w.attempt, w.published(hub))
	})
	return err
}

func (w *worker) published(hub string) protocol.Published {
	o := w.opts
	return protocol.Published{
		Task: w.task, Node: o.Node, Host: o.Host, Step: o.Identity.Step, Hub: hub, RunID: w.runID,
		Endpoint: w.endpoint.Address(),
	}
}
