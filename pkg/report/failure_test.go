package report

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/diagnose"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Every kind of cause has words that follow who is to blame; those of a process tell how it ended.
func TestPredicates(t *testing.T) {
	for k, want := range map[protocol.CauseKind]string{
		protocol.ChildExit: "HOW", protocol.OOM: "HOW", protocol.ChildSignal: "was HOW",
		protocol.NeverStarted: "never started", protocol.StepFailed: "could not run its step",
		protocol.InstallFailed: "could not prepare its node", protocol.PreflightFailed: "is on a host that is not fit",
		protocol.ReadyTimeout: "was not ready in time", protocol.HealthLost: "does not answer",
		protocol.Stalled: "makes no progress", protocol.AgentLost: "vanished", protocol.HostLost: "vanished",
		protocol.HubLost: "left no verdict", protocol.ResultsInvalid: "has results that do not count",
		protocol.Regression: "are worse than before", protocol.Deadline: "took too long",
		protocol.TimeLimit: "ran out of time", protocol.CauseCancelled: "was cancelled",
		protocol.DiskStuck:  "waits for a run directory that does not answer",
		protocol.AgentError: "met a fault of disagg", protocol.BenchmarkFailed: "HOW", "new_kind": "new_kind",
	} {
		if got := predicate(k, "HOW"); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	if got := predicate(protocol.BenchmarkFailed, "the benchmark exited with code 1"); got != "exited with code 1" {
		t.Error(got)
	}
}

// failureOf is what is said of a cause.
func failureOf(c protocol.Cause, change func(*Input)) Failure {
	in := Input{Plan: planOf(4), Result: protocol.Result{StartedAt: begin, EndedAt: at(100), FirstCause: &c}}
	if change != nil {
		change(&in)
	}
	return *Build(in).Failure
}

// Who asked for the end of a job is the one who cancelled it; if that is not known, it was somebody.
func TestCancelled(t *testing.T) {
	for name, tt := range map[string]struct {
		subject, detail, what, message string
	}{
		"by a person":   {"ann@login1", "pressed Ctrl-C", "cancelled the job", "pressed Ctrl-C"},
		"by somebody":   {"the job", "scancel", "was cancelled", "somebody asked for that: scancel"},
		"it says so":    {"the job", "somebody asked Slurm", "was cancelled", "somebody asked Slurm"},
		"by who knows":  {"", "SIGTERM", "was cancelled", "somebody asked for that: SIGTERM"},
		"asked, by one": {"ann@login1", "asked", "cancelled the job", "asked"},
	} {
		f := failureOf(protocol.Cause{
			Kind: protocol.CauseCancelled, Role: bench, Subject: tt.subject, Detail: tt.detail,
		}, nil)
		if f.What != tt.what || f.Message != tt.message {
			t.Errorf("%s: %q: %q", name, f.What, f.Message)
		}
	}
	f := failureOf(protocol.Cause{Kind: protocol.HostLost, Subject: "ann@login1", Detail: "no answer"}, nil)
	if f.What != "vanished" || f.Message != "no answer" {
		t.Errorf("%+v", f)
	}
}

// How a process ended stands before what it said; where its end says nothing more, the cause's message is what it said.
func TestWhatAProcessSaid(t *testing.T) {
	for name, tt := range map[string]struct {
		c             protocol.Cause
		what, message string
	}{
		"it said something": {
			protocol.Cause{Kind: protocol.ChildExit, Detail: "exited with code 7: xyz: abc", Message: "other"},
			"exited with code 7", "xyz: abc",
		},
		"its message": {
			protocol.Cause{Kind: protocol.ChildExit, Detail: "exited with code 7", Message: "other"},
			"exited with code 7", "other",
		},
		"a signal": {
			protocol.Cause{Kind: protocol.ChildSignal, Detail: "killed by SIGUSR1"}, "was killed by SIGUSR1", "",
		},
		"of another kind": {
			protocol.Cause{Kind: protocol.Stalled, Detail: "for 5 min: x", Message: "said"},
			"makes no progress", "for 5 min: x; said",
		},
		"of another kind, silent": {
			protocol.Cause{Kind: protocol.Stalled, Detail: "for 5 min"}, "makes no progress", "for 5 min",
		},
		"its last line explains nothing": {
			protocol.Cause{
				Kind: protocol.ChildExit, Detail: "exited with code 7: " + diagnose.LastLine + "CUDA out of memory",
			},
			"exited with code 7", diagnose.LastLine + "CUDA out of memory",
		},
	} {
		f := failureOf(tt.c, nil)
		if f.What != tt.what || f.Message != tt.message {
			t.Errorf("%s: %q: %q, want %q: %q", name, f.What, f.Message, tt.what, tt.message)
		}
	}
}

// Hints name what is known of the run, and nothing that is not.
func TestValues(t *testing.T) {
	c := protocol.Cause{Role: gen, Rank: 1, Host: "n2"}
	in := Input{Plan: plan.Plan{Case: roles.Case{
		GPUsPerNode: 4, WorkerConfig: map[roles.Kind]string{roles.Gen: "a: {b: 7}\nc: x\nl: [1]\n"},
	}}}
	if v := valuesOf(c, Input{}, []string{"c"}); v["image"] != "" || v["gpus_per_node"] != "" || v["job_time"] != "" ||
		v["peak"] != "" || v["keys"] != "" || v["host"] != "n2" {
		t.Errorf("of nothing %v", v)
	}
	in.Plan.Cluster.ModelsRoot, in.Plan.Cluster.MPI = "/models", "pmix"
	in.Plan.Cluster.Partition, in.Plan.Cluster.Account = "p", "acc"
	in.Plan.Cluster.Container = &profile.Container{Image: "i.sqsh"}
	in.Plan.Timeouts.Job = roles.Duration(90 * time.Minute)
	other := protocol.Outcome{PeakRSS: 9 << 30}
	in.Result.Roles = []protocol.RankOutcome{
		{Role: gen, Rank: 1, Outcome: &protocol.Outcome{PeakRSS: 3 << 29}}, {Role: gen, Rank: 0, Outcome: &other},
		{Role: ctx, Rank: 1, Outcome: &other}, {Role: gen, Rank: 1}, {Role: gen, Rank: 1, Outcome: &protocol.Outcome{}},
	}
	v := valuesOf(c, in, []string{"a.b", "c", "d", "l"})
	for name, want := range map[string]string{
		"models_root": "/models", "mpi": "pmix", "partition": "p", "account": "acc", "image": "i.sqsh",
		"gpus_per_node": "4", "job_time": "1h30m0s", "peak": "1.5 GiB",
		"keys": "worker_config.gen.a.b is 7, c is x, d is not set, l is not set",
	} {
		if v[name] != want {
			t.Errorf("%s: %q, want %q", name, v[name], want)
		}
	}
	if got := settings(in.Plan.Case, roles.Ctx, []string{"c"}); got != "" {
		t.Errorf("a role without settings has %q", got)
	}
	in.Plan.Case.WorkerConfig[roles.Gen] = "{broken"
	if got := settings(in.Plan.Case, roles.Gen, []string{"c"}); got != "" {
		t.Errorf("settings that cannot be read are %q", got)
	}
}

// A size is in the unit that suits it.
func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 MiB", 1<<20 - 1: "0 MiB", 50 << 20: "50 MiB", 1<<30 - 1: "1023 MiB", 1 << 30: "1.0 GiB",
		3 << 29: "1.5 GiB",
	} {
		if got := size(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
}

// Those are counted that were stopped because of the failure: not who is to blame, not those that ended of something
// else. How soon is from the cause until stopping began.
func TestConsequencesAreCounted(t *testing.T) {
	cause := protocol.Cause{
		Kind: protocol.ChildExit, Role: gen, Rank: 1, Host: "n2", Detail: "exited with code 7", At: at(50),
	}
	reason := cause.Who() + ": more is known by now"
	change := func(in *Input) {
		for _, r := range []struct {
			role   roles.Role
			rank   int
			reason string
		}{{gen, 0, reason}, {gen, 1, reason}, {ctx, 0, reason}, {ctx, 1, "the benchmark is done"}, {server, 0, ""}} {
			in.Result.Roles = append(in.Result.Roles, protocol.RankOutcome{
				Role: r.role, Rank: r.rank, Outcome: &protocol.Outcome{StopReason: r.reason},
			})
		}
		in.Result.Roles = append(in.Result.Roles, protocol.RankOutcome{Role: server, Rank: 1})
		in.Result.Phases.Stop = 0.25
		in.enter(protocol.Measuring, 10)
		in.enter(protocol.Stopping, 50.0264)
	}
	f := failureOf(cause, change)
	if f.Stopped != 2 || f.StoppedAfter != 0.026 || f.GoneAfter != 0.25 || f.Seconds != 50 ||
		f.Phase != protocol.Measuring {
		t.Errorf("%+v", f)
	}
	cause.At = at(51) // by another clock
	if f := failureOf(cause, change); f.StoppedAfter != 0 {
		t.Errorf("stopped %v s before the cause", -f.StoppedAfter)
	}
	cause.At = time.Time{}
	if f := failureOf(cause, change); f.StoppedAfter != 0 || f.Seconds != 0 {
		t.Errorf("of no time: %+v", f)
	}
	cause.Subject = "host n2" // which is not a rank: all that it stopped are others
	reason = cause.Who() + ": x"
	if f := failureOf(cause, change); f.Stopped != 3 || f.Log != "" {
		t.Errorf("%+v", f)
	}
}

// The line that a message was taken from has the most of its end; a few letters may be there by chance.
func TestTelling(t *testing.T) {
	lines := []string{"first line", "Error: out of memory here", "RuntimeError: Error: out of memory here", "out"}
	for message, want := range map[string]int{
		"RuntimeError: Error: out of memory here": 2,
		"Wrapped: Error: out of memory here":      1,
		"A: B: out of memory here":                1,
		"first li …":                              0,
		"nothing of it: at all of it":             -1,
		"x: out":                                  -1,
		"":                                        -1,
		"out of memory here, and what comes after": -1,
	} {
		if got := telling(lines, message); got != want {
			t.Errorf("%q: %d, want %d", message, got, want)
		}
	}
}

// The source is the line that the telling line names, else the last frame before it, as far as the traceback reaches.
func TestSourceReach(t *testing.T) {
	frame := `  File "/a/b/engine/cache.py", line 288, in allocate`
	for name, tt := range map[string]struct {
		lines []string
		want  string
	}{
		"five lines before": {[]string{frame, "1", "2", "3", "4", "Error"}, "engine/cache.py:288"},
		"six lines before":  {[]string{frame, "1", "2", "3", "4", "5", "Error"}, ""},
		"of another trace":  {[]string{frame, "Traceback (most recent call last):", "Error"}, ""},
		"by itself":         {[]string{frame, "Error at /src/x/y.cpp:17 here"}, "x/y.cpp:17"},
		"an assertion":      {[]string{"E   tests/test_x.py:12: AssertionError"}, "tests/test_x.py:12"},
		"nothing":           {[]string{"Error"}, ""},
	} {
		if got := source(tt.lines, len(tt.lines)-1); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// An excerpt has eight lines, four of them before the marked one; the last ones if none is. Numbers are those of the
// log, which the cause may know itself.
func TestExcerptWindow(t *testing.T) {
	var lines []string
	for i := range 20 {
		lines = append(lines, strings.Repeat(string(rune('a'+i)), 12))
	}
	show := func(f Failure) (text string, marked int) {
		for _, l := range f.Excerpt {
			text += l.Text[:1]
			if l.Marked {
				marked = l.Number
			}
		}
		return text, marked
	}
	for name, tt := range map[string]struct {
		message     string
		first, line int
		want        string
		marked      int
	}{
		"in the middle":    {lines[9], 0, 0, "fghijklm", 110},
		"at the beginning": {lines[0], 0, 0, "abcd", 101},
		"at the end":       {lines[19], 0, 0, "pqrst", 120},
		"none":             {"nothing of it", 0, 0, "mnopqrst", 0},
		"by its number":    {lines[9], 31, 34, "abcdefg", 34},
		"a number before":  {lines[9], 31, 30, "fghijklm", 40},
		"a number behind":  {lines[9], 31, 51, "fghijklm", 40},
		"the last number":  {lines[9], 31, 50, "pqrst", 50},
		"the first number": {lines[9], 31, 31, "abcd", 31},
	} {
		f := failureOf(protocol.Cause{
			Kind: protocol.ChildExit, Detail: "exited with code 7: " + tt.message, Excerpt: lines,
			ExcerptLine: tt.first, Line: tt.line,
		}, func(in *Input) {
			for i := range lines {
				in.ExcerptLines = append(in.ExcerptLines, 101+i)
			}
		})
		if got, marked := show(f); got != tt.want || marked != tt.marked || f.Line != tt.marked {
			t.Errorf("%s: %s, marked %d (%d), want %s, %d", name, got, marked, f.Line, tt.want, tt.marked)
		}
	}
	f := failureOf(protocol.Cause{Kind: protocol.ChildExit, Detail: "exited with code 7", LogTail: lines}, nil)
	if got, _ := show(f); got != "pqrst" || f.Excerpt[0].Number != 0 {
		t.Errorf("of the tail %+v", f.Excerpt)
	}
}
