package decide

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// A fact that somebody else may have caused waits for a better one, and counts if none comes; what is learned once it
// is fixed that nothing failed changes nothing any more.
func TestAttribution(t *testing.T) {
	now := time.Unix(1000, 0)
	fact := func(role string, weak bool) Fact {
		return Fact{
			Since: now, Weak: weak,
			Cause: protocol.Cause{Role: rankOf(role, 0).Role, Kind: protocol.ChildExit, LogTail: []string{"x"}},
		}
	}
	a := Attribution{DependsOn: func(roles.Role, roles.Role) bool { return false }}
	if r := a.Expire(); r != Noted || a.Provisional() != nil || !a.Deadline().IsZero() {
		t.Errorf("nothing is expected, but %s", r)
	}
	a.Presume(fact("GEN_0", true), time.Second, now)
	a.Presume(fact("GEN_1", true), time.Hour, now) // one is enough
	if a.Provisional() == nil || !a.Deadline().Equal(now.Add(time.Second)) || len(a.Secondary()) != 1 {
		t.Errorf("provisional until %v, secondary %v", a.Deadline(), a.Secondary())
	}
	if r := a.Observe(fact("CTX_0", false)); r != Decided || a.Verdict().Role.String() != "CTX_0" ||
		a.Provisional() != nil {
		t.Errorf("%s, verdict %v", r, a.Verdict())
	}
	a.Presume(fact("GEN_2", true), time.Second, now)
	if a.Provisional() != nil || len(a.Secondary()) != 3 {
		t.Errorf("something is suspected although the cause is known: %v", a.Secondary())
	}
	for _, c := range a.Secondary() {
		if c.LogTail != nil {
			t.Errorf("%v has log lines", c)
		}
	}

	a = Attribution{}
	a.Close()
	if r := a.Observe(fact("GEN_0", false)); r != Noted || a.Verdict() != nil || !a.Closed() {
		t.Errorf("%s, verdict %v", r, a.Verdict())
	}
	a.Presume(fact("GEN_1", true), time.Second, now)
	if a.Provisional() != nil || len(a.Secondary()) != 2 {
		t.Errorf("secondary %v", a.Secondary())
	}
}

// Of two facts that both wait for a better one, the one that was there first waits on, in whatever order they arrive.
func TestPresumeTwo(t *testing.T) {
	now := time.Unix(1000, 0)
	fact := func(role string, after time.Duration) Fact {
		return Fact{
			Since: now.Add(after), Cause: protocol.Cause{Role: rankOf(role, 0).Role, Kind: protocol.ChildExit},
		}
	}
	for name, facts := range map[string][]Fact{
		"in order": {fact("GEN_0", 0), fact("BENCHMARK", time.Second)},
		"late":     {fact("BENCHMARK", time.Second), fact("GEN_0", 0)},
	} {
		a := Attribution{DependsOn: func(roles.Role, roles.Role) bool { return false }}
		for _, f := range facts {
			a.Presume(f, time.Minute, now)
		}
		a.Expire()
		if v := a.Verdict(); v == nil || v.Role.String() != "GEN_0" || len(a.Secondary()) != 1 {
			t.Errorf("%s: verdict %v, secondary %v", name, v, a.Secondary())
		}
	}
}

// A rank that MPI killed because another crashed is never named, in whatever order the two are heard, and also if
// another role failed at about the same time.
func TestKilledByMPIBesideAnother(t *testing.T) {
	now := time.Unix(1000, 0)
	needs := func(role, other roles.Role) bool { return role == server.Role && other == gen0.Role }
	fact := func(of roles.Task, at time.Duration) Fact {
		return Fact{
			Since: now.Add(at), Cause: protocol.Cause{Role: of.Role, Rank: of.Rank, Kind: protocol.ChildExit},
		}
	}
	coordinator, crash, kill := fact(server, 0), fact(gen0, precision+1), fact(gen1, settle/3)
	kill.Weak, kill.Kind = true, protocol.ChildSignal
	for _, order := range [][]Fact{
		{coordinator, crash, kill}, {coordinator, kill, crash}, {crash, coordinator, kill},
		{crash, kill, coordinator}, {kill, coordinator, crash}, {kill, crash, coordinator},
	} {
		a := Attribution{DependsOn: needs}
		for _, f := range order {
			a.Observe(f)
		}
		if a.Verdict().Weak || len(a.Secondary()) != 2 {
			t.Errorf("%v, and then %v", a.Verdict(), a.Secondary())
		}
	}
}

