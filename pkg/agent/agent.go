package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

// Options is what an agent works on.
type Options struct {
	Plan       roles.Plan
	Attempt    int
	Identity   roles.Identity
	JobID      string    // Slurm's, "" elsewhere
	BatchStart time.Time // when the batch script began; zero if unknown
	JobEnds    time.Time // when Slurm will end the job; zero if unknown
	BatchPID   int       // of the batch script, which runs on the hub's host; 0 if there is none
	Environ    []string  // this process's environment
	Stdout     io.Writer // gets the child's output as well, for the role's log
	Log        *zap.Logger
	Memory     int64            // bound of the step's memory in bytes that the environment tells; 0: none
	Guard      []string         // command that calls supervisor.Watch; none: nobody ends the child if this process is killed
	Uploader   string           // path of disagg-submit, which sends the records
	Signals    <-chan os.Signal // SIGTERM and SIGINT stop; SIGUSR1 warns of the end of the job's time; SIGUSR2 logs the state
}

// Run lives the life of one rank and returns its exit code. An error is a fault of the agent or its surroundings, never
// of the child.
func Run(o Options) (code int, err error) {
	attempt := o.Plan.RunDir.Attempt(o.Attempt)
	token, err := openAttempt(o.Plan, attempt)
	if err != nil {
		return ExitUsage, err
	}
	sup, err := supervisor.New()
	if err != nil {
		return ExitBug, err
	}
	defer sup.Close()
	w := &worker{
		token: token, opts: o, sup: sup, attempt: attempt, log: o.Log,
		facts: o.Plan.Facts(o.Identity, attempt, roles.RunID(o.Plan.ID, o.Attempt), authKey(token)),
	}
	if o.Identity.Task.Leader() && !o.Plan.Policy.StartAlone {
		if w.listener, err = preflight.Listen(o.Identity.Host, token); err != nil {
			return ExitUsage, fmt.Errorf("cannot listen on this host's address: %w: check the profile (interface)", err)
		}
		defer w.listener.Close()
	}
	if o.Identity.Task == roles.Hub() {
		return runHub(w, token)
	}
	if err := publish(attempt, o.Identity, w.facts.RunID, ""); err != nil {
		return ExitUsage, err
	}
	w.link = control.Dial(control.ClientOptions{
		Find: w.findHub, Token: token, Hello: w.hello(),
		Heartbeat: time.Duration(o.Plan.Timeouts.Heartbeat), Lost: time.Duration(o.Plan.Timeouts.Lost),
		CloseWait: time.Duration(o.Plan.Timeouts.Lost),
	})
	defer w.link.Close()
	defer sup.Close() // the goodbye is the last: once all have said it, the job may end and Slurm kills what is left
	return w.live(), nil
}

func (w *worker) hello() control.Hello {
	id := w.opts.Identity
	h := control.Hello{
		Task: id.Task, Session: uuid.NewString(), RunID: w.facts.RunID,
		Node: id.Node, Host: id.Host, PID: os.Getpid(), Step: id.Step,
	}
	if w.listener != nil {
		h.Listen = w.listener.Address()
	}
	return h
}

// findHub waits for the hub, for as long as the plan allows agents to arrive.
func (w *worker) findHub(ctx context.Context) (string, error) {
	if p := w.opts.Plan; !p.Policy.StartAlone {
		var cancel context.CancelFunc
		late := fmt.Errorf("no hub within %v", time.Duration(p.Timeouts.Launch))
		ctx, cancel = context.WithTimeoutCause(ctx, time.Duration(p.Timeouts.Launch), late)
		defer cancel()
	}
	return findHub(ctx, w.attempt, w.facts.RunID)
}

// runHub lives the life of BENCHMARK: its own rank's, and the hub's.
func runHub(w *worker, token string) (int, error) {
	o := w.opts
	if _, err := os.Stat(w.attempt.Result()); err == nil {
		return ExitUsage, fmt.Errorf("cannot run: attempt %s has its verdict already: use a new run directory", w.attempt)
	}
	server, err := control.Listen(control.ServerOptions{
		Host: o.Identity.Host, Token: token, RunID: w.facts.RunID,
		Expected: func(t roles.Task) bool {
			pl, ok := o.Plan.Layout.Find(t.Role)
			return ok && t.Rank >= 0 && t.Rank < pl.Ranks
		},
		Heartbeat: time.Duration(o.Plan.Timeouts.Heartbeat), Lost: time.Duration(o.Plan.Timeouts.Lost),
		Reconnect: time.Duration(o.Plan.Timeouts.Heartbeat),
	})
	if err != nil {
		return ExitUsage, err
	}
	defer server.Close()
	pattern, err := roles.Render("results.files", o.Plan.Steps(o.Identity.Task.Role).Results.Files, w.facts)
	if err != nil {
		return ExitUsage, err
	}
	h, err := hub.New(hub.Options{
		Plan: o.Plan, Attempt: w.attempt, RunID: w.facts.RunID, JobID: o.JobID, BatchStart: o.BatchStart, JobEnds: o.JobEnds,
		Submitted: o.Plan.CreatedAt, Results: pattern, Uploader: uploader(o.Uploader, w.attempt), Server: server,
		Script: o.BatchPID != 0, Log: o.Log,
	})
	if err != nil {
		return ExitUsage, err
	}
	if err := publish(w.attempt, o.Identity, w.facts.RunID, server.Address()); err != nil {
		return ExitUsage, err
	}
	w.link = server.Local(w.hello())
	codes := make(chan int, 1)
	go func() {
		defer w.link.Close()
		defer w.sup.Close()
		codes <- w.live()
	}()
	ctx, stop := whileAlive(context.Background(), o.BatchPID)
	defer stop()
	result, err := h.Run(ctx)
	own := <-codes
	return hubCode(result, own), err
}

// uploader is the command that sends an attempt's records.
func uploader(program string, a roles.Attempt) []string {
	return []string{program, "upload", "drain", "--json", string(a)}
}

// Exit codes of an agent that are not its child's.
const (
	ExitStopped  = 1   // stopped because of a peer, or on request
	ExitUsage    = 64  // usage or configuration
	ExitBug      = 70  // a fault of the agent
	ExitDeadline = 124 // a deadline passed
)

// hubCode is BENCHMARK's exit code, which the batch script passes on: its own child's if that failed first, else what
// the verdict says.
func hubCode(r results.Result, own int) int {
	switch {
	case r.Verdict == results.Passed:
		return 0
	case r.ExitCode == ExitDeadline:
		return ExitDeadline
	case r.FirstCause != nil && r.FirstCause.Role == roles.Hub().Role && own > 1:
		return own
	}
	return ExitStopped
}

// childCode is the exit code of an agent whose child ended by itself.
func childCode(o supervisor.Outcome) int {
	switch {
	case !o.Started, o.Signal != "", o.Code < ExitUsage:
		return o.Code
	}
	return ExitStopped // a code that would read as one of the agent's own
}

var errHubLost = errors.New("the hub is lost")
