package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/check"
)

// A child that ends by itself is reported at once. The agent ends when the hub has judged it: with the code of what
// failed first in its step, which may be its child's, and never with 0 unless the work was done.
func TestChildEnds(t *testing.T) {
	tests := map[string]struct {
		script string
		code   int
		stop   protocol.Command
		want   int
	}{
		"it failed first":       {"exit 7", 7, protocol.Command{Code: 7}, 7},
		"a sibling did":         {"exit 7", 7, protocol.Command{Code: 3}, 3},
		"another role did":      {"exit 7", 7, protocol.Command{}, 7},
		"it followed a sibling": {"exit 0", 0, protocol.Command{Code: 3}, 3},
		"it ended early":        {"exit 0", 0, protocol.Command{}, protocol.ExitFailed},
		"the work is done":      {"exit 0", 0, protocol.Command{Finished: true}, 0},
		"a code of the tool":    {"exit 75", 75, protocol.Command{}, protocol.ExitFailed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAgent(t, gen1, tt.script, nil)
			a.tell(protocol.CommandStart)
			e := a.until(protocol.EventExited)
			if e.Outcome.Code != tt.code || e.Outcome.StopReason != "" || e.Code != protocol.ChildCode(*e.Outcome) {
				t.Errorf("%+v: %+v", e, e.Outcome)
			}
			tt.stop.Kind, tt.stop.Reason = protocol.CommandStop, "judged"
			a.commands <- tt.stop
			if o := a.until(protocol.EventStopped).Outcome; o.Code != tt.code || o.StopReason != "" {
				t.Errorf("%+v", o)
			}
			a.ended(tt.want)
		})
	}
}

// What a child that failed has printed last is reported with its end; a child that was stopped has no such lines.
func TestLastLines(t *testing.T) {
	a := newAgent(t, gen0, "echo one; echo 'ValueError: two' >&2; exit 7", nil)
	a.tell(protocol.CommandStart)
	a.until(protocol.EventExited)
	a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "judged"}
	o := a.until(protocol.EventStopped).Outcome
	if !slices.Equal(o.Tail, []string{"one", "ValueError: two"}) || o.Headline != "ValueError: two" {
		t.Errorf("tail %q, headline %q", o.Tail, o.Headline)
	}
	a.ended(7)
	a = newAgent(t, gen0, sleeper, nil)
	a.start()
	a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "enough"}
	if o = a.until(protocol.EventStopped).Outcome; o.Tail != nil {
		t.Errorf("it was stopped: tail %q, headline %q", o.Tail, o.Headline)
	}
	a.ended(protocol.ExitFailed)
}

// An agent whose child has ended does not wait for ever: not for a hub that is lost, or says nothing.
func TestNobodyJudges(t *testing.T) {
	t.Run("the hub is lost", func(t *testing.T) {
		a := newAgent(t, gen0, "exit 7", nil)
		a.tell(protocol.CommandStart)
		a.until(protocol.EventExited)
		close(a.lost)
		a.ended(7)
	})
	t.Run("the hub is silent", func(t *testing.T) {
		a := newAgent(t, gen0, "exit 7", func(a *agent) { a.opts.Plan.Timeouts.Lost = 1 })
		a.tell(protocol.CommandStart)
		a.ended(7)
	})
}

// Whoever stops the agent, its child is stopped with it, and its code hides nobody's.
func TestStopped(t *testing.T) {
	told := func(c protocol.Command) func(*agent) {
		c.Kind = protocol.CommandStop
		return func(a *agent) { a.commands <- c }
	}
	signalled := func(sig syscall.Signal) func(*agent) {
		return func(a *agent) { a.signals <- sig; a.until(protocol.EventLeaving) }
	}
	tests := map[string]struct {
		act    func(*agent)
		reason string
		code   int
	}{
		"the work is done":    {told(protocol.Command{Reason: "done", Finished: true}), "done", 0},
		"a peer failed":       {told(protocol.Command{Reason: "CTX_0 died"}), "CTX_0 died", protocol.ExitFailed},
		"its own step failed": {told(protocol.Command{Reason: "GEN_0 died", Code: 137}), "GEN_0 died", 137},
		"SIGTERM":             {signalled(syscall.SIGTERM), "signal SIGTERM", protocol.ExitFailed},
		"Ctrl-C":              {signalled(syscall.SIGINT), "signal SIGINT", protocol.ExitFailed},
		"the terminal closes": {signalled(syscall.SIGHUP), "signal SIGHUP", protocol.ExitFailed},
		"the hub is lost":     {func(a *agent) { close(a.lost) }, "the hub is lost: EOF", protocol.ExitFailed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAgent(t, gen0, sleeper, nil)
			a.start()
			tt.act(a)
			if o := a.until(protocol.EventStopped).Outcome; o.StopReason != tt.reason || o.Signal != "SIGTERM" {
				t.Errorf("%+v", o)
			}
			a.ended(tt.code)
		})
		t.Run(name+", before the start", func(t *testing.T) {
			a := newAgent(t, gen0, sleeper, nil)
			tt.act(a)
			if o := a.until(protocol.EventStopped).Outcome; o.StopReason != tt.reason || o.Started {
				t.Errorf("%+v", o)
			}
			a.ended(tt.code)
			if strings.Contains(a.output(), "ready") {
				t.Error("the child was started")
			}
		})
	}
}