// A killed agent, of which the hub hears after MPI has killed the other ranks, stays the cause for all of them.
func TestKilledByMPIBeforeTheLoss(t *testing.T) {
	now := time.Unix(1000, 0)
	kill := func(rank int, at time.Duration) Fact {
		return Fact{
			Since: now.Add(at), Weak: true,
			Cause: protocol.Cause{Role: gen0.Role, Rank: rank, Kind: protocol.ChildSignal, Host: "n1"},
		}
	}
	loss := Fact{
		Since: now.Add(3 * precision), Seen: now.Add(-precision), Weak: true, Loss: true,
		Cause: protocol.Cause{Role: gen0.Role, Rank: 3, Kind: protocol.AgentLost, Host: "n2"},
	}
	a := Attribution{DependsOn: func(roles.Role, roles.Role) bool { return false }}
	for _, f := range []Fact{kill(1, 0), kill(2, precision/2), loss} {
		a.Observe(f)
	}
	if !a.Verdict().Loss || len(a.Secondary()) != 2 {
		t.Errorf("%v, and then %v", a.Verdict(), a.Secondary())
	}
}

// That an agent vanished is learned late. If it was not heard since a role failed that needs its own, and the loss
// was noticed soon after that, then it came first; if it was heard since, it cannot have.
func TestLossAtTheSameTime(t *testing.T) {
	now := time.Unix(1000, 0)
	needs := func(role, other roles.Role) bool {
		return role.String() == "DISAGG_SERVER" && other.String() == "GEN_0"
	}
	for name, c := range map[string]struct {
		role, host string
		seen, at   time.Duration // of the loss, after the failure
		want       Ruling
	}{
		"not heard since":                {"GEN_0", "n2", -time.Second, 100 * time.Millisecond, Replaced},
		"heard since":                    {"GEN_0", "n2", precision, 100 * time.Millisecond, Noted},
		"heard since, as clocks are set": {"GEN_0", "n2", precision - 1, 100 * time.Millisecond, Replaced},
		"heard since, on the same host":  {"GEN_0", "n1", 0, 100 * time.Millisecond, Noted},
		"noticed long after":             {"GEN_0", "n2", -time.Second, lossLag, Noted},
		"of a role that is not needed":   {"CTX_0", "n2", -time.Second, 100 * time.Millisecond, Noted},
		"noticed before":                 {"CTX_0", "n2", -time.Second, -time.Millisecond, Replaced},
	} {
		a := Attribution{DependsOn: needs}
		a.Observe(Fact{
			Since: now,
			Cause: protocol.Cause{Role: rankOf("DISAGG_SERVER", 0).Role, Host: "n1", Kind: protocol.ChildExit},
		})
		loss := Fact{
			Since: now.Add(c.at), Seen: now.Add(c.seen), Loss: true, Weak: true,
			Cause: protocol.Cause{Role: rankOf(c.role, 0).Role, Host: c.host, Kind: protocol.AgentLost},
		}
		if before := a.Precedes(loss); before != (c.want == Replaced) {
			t.Errorf("%s: precedes: %t", name, before)
		}
		if got := a.Observe(loss); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// The end of a child says what happened in one line, with the line of its output that says why.
func TestDescribe(t *testing.T) {
	tests := map[string]struct {
		task   roles.Task
		o      protocol.Outcome
		kind   protocol.CauseKind
		detail string
	}{
		"never started": {
			gen0, protocol.Outcome{Code: 127, Error: "cannot start x: not found"}, protocol.NeverStarted,
			"cannot start x: not found",
		},
		"out of memory": {
			gen0, protocol.Outcome{Started: true, Code: 137, OOM: true}, protocol.OOM, "ran out of memory",
		},
		"out of memory, with a limit": {
			gen0, protocol.Outcome{Started: true, OOM: true, MemoryLimit: 3 << 20}, protocol.OOM,
			"ran out of memory: the limit is 3 MiB",
		},
		"a signal": {
			gen0, protocol.Outcome{Started: true, Code: 139, Signal: "SIGSEGV", Headline: "Segmentation fault"},
			protocol.ChildSignal,
			"killed by SIGSEGV: Segmentation fault",
		},
		"a signal behind a shell": {
			gen0, protocol.Outcome{Started: true, Code: 139, Headline: "h"}, protocol.ChildExit,
			"exited with code 139 (what it ran was ended by SIGSEGV): h",
		},
		"a code":    {gen0, protocol.Outcome{Started: true, Code: 3}, protocol.ChildExit, "exited with code 3"},
		"no signal": {gen0, protocol.Outcome{Started: true, Code: 255}, protocol.ChildExit, "exited with code 255"},
		"too early": {
			gen0, protocol.Outcome{Started: true}, protocol.ChildExit,
			"exited with code 0 before the benchmark was done",
		},
		"the benchmark": {
			benchmark, protocol.Outcome{Started: true, Code: 1, Headline: "FAILED"}, protocol.BenchmarkFailed,
			"the benchmark exited with code 1: FAILED",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if kind, detail := Describe(tt.task, tt.o); kind != tt.kind || detail != tt.detail {
				t.Errorf("%s: %s", kind, detail)
			}
		})
	}
}

// What is only known once nothing is left of the child completes the first cause: its last lines, and that the kernel
// ended a part of it.
func TestCauseIsCompleted(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(gen1, protocol.Outcome{Code: 1, Tail: []string{"first"}})
	final := protocol.Outcome{
		Started: true, Code: 1, OOM: true, Tail: []string{"first", "last"}, Excerpt: []string{"why"},
	}
	b.report(gen1, protocol.Event{Kind: protocol.EventStopped, Outcome: &final})
	c := b.job.Cause()
	if c.Kind != protocol.OOM || len(c.LogTail) != 2 || len(c.Excerpt) != 1 {
		t.Errorf("cause %+v", c)
	}
	other := protocol.Outcome{Started: true, Code: 1, Tail: []string{"of another"}}
	b.report(gen0, protocol.Event{Kind: protocol.EventStopped, Outcome: &other})
	if b.job.Cause().LogTail[0] != "first" {
		t.Errorf("the cause has log lines of another rank: %v", b.job.Cause().LogTail)
	}
}

// A need that goes round in a circle is still an answer: whoever stands in the circle needs the others of it.
func TestCircularNeeds(t *testing.T) {
	b := benchWith(t, func(in *plan.Input) {
		ctx, gen := in.Recipe.Roles[roles.Ctx], in.Recipe.Roles[roles.Gen]
		ctx.Needs.Ready, gen.Needs.Ready = []roles.Kind{roles.Gen}, []roles.Kind{roles.Ctx}
		in.Recipe.Roles[roles.Ctx], in.Recipe.Roles[roles.Gen] = ctx, gen
	})
	for _, pair := range [][2]roles.Task{{gen0, ctx0}, {ctx0, gen0}, {gen0, gen0}} {
		if !b.job.dependsOn(pair[0].Role, pair[1].Role) {
			t.Errorf("%s does not need %s", pair[0], pair[1])
		}
	}
	if b.job.dependsOn(gen0.Role, server.Role) {
		t.Error("GEN_0 needs the coordinator")
	}
}

// A task that is stopped when the job's time is over was ended by the limit, by whatever clock the limit is known; a
// task that is stopped earlier was stopped by somebody. The hub's own task is no exception.
func TestEndOfTime(t *testing.T) {
	leaves := func(b *bench) { b.told(ctx0, protocol.EventLeaving, "stopped by SIGTERM") }
	hubAsked := func(b *bench) { b.in(Cancel{Detail: "stopped by SIGTERM"}) }
	for name, tt := range map[string]struct {
		before time.Duration
		act    func(*bench)
		kind   protocol.CauseKind
		code   int
	}{
		"at the end":          {time.Second, leaves, protocol.TimeLimit, protocol.ExitDeadline},
		"earlier":             {time.Minute, leaves, protocol.CauseCancelled, protocol.ExitCancelled},
		"the hub, at the end": {time.Second, hubAsked, protocol.TimeLimit, protocol.ExitDeadline},
		"the hub, earlier":    {time.Minute, hubAsked, protocol.CauseCancelled, protocol.ExitCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			b.in(Step{Report: protocol.StepReport{Role: benchmark.Role, JobEnds: b.now.Add(tt.before)}})
			tt.act(b)
			b.gone(all...)
			if r := b.job.Result(Times{}, b.now); r.FirstCause.Kind != tt.kind || r.ExitCode != tt.code {
				t.Errorf("cause %v, code %d", r.FirstCause, r.ExitCode)
			}
		})
	}
}

