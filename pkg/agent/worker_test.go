package agent

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long anything may take that should happen at once.
const bound = 20 * time.Second

// link is the agent's side of a conversation with a hub that the test plays.
type link struct {
	events     chan control.Event
	directives chan control.Directive
	lost       chan struct{}
}

func (l *link) Send(e control.Event)                 { l.events <- e }
func (l *link) Directives() <-chan control.Directive { return l.directives }
func (l *link) Lost() <-chan struct{}                { return l.lost }
func (l *link) Err() error                           { return io.EOF }
func (l *link) Close()                               {}

// rank is one agent under test: a worker of GEN_0 whose command is a shell script.
type rank struct {
	t *testing.T
	*link
	signals chan os.Signal
	log     *observer.ObservedLogs
	attempt roles.Attempt
	code    chan int
}

func newRank(t *testing.T, rankNumber int, script string) *rank {
	t.Helper()
	sup, err := supervisor.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sup.Close)
	core, logs := observer.New(zap.InfoLevel)
	r := &rank{
		t: t, link: &link{events: make(chan control.Event, 64), directives: make(chan control.Directive, 8), lost: make(chan struct{})},
		signals: make(chan os.Signal, 8), log: logs, attempt: roles.RunDir(t.TempDir()).Attempt(0), code: make(chan int, 1),
	}
	plan := roles.Plan{
		Recipe: roles.Recipe{Roles: map[roles.Kind]roles.Steps{roles.Gen: {
			Command: []roles.Arg{{Text: "/bin/sh"}, {Text: "-c"}, {Text: script}},
			Stop:    roles.Stop{Signal: "TERM", To: "group", Grace: roles.Duration(bound)},
		}}},
		Timeouts: roles.Timeouts{Stop: roles.Duration(bound), Probe: roles.Duration(time.Second), Lost: roles.Duration(time.Second)},
	}
	id := roles.Identity{Task: roles.Task{Role: roles.Role{Kind: roles.Gen}, Rank: rankNumber}, Ranks: 2, Node: "n", Host: "127.0.0.1"}
	w := &worker{
		opts: Options{Plan: plan, Identity: id, Environ: os.Environ(), Stdout: io.Discard, Signals: r.signals},
		sup:  sup, attempt: r.attempt, link: r.link, log: zap.New(core), facts: plan.Facts(id, r.attempt, "run-0", "key"),
	}
	go func() { r.code <- w.live() }()
	return r
}

// until returns the next event of a kind.
func (r *rank) until(kind control.EventKind) control.Event {
	r.t.Helper()
	for timeout := time.After(bound); ; {
		select {
		case e := <-r.events:
			if e.Kind == kind {
				return e
			}
		case <-timeout:
			r.t.Fatalf("no event %s", kind)
		}
	}
}

// start starts the child, and waits until it has printed "ready".
func (r *rank) start() {
	r.t.Helper()
	r.directives <- control.Directive{Kind: control.Start}
	r.until(control.Started)
	r.await("the child is ready", func() bool {
		data, _ := os.ReadFile(r.attempt.RankLog(roles.Task{Role: roles.Role{Kind: roles.Gen}, Rank: 0}))
		return strings.Contains(string(data), "ready")
	})
}

func (r *rank) await(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(bound); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("never: %s", what)
		}
	}
}

// ended checks how the agent ended.
func (r *rank) ended(code int) {
	r.t.Helper()
	select {
	case got := <-r.code:
		if got != code {
			r.t.Errorf("the agent's code is %d, want %d", got, code)
		}
	case <-time.After(bound):
		r.t.Fatal("the agent goes on")
	}
}

const sleeper = "echo ready; while :; do sleep 0.05; done"

// A child that ends by itself is told at once. The agent ends when the hub has judged it: with the code of what failed
// first in its step, which may be its child's, and never with 0 unless the work was done.
func TestChildEnds(t *testing.T) {
	tests := map[string]struct {
		script string
		code   int
		stop   control.Directive
		want   int
	}{
		"it failed first":       {"exit 7", 7, control.Directive{Code: 7}, 7},
		"a sibling did":         {"exit 7", 7, control.Directive{Code: 3}, 3},
		"another role did":      {"exit 7", 7, control.Directive{}, 7},
		"it followed a sibling": {"exit 0", 0, control.Directive{Code: 3}, 3},
		"it ended early":        {"exit 0", 0, control.Directive{}, ExitStopped},
		"the work is done":      {"exit 0", 0, control.Directive{Finished: true}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRank(t, 1, tt.script)
			r.directives <- control.Directive{Kind: control.Start}
			if e := r.until(control.Exited); e.Outcome.Code != tt.code || e.Outcome.StopReason != "" || e.Code != tt.code {
				t.Errorf("%+v: %+v", e, e.Outcome)
			}
			tt.stop.Kind, tt.stop.Reason = control.Stop, "judged"
			r.directives <- tt.stop
			if o := r.until(control.Stopped).Outcome; o.Code != tt.code || o.StopReason != "" {
				t.Errorf("%+v", o)
			}
			r.ended(tt.want)
		})
	}
}