// Somebody who presses Ctrl-C again and again does not hasten the end of a child that uses its grace period.
func TestImpatience(t *testing.T) {
	a := newAgent(t, gen0,
		`trap 'echo asked; sleep 0.3; echo done; exit 0' TERM; echo ready; while :; do sleep 0.05; done`, nil)
	a.start()
	for range 5 {
		a.signals <- syscall.SIGINT
	}
	o := a.until(protocol.EventStopped).Outcome
	if o.Signal != "" || o.StopReason != "signal SIGINT" || !strings.HasSuffix(a.output(), "asked\ndone\n") {
		t.Errorf("%+v: %q", o, a.output())
	}
	a.ended(protocol.ExitFailed)
}

// Nothing that the child has started is left behind, wherever it hides.
func TestNothingIsLeft(t *testing.T) {
	const hides = `setsid sh -c 'trap "" TERM; touch hidden; exec sleep 600' &
		while [ ! -e hidden ]; do sleep 0.01; done; echo ready; wait`
	a := newAgent(t, gen0, hides, func(a *agent) { a.opts.Plan.Timeouts.Stop = 1 }) // it does not heed what it is asked
	a.start()
	a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "enough"}
	a.until(protocol.EventStopped)
	a.ended(protocol.ExitFailed) // and supervise proves the rest
}

// A warning is passed on and stops nothing; a question is answered in the log and stops nothing either.
func TestHarmlessSignals(t *testing.T) {
	a := newAgent(t, gen0, sleeper, nil)
	a.start()
	a.signals <- syscall.SIGUSR2
	a.signals <- syscall.SIGUSR1
	if e := a.until(protocol.EventWarned); !strings.Contains(e.Detail, "SIGUSR1") {
		t.Errorf("%+v", e)
	}
	dump := a.log.FilterMessageSnippet("SIGUSR2").All()
	if len(dump) != 1 || dump[0].ContextMap()["child"] == nil ||
		!slices.Contains(dump[0].ContextMap()["tail"].([]any), any("ready")) {
		t.Errorf("%+v", dump)
	}
	a.stop()
}

// What is started is logged with what was decided on its environment, but for secrets.
func TestStartIsLogged(t *testing.T) {
	t.Setenv("SLURM_TEST", "1")
	a := newAgent(t, gen0, "MY_TOKEN=s3cr3t-value; exit 0", nil)
	a.tell(protocol.CommandStart)
	a.until(protocol.EventExited)
	a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "done", Finished: true}
	a.ended(0)
	entry := a.log.FilterMessage("starting").All()[0].ContextMap()
	if text := fmt.Sprint(entry); strings.Contains(text, "s3cr3t") || !strings.Contains(text, "MY_TOKEN=[redacted]") {
		t.Errorf("argv %v", entry["argv"])
	}
	if !strings.Contains(fmt.Sprint(entry["set"]), "DISAGG_SERVING_TYPE=GEN_0") ||
		!strings.Contains(fmt.Sprint(entry["removed"]), "SLURM_TEST") {
		t.Errorf("set %v, removed %v", entry["set"], entry["removed"])
	}
}

// A child that cannot be prepared, or started, is reported as never started, with the reason.
func TestNeverStarted(t *testing.T) {
	tests := map[string]struct {
		change func(*recipe.RoleSpec)
		code   int
		reason string
	}{
		"a template is wrong": {
			func(s *recipe.RoleSpec) { s.Command[2].Text = "{{.Nonsense}}" }, protocol.ExitNotStarted, "Nonsense",
		},
		"a wrapper is wrong": {
			func(s *recipe.RoleSpec) { s.Wrapper = []recipe.Arg{{Text: "{{.Nonsense}}"}} }, protocol.ExitNotStarted,
			"Nonsense",
		},
		"a variable is wrong": {
			func(s *recipe.RoleSpec) { s.Env = map[string]string{"X": "{{.Nonsense}}"} }, protocol.ExitNotStarted,
			"Nonsense",
		},
		"a file is wrong": {
			func(s *recipe.RoleSpec) { s.Files = []recipe.File{{Path: "f", Text: "{{.Nonsense}}"}} },
			protocol.ExitNotStarted, "Nonsense",
		},
		"a probe is wrong": {
			func(s *recipe.RoleSpec) { s.Ready = &recipe.Probe{Line: "("} }, protocol.ExitNotStarted,
			"cannot probe the log",
		},
		"progress is wrong": {
			func(s *recipe.RoleSpec) { s.Stall = &recipe.Stall{Line: "("} }, protocol.ExitNotStarted,
			"cannot watch progress",
		},
		"its folder is wrong": {
			func(s *recipe.RoleSpec) { s.Dir = "{{.Nonsense}}" }, protocol.ExitNotStarted, "Nonsense",
		},
		"its folder is missing": {
			func(s *recipe.RoleSpec) { s.Dir = "/no/such/folder" }, protocol.ExitNotStarted, "/no/such/folder",
		},
		"its command is missing": {
			func(s *recipe.RoleSpec) { s.Command[0].Text = "no-such-command" }, protocol.ExitNotFound,
			"no-such-command",
		},
		"it is not a program": {
			func(s *recipe.RoleSpec) { s.Command[0].Text = "/etc/passwd" }, protocol.ExitNotExecutable, "/etc/passwd",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAgent(t, gen0, "exit 0", func(a *agent) { a.spec(tt.change) })
			a.tell(protocol.CommandStart)
			if o := a.until(protocol.EventExited).Outcome; o.Started || o.Code != tt.code ||
				!strings.Contains(o.Error, tt.reason) {
				t.Errorf("%+v", o)
			}
			a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "judged"}
			a.ended(tt.code)
			if a.output() != "" {
				t.Errorf("a child that was never started has printed %q", a.output())
			}
		})
	}
}