// The scheduler's warning that the time is nearly over ends the job in good order, once.
func TestWarning(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.told(gen0, protocol.EventWarned, "the time is nearly over")
	b.told(gen1, protocol.EventWarned, "the time is nearly over")
	if c := b.job.Cause(); c == nil || c.Kind != protocol.TimeLimit || c.Task() != benchmark ||
		len(b.job.attribution.Secondary()) != 0 {
		t.Errorf("cause %v, secondary %v", c, b.job.attribution.Secondary())
	}
}

// Whoever started BENCHMARK's step can ask for the end of the job.
func TestStarterCancels(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.in(Step{Report: protocol.StepReport{Role: benchmark.Role, Cancel: "scancel"}})
	if c := b.job.Cause(); c == nil || c.Kind != protocol.CauseCancelled || c.Detail != "scancel" {
		t.Errorf("cause %v", c)
	}
	b.in(Cancel{Detail: "again"})
	if len(b.job.attribution.Secondary()) != 0 {
		t.Errorf("secondary %v", b.job.attribution.Secondary())
	}
}

// Facts are weighed by when they began, not by when they are learned. Of what began at about the same time the role
// that the other needs was there first; what others noticed of a role gives way to its own agent's word.
func TestPrecedes(t *testing.T) {
	zero := time.Unix(1000, 0)
	fact := func(role string, after time.Duration, change ...func(*Fact)) Fact {
		f := Fact{Since: zero.Add(after), Cause: protocol.Cause{Role: rankOf(role, 0).Role, Kind: protocol.ChildExit}}
		for _, c := range change {
			c(&f)
		}
		return f
	}
	kind := func(k protocol.CauseKind) func(*Fact) { return func(f *Fact) { f.Kind = k } }
	weak, loss, symptom := func(f *Fact) { f.Weak = true }, func(f *Fact) { f.Loss = true },
		func(f *Fact) { f.Symptom = true }
	mute := func(f *Fact) { f.Silent = true }
	heard := func(last time.Duration) func(*Fact) { return func(f *Fact) { f.Seen = zero.Add(last) } }
	asked, silent := kind(protocol.CauseCancelled), kind(protocol.HealthLost)
	whole := func(f *Fact) { f.Whole = true }
	first := fact("CTX_0", 0)
	for name, tt := range map[string]struct {
		first, then Fact
		want        Ruling
	}{
		"it ended before":                       {first, fact("GEN_0", -time.Second), Replaced},
		"it ended hardly before":                {first, fact("GEN_0", -precision), Noted},
		"it ended after":                        {first, fact("GEN_0", time.Second), Noted},
		"the one that it needs, a moment later": {fact("DISAGG_SERVER", 0), first, Replaced},
		"the one that it needs, much later":     {fact("DISAGG_SERVER", -settle), first, Noted},
		"one that needs it":                     {first, fact("DISAGG_SERVER", 0), Noted},
		"it fell silent before":                 {first, fact("GEN_0", 0, loss), Replaced},
		"it fell silent after":                  {first, fact("GEN_0", 1, loss), Noted},
		"a rank was killed, another failed":     {fact("CTX_0", 0, weak), first, Replaced},
		"a rank failed, another was killed":     {first, fact("CTX_0", 0, weak), Noted},
		"others noticed it, it says why":        {fact("CTX_0", 0, symptom), fact("CTX_0", time.Minute), Replaced},
		"others noticed it, its agent is lost":  {fact("CTX_0", 0, symptom), fact("CTX_0", 1, loss), Replaced},
		"it says why, others noticed it":        {first, fact("CTX_0", -time.Minute, symptom), Noted},
		"others noticed what it needs":          {fact("DISAGG_SERVER", 0), fact("CTX_0", 0, symptom), Noted},
		"neither answers, it needs the other": {
			fact("DISAGG_SERVER", -time.Minute, silent), fact("CTX_0", 0, silent), Replaced,
		},
		"neither answers, the other needs it": {
			fact("CTX_0", 0, silent), fact("DISAGG_SERVER", -time.Minute, silent), Noted,
		},
		"neither answers, one for longer": {
			fact("GEN_0", 0, silent), fact("CTX_0", -time.Minute, silent), Replaced,
		},
		"neither answers, one not for so long": {fact("GEN_0", 0, silent), fact("CTX_0", time.Minute, silent), Noted},
		"the end was asked for":                {fact("CTX_0", 0, asked), fact("GEN_0", -time.Hour, silent), Noted},
		"the end was asked for, one had died":  {fact("CTX_0", 0, asked), fact("GEN_0", -time.Second), Replaced},
		"the end was asked for, one dies":      {fact("CTX_0", 0, asked), fact("GEN_0", -signalLag), Noted},
		"the end was asked for, the benchmark had failed": {
			fact("CTX_0", 0, asked), fact("BENCHMARK", -time.Second, kind(protocol.BenchmarkFailed)), Replaced,
		},
		"an agent died, what it needs failed": {
			fact("DISAGG_SERVER", 0, loss), fact("CTX_0", settle/2), Noted,
		},
		"a host fell silent, what it needs failed": {
			fact("DISAGG_SERVER", 0, loss, mute), fact("CTX_0", settle/2), Replaced,
		},
		"a rank was killed, another's host fell silent": {
			fact("GEN_0", 0, weak), fact("GEN_0", settle/2, loss, mute), Replaced,
		},
		"a rank was killed, another's agent died": {
			fact("GEN_0", 0, weak), fact("GEN_0", settle/2, loss, heard(-time.Second)), Replaced,
		},
		"a rank was killed, another's agent died later": {
			fact("GEN_0", 0, weak), fact("GEN_0", settle/2, loss, heard(settle/4)), Noted,
		},
		"a rank failed, another's agent died": {
			fact("GEN_0", 0), fact("GEN_0", settle/2, loss, heard(-time.Second)), Noted,
		},
		"it failed, the end was asked for":      {first, fact("GEN_0", 0, kind(protocol.TimeLimit)), Noted},
		"it failed, the end had been asked for": {first, fact("GEN_0", -time.Second, asked), Replaced},
		"it failed, what it needs had been asked to end": {
			fact("DISAGG_SERVER", 0), fact("CTX_0", askedSkew/2, asked), Replaced,
		},
		"it failed, what it needs was asked to end": {
			fact("DISAGG_SERVER", 0), fact("CTX_0", askedSkew, asked), Noted,
		},
		"it failed, another was asked to end": {fact("GEN_0", 0), fact("CTX_0", askedSkew/2, asked), Noted},
		"it failed, all of the job was asked to end": {
			fact("GEN_0", 0), fact("BENCHMARK", askedSkew/2, asked, whole), Replaced,
		},
		"it failed, all of the job was asked to end later": {
			fact("GEN_0", 0), fact("BENCHMARK", askedSkew, asked, whole), Noted,
		},
		"it failed, its time was up": {
			first, fact("GEN_0", -time.Second, kind(protocol.TimeLimit)), Replaced,
		},
		"it failed, memory had run out": {first, fact("GEN_0", -time.Second, kind(protocol.OOM)), Replaced},
	} {
		a := Attribution{DependsOn: func(r, other roles.Role) bool {
			return r.Kind == roles.Coordinator && other.Kind != roles.Coordinator
		}}
		a.Observe(tt.first)
		if got := a.Observe(tt.then); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// Of a fact that was awaited and one that cannot explain it the earlier counts, and the other is not lost.
func TestProvisionalOutlives(t *testing.T) {
	zero := time.Unix(1000, 0)
	fact := func(role string, rank int, after time.Duration, kind protocol.CauseKind) Fact {
		task := rankOf(role, rank)
		return Fact{
			Since: zero.Add(after), Weak: kind == protocol.ChildSignal,
			Cause: protocol.Cause{Role: task.Role, Rank: task.Rank, Kind: kind},
		}
	}
	vanished := fact("GEN_0", 0, time.Second, protocol.AgentLost)
	vanished.Loss = true
	for name, tt := range map[string]struct {
		other    Fact
		needs    bool // it needs the other
		outlives bool
	}{
		"another role failed later":        {fact("GEN_0", 0, time.Second, protocol.ChildExit), false, true},
		"another role failed before":       {fact("GEN_0", 0, -time.Second, protocol.ChildExit), false, false},
		"its launcher was killed later":    {fact("CTX_0", 0, time.Second, protocol.ChildSignal), false, true},
		"its launcher tells what it ran":   {fact("CTX_0", 0, time.Second, protocol.ChildExit), false, false},
		"another rank was killed then":     {fact("CTX_0", 2, -precision/2, protocol.ChildSignal), false, true},
		"another rank was killed before":   {fact("CTX_0", 2, -time.Second, protocol.ChildSignal), false, false},
		"another rank failed by itself":    {fact("CTX_0", 2, time.Second, protocol.ChildExit), false, false},
		"somebody ends it later":           {fact("CTX_0", 0, time.Second, protocol.CauseCancelled), false, true},
		"one it needs ended a while later": {fact("GEN_0", 0, settle, protocol.ChildExit), true, true},
		"one it needs ended soon after":    {fact("GEN_0", 0, settle-1, protocol.ChildExit), true, false},
		"one it needs was found unwell":    {fact("GEN_0", 0, time.Second, protocol.HealthLost), true, false},
		"one it needs had vanished":        {vanished, true, false},
		"somebody ends it then":            {fact("CTX_0", 0, signalLag, protocol.CauseCancelled), false, false},
	} {
		a := Attribution{DependsOn: func(roles.Role, roles.Role) bool { return tt.needs }}
		p := fact("CTX_0", 1, 0, protocol.ChildExit)
		p.LetGo = true
		a.Presume(p, settle, zero)
		a.Observe(tt.other)
		first, second := p, tt.other
		if !tt.outlives {
			first, second = second, first
		}
		if got := a.Verdict().Task(); got != first.Task() || len(a.Secondary()) != 1 ||
			a.Secondary()[0].Task() != second.Task() {
			t.Errorf("%s: cause %v, secondary %v", name, a.Verdict().Cause, a.Secondary())
		}
	}
}

// The failure of a launcher that ends after the ranks which it let go begins with the first of those: what failed in
// between, because of them, came later.
func TestLauncherBeganEarlier(t *testing.T) {
	zero := time.Unix(1000, 0)
	rank := func(role string, rank int, after time.Duration) Fact {
		task := rankOf(role, rank)
		return Fact{
			Since: zero.Add(after), Cause: protocol.Cause{Role: task.Role, Rank: task.Rank, Kind: protocol.ChildExit},
		}
	}
	letGo := rank("CTX_0", 1, 0)
	letGo.LetGo = true
	for _, decided := range []bool{false, true} {
		a := Attribution{DependsOn: func(roles.Role, roles.Role) bool { return false }}
		if decided {
			a.Observe(letGo)
		} else {
			a.Presume(letGo, settle, zero)
		}
		a.Observe(rank("CTX_0", 0, time.Second))
		a.Observe(rank("GEN_0", 0, 500*time.Millisecond))
		if c := a.Verdict(); c.Task() != rankOf("CTX_0", 0) || !c.Since.Equal(zero) {
			t.Errorf("decided before: %t: %v since %v", decided, c.Cause, c.Since.Sub(zero))
		}
	}
}

// A child's end is placed by its agent's clock as the messages before it have shown it, however slow the way of this
// one is. A clock that was set proves nothing.
func TestWhen(t *testing.T) {
	zero := time.Unix(1000, 0)
	skew := time.Hour
	for name, tt := range map[string]struct {
		ended, arrives, want time.Duration
	}{
		"at once":                  {time.Second, time.Second + 10*time.Millisecond, time.Second + 10*time.Millisecond},
		"under way for long":       {time.Second, 4 * time.Second, time.Second + 10*time.Millisecond},
		"the clock was set":        {-time.Minute, 4 * time.Second, 4 * time.Second},
		"the clock was set on":     {time.Minute, 4 * time.Second, 4 * time.Second},
		"exactly as far as it may": {0, 5*time.Second + 10*time.Millisecond, 10 * time.Millisecond},
	} {
		m := &Machine{clocks: map[string][]*hostClock{}}
		task, neighbour := task{clock: m.clockOf("n1", zero)}, task{clock: m.clockOf("n1", zero.Add(time.Millisecond))}
		another := m.clockOf("n1", zero.Add(time.Second)) // the host's clock was set before that one began
		another.lately = offset{-2 * skew, true}
		neighbour.hears(zero.Add(skew), zero.Add(10*time.Millisecond)) // it shares the clock
		task.hears(zero.Add(skew), zero.Add(time.Second))              // a slower message
		at := zero.Add(skew + tt.ended)
		if got := task.when(at, zero.Add(tt.arrives), 5*time.Second); !got.Equal(zero.Add(tt.want)) {
			t.Errorf("%s: %v, want %v", name, got.Sub(zero), tt.want)
		}
	}
	var unknown task
	if got := unknown.when(zero, zero.Add(1), time.Hour); !got.Equal(zero.Add(1)) {
		t.Errorf("a clock that is not known: %v", got)
	}
}

// A clock that was a second fast, and was slewed right since, has no part in who was first an hour later.
func TestClockThatWasSetRight(t *testing.T) {
	b := newBench(t)
	b.measuring()
	fast := time.Second // so much the coordinator's host is ahead
	for range 1800 {
		b.now = b.now.Add(time.Second)
		for _, task := range all {
			sent := b.now.Add(-5 * time.Millisecond)
			if task == server {
				sent = sent.Add(fast)
			}
			if task != roles.Hub() {
				b.in(Alive{Task: task, Sent: sent})
			}
		}
		b.tick()
		fast = max(fast-500*time.Microsecond, 0)
	}
	crashes := func(task roles.Task, code int, at time.Time) {
		b.report(task, protocol.Event{
			At: at, Kind: protocol.EventExited, Code: code,
			Outcome: &protocol.Outcome{Started: true, Code: code, EndedAt: at},
		})
	}
	crashes(gen0, 3, b.now)
	b.now = b.now.Add(300 * time.Millisecond)
	crashes(server, 1, b.now)
	if c := b.job.Cause(); c.Role != gen0.Role {
		t.Errorf("the cause is %v", c)
	}
}