// An agent whose child has ended does not wait for ever: not for a hub that is lost, or says nothing.
func TestNobodyJudges(t *testing.T) {
	t.Run("the hub is lost", func(t *testing.T) {
		r := newRank(t, 0, "exit 7")
		r.directives <- control.Directive{Kind: control.Start}
		r.until(control.Exited)
		close(r.lost)
		r.ended(7)
	})
	t.Run("the hub is silent", func(t *testing.T) {
		r := newRank(t, 0, "exit 7")
		r.directives <- control.Directive{Kind: control.Start}
		r.ended(7)
	})
}

// Whoever stops the agent, its child is stopped with it, and its code hides nobody's.
func TestStopped(t *testing.T) {
	tests := map[string]struct {
		act    func(*rank)
		reason string
		code   int
	}{
		"the work is done":    {func(r *rank) { r.directives <- control.Directive{Kind: control.Stop, Reason: "done", Finished: true} }, "done", 0},
		"a peer failed":       {func(r *rank) { r.directives <- control.Directive{Kind: control.Stop, Reason: "CTX_0 died"} }, "CTX_0 died", ExitStopped},
		"its own step failed": {func(r *rank) { r.directives <- control.Directive{Kind: control.Stop, Reason: "GEN_0 died", Code: 137} }, "GEN_0 died", 137},
		"a signal":            {func(r *rank) { r.signals <- syscall.SIGTERM; r.until(control.Leaving) }, "signal terminated", ExitStopped},
		"the hub is lost":     {func(r *rank) { close(r.lost) }, "the hub is lost: EOF", ExitStopped},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRank(t, 0, sleeper)
			r.start()
			tt.act(r)
			if o := r.until(control.Stopped).Outcome; o.StopReason != tt.reason || o.Signal != "SIGTERM" {
				t.Errorf("%+v", o)
			}
			r.ended(tt.code)
		})
		t.Run(name+", before the start", func(t *testing.T) {
			r := newRank(t, 0, sleeper)
			tt.act(r)
			if o := r.until(control.Stopped).Outcome; o.StopReason != tt.reason || o.Started {
				t.Errorf("%+v", o)
			}
			r.ended(tt.code)
		})
	}
}

// A warning is passed on and stops nothing; a question is answered in the log and stops nothing either.
func TestHarmlessSignals(t *testing.T) {
	r := newRank(t, 0, sleeper)
	r.start()
	r.signals <- syscall.SIGUSR2
	r.signals <- syscall.SIGUSR1
	r.until(control.Warned)
	dump := r.log.FilterMessageSnippet("SIGUSR2").All()
	if len(dump) != 1 || dump[0].ContextMap()["child"] == nil || !slices.Contains(dump[0].ContextMap()["tail"].([]any), any("ready")) {
		t.Errorf("%+v", dump)
	}
	r.directives <- control.Directive{Kind: control.Stop, Reason: "enough"}
	r.ended(ExitStopped)
}

// What is started is logged with what was decided on its environment, but for secrets.
func TestStartIsLogged(t *testing.T) {
	t.Setenv("SLURM_TEST", "1")
	r := newRank(t, 0, "MY_TOKEN=s3cr3t-value; exit 0")
	r.directives <- control.Directive{Kind: control.Start}
	r.until(control.Exited)
	r.directives <- control.Directive{Kind: control.Stop, Reason: "done", Finished: true}
	r.ended(0)
	entry := r.log.FilterMessage("starting").All()[0].ContextMap()
	text := fmt.Sprint(entry)
	if strings.Contains(text, "s3cr3t") || !strings.Contains(text, "MY_TOKEN=[redacted]") {
		t.Errorf("argv %v", entry["argv"])
	}
	if !strings.Contains(fmt.Sprint(entry["set"]), "DISAGG_SERVING_TYPE=GEN_0") || !strings.Contains(fmt.Sprint(entry["removed"]), "SLURM_TEST") {
		t.Errorf("set %v, removed %v", entry["set"], entry["removed"])
	}
}

// A child that cannot be prepared is told as never started, with the reason.
func TestNotPrepared(t *testing.T) {
	r := newRank(t, 0, "{{.Nonsense}}")
	r.directives <- control.Directive{Kind: control.Start}
	if o := r.until(control.Exited).Outcome; o.Started || !strings.Contains(o.Error, "Nonsense") {
		t.Errorf("%+v", o)
	}
	r.ended(supervisor.CodeNotStarted)
	if _, err := os.Stat(filepath.Dir(r.attempt.RankLog(roles.Task{}))); err == nil {
		t.Error("a child that was never started has a log")
	}
}