// The child runs in its own folder, with the files that its recipe asks for, which only their owner may read.
func TestFilesAndFolder(t *testing.T) {
	a := newAgent(t, gen1, `pwd; cat sub/config; ls -l sub/config | cut -c1-10`, func(a *agent) {
		a.spec(func(s *recipe.RoleSpec) {
			s.Files = []recipe.File{{Path: "sub/config", Text: "{{.Role}} rank {{.Rank}} of {{.Ranks}} on {{.Node}}\n"}}
		})
	})
	a.tell(protocol.CommandStart)
	a.until(protocol.EventExited)
	a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "done", Finished: true}
	a.ended(0)
	want := a.w.attempt.Work(gen1) + "\nGEN_0 rank 1 of 2 on n\n-rw-------\n"
	if a.output() != want {
		t.Errorf("%q, want %q", a.output(), want)
	}
	if _, err := os.Stat(strings.TrimSuffix(a.w.attempt.RankLog(gen1), ".log") + ".done"); err != nil {
		t.Errorf("the log is not sealed: %v", err)
	}
}

// A child that needs the addresses of others gets them with the command to start, and is prepared then.
func TestPeersAtStart(t *testing.T) {
	a := newAgent(t, gen0, "echo {{index .Peers \"CTX_0\"}}", func(a *agent) {
		a.spec(func(s *recipe.RoleSpec) { s.Needs.Address = append(s.Needs.Address, "CTX") })
	})
	a.commands <- protocol.Command{Kind: protocol.CommandStart, Peers: map[string]string{"CTX_0": "h:1"}}
	a.until(protocol.EventExited)
	a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "done", Finished: true}
	a.ended(0)
	if a.output() != "h:1\n" {
		t.Errorf("%q", a.output())
	}
}

// When the work is done only the command that a rank launcher runs is asked to end, and the launcher follows it in good
// order; when something failed everybody is asked at once.
func TestCommandIsAsked(t *testing.T) {
	launcher := filepath.Join(t.TempDir(), "launcher")
	script := "#!/bin/sh\ntrap 'echo the launcher was asked' TERM\n\"$@\"\n"
	check.Script(t, launcher, script)
	const command = `trap 'echo the command was asked; exit 5' TERM; echo ready; while :; do sleep 0.05; done`
	for _, finished := range []bool{true, false} {
		a := newAgent(t, gen0, command, func(a *agent) {
			a.spec(func(s *recipe.RoleSpec) {
				s.Wrapper = []recipe.Arg{{Text: launcher}}
				s.Command = append([]recipe.Arg{{Words: "env -u NOTHING"}}, s.Command...)
				s.Stop.To = "command"
			})
		})
		a.start()
		a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "done", Finished: finished}
		a.until(protocol.EventStopped)
		if !strings.Contains(a.output(), "the command was asked\n") ||
			strings.Contains(a.output(), "the launcher was asked\n") == finished {
			t.Errorf("finished %v: %q", finished, a.output())
		}
		<-a.code
	}
}

// A rank of an MPI job that does not lead may follow its leader by itself when the work is done.
func TestRankFollowsItsLeader(t *testing.T) {
	const follows = `trap 'echo asked; exit' TERM; echo ready; while [ ! -e leader-has-ended ]; do sleep 0.01; done`
	a := newAgent(t, gen1, follows, func(a *agent) {
		a.opts.Plan.Cluster.MPI = "pmix"
		a.spec(func(s *recipe.RoleSpec) { s.MPI, s.Stop.Follow = true, roles.Duration(bound) })
	})
	a.start()
	a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "done", Finished: true}
	a.await("the command is taken", func() bool { return len(a.log.FilterMessage("stopping").All()) == 1 })
	file := filepath.Join(a.w.attempt.Work(gen1), "leader-has-ended")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.until(protocol.EventStopped)
	if a.output() != "ready\n" {
		t.Errorf("%q", a.output())
	}
	a.ended(0)
}
