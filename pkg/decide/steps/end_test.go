package steps

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// The end of the hub's step leads to a verdict that says what is known of it.
func TestConclude(t *testing.T) {
	const without, never = "it ended without a verdict, with code ", "the step never began: it ended with code "
	const wanted = "the job was asked to end: "
	outOfTime := protocol.Diagnosis{Meaning: protocol.OutOfTime, Line: "DUE TO TIME LIMIT"}
	person := Asked{Why: "SIGINT", Ends: zero.Add(10 * time.Minute)}
	scheduler := Asked{Why: "SIGTERM", Ends: zero.Add(time.Second)}
	tests := map[string]struct {
		said  protocol.Diagnosis
		asked Asked
		code  int
		began Answer
		kind  protocol.CauseKind
		text  string
	}{
		"it never began": {code: 1, began: No, kind: protocol.StepFailed, text: never + "1"},
		"it was killed":  {code: 137, began: Yes, kind: protocol.HubLost, text: without + "137"},
		"it ended well":  {began: NotKnown, kind: protocol.HubLost, text: without + "0"},
		"with words": {
			said: protocol.Diagnosis{Line: "x"}, code: 9, began: Yes, kind: protocol.HubLost, text: without + "9: x",
		},
		"its time was over": {
			said: outOfTime, code: 1, began: Yes, kind: protocol.TimeLimit, text: without + "1: DUE TO TIME LIMIT",
		},
		"somebody wanted it": {
			asked: person, code: 143, began: No, kind: protocol.CauseCancelled, text: wanted + "SIGINT",
		},
		"the scheduler wanted it": {
			asked: scheduler, code: 143, began: Yes, kind: protocol.TimeLimit, text: wanted + "SIGTERM",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := drive(t, hub)
			if tt.said != (protocol.Diagnosis{}) {
				d.gets(Said{Role: hub, Diagnosis: tt.said}, words(hub, tt.said))
			}
			if tt.asked.Why != "" {
				d.gets(tt.asked)
			}
			want := d.cause(tt.kind, tt.text)
			if tt.kind == protocol.CauseCancelled || tt.kind == protocol.TimeLimit {
				want = d.ofAll(tt.asked.Why != "", tt.kind, tt.text)
			}
			d.gets(Ended{Role: hub, Code: tt.code, Began: tt.began}, Seal{Role: hub}, want)
			d.leaves(tt.code, true)
		})
	}
}

// A hub that had ended before anybody wanted the end is lost, although its step ends after that.
func TestHubFellBefore(t *testing.T) {
	for name, tt := range map[string]struct {
		answers []Input
		code    int
		kind    protocol.CauseKind
	}{
		"it lives":                         {[]Input{HubAnswered{OK: true}}, 137, protocol.CauseCancelled},
		"it does not answer":               {[]Input{HubAnswered{}}, 137, protocol.CauseCancelled},
		"it is gone":                       {[]Input{HubAnswered{Gone: true}}, 137, protocol.HubLost},
		"it was killed, and its step ends": {nil, 137, protocol.HubLost},
		"it ends as it was asked to":       {nil, 143, protocol.CauseCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			d := drive(t, hub)
			d.hangs = true
			d.gets(Asked{Why: "SIGTERM", Ends: zero.Add(time.Hour)}, AskHub{})
			for _, answer := range tt.answers {
				d.gets(answer)
			}
			want := d.cause(tt.kind, fmt.Sprintf("it ended without a verdict, with code %d", tt.code)).(Conclude)
			if want.Asked = true; tt.kind == protocol.CauseCancelled {
				want.Cause.Detail, want.Cause.Subject = "the job was asked to end: SIGTERM", protocol.WholeJob
			}
			d.gets(Ended{Role: hub, Code: tt.code, Began: Yes}, Seal{Role: hub}, want)
		})
	}
}

// What the hub had found before it was lost stands. If that was a request to one step, and all of the job was asked,
// the hub has only not heard of it.
func TestKnew(t *testing.T) {
	one := protocol.Cause{Role: gen, Kind: protocol.CauseCancelled, Detail: "stopped by SIGTERM"}
	whole, named, crash := one, one, one
	whole.Subject, named.Subject, crash.Kind = protocol.WholeJob, "ann@login1", protocol.ChildExit
	for name, tt := range map[string]struct {
		found protocol.Cause
		asked bool
		want  string
	}{
		"one step is asked":        {one, false, "GEN_0.0"},
		"all of the job is":        {one, true, protocol.WholeJob},
		"it had heard of it":       {whole, true, protocol.WholeJob},
		"it knew who":              {named, true, "ann@login1"},
		"something failed earlier": {crash, true, "GEN_0.0"},
	} {
		if got := Knew(tt.found, tt.asked); got.Who() != tt.want {
			t.Errorf("%s: %s, want %s", name, got.Who(), tt.want)
		}
	}
}

// The hub's own step is tried again too, and if that is of no use the verdict says how often it was.
func TestHubIsTriedAgain(t *testing.T) {
	d := waiting(t, hub)
	d.leaves(0, false)
	d.passes(time.Second, Start{Role: hub})
	d.gets(Ended{Role: hub, Code: 2, Began: No}, Seal{Role: hub},
		d.cause(protocol.StepFailed, "the step never began: it ended with code 2 (tried 2 times)"))
}

// Steps that are left over after the hub's are waited for as long as something arrives from them, and never for long.
func TestLeave(t *testing.T) {
	over := func(t *testing.T) *driver {
		d := drive(t, hub, gen, ctx)
		d.gets(Ended{Role: hub, Code: 5, Began: Yes},
			Seal{Role: hub}, d.cause(protocol.HubLost, "it ended without a verdict, with code 5"))
		d.leaves(5, false)
		return d
	}
	t.Run("nothing arrives", func(t *testing.T) {
		d := over(t)
		d.passes(quietBound - 1)
		d.leaves(5, false)
		d.passes(1)
		d.leaves(5, true)
	})
	t.Run("something arrives for ever", func(t *testing.T) {
		d := over(t)
		for range int(leaveBound / (quietBound / 2)) {
			d.leaves(5, false)
			d.gets(Output{})
			d.passes(quietBound / 2)
		}
		d.leaves(5, true)
	})
	t.Run("all have ended", func(t *testing.T) {
		d := over(t)
		d.gets(Ended{Role: gen}, Seal{Role: gen}, ended(gen, 0, early(0), protocol.Diagnosis{}))
		d.leaves(5, false)
		d.gets(Ended{Role: ctx, Code: 1}, Seal{Role: ctx}, ended(ctx, 1, early(1), protocol.Diagnosis{}))
		d.leaves(5, true)
	})
}

// A role that was started by hand ends with its own code, and waits for its next try like any other.
func TestLeaveByHand(t *testing.T) {
	d := drive(t, gen)
	d.gets(Said{Role: gen, Diagnosis: busy}, words(gen, busy))
	d.gets(Ended{Role: gen, Code: 1, Began: No}, Retry{Role: gen, After: time.Second})
	d.leaves(1, false)
	d.passes(time.Second, Start{Role: gen})
	d.gets(Ended{Role: gen, Code: 7, Began: Yes},
		Seal{Role: gen}, ended(gen, 7, early(7)+" (tried 2 times)", protocol.Diagnosis{}))
	d.leaves(7, true)
}

// Once a step has ended the hub is asked whether it lives. One that does not answer twice in a row is ended, and the
// verdict says that it hung. One that answers, however often it is asked, is not.
func TestHubHangs(t *testing.T) {
	asked := func(t *testing.T) *driver {
		d := drive(t, hub, gen, ctx)
		d.hangs = true
		d.passes(time.Minute)
		d.gets(Ended{Role: gen, Code: 1}, Seal{Role: gen}, ended(gen, 1, early(1), protocol.Diagnosis{}))
		d.passes(askHubEvery, AskHub{})
		return d
	}
	d := asked(t)
	d.gets(HubAnswered{OK: false})
	d.passes(askHubEvery, AskHub{})
	d.gets(HubAnswered{OK: false}, KillHub{})
	d.passes(time.Hour)
	d.gets(Ended{Role: hub, Code: 137, Began: Yes}, Seal{Role: hub}, Conclude{Cause: protocol.Cause{
		Role: hub, Kind: protocol.HubLost, At: d.now,
		Detail: "it hung: it no longer answered after other roles had ended",
	}})

	d = asked(t)
	for range 10 {
		d.gets(HubAnswered{OK: false})
		d.passes(askHubEvery, AskHub{})
		d.gets(HubAnswered{OK: true})
		d.passes(askHubEvery, AskHub{})
	}
}

// A hub of which nothing is known yet may only be slow to begin: it is waited for as long as agents have to arrive. If
// it never begins, the step that failed before is named.
func TestHubIsNotThereYet(t *testing.T) {
	d := drive(t, hub, gen)
	d.hangs = true
	line := protocol.Diagnosis{Line: "pyxis: cannot import the image"}
	d.gets(Said{Role: gen, Diagnosis: line}, words(gen, line))
	d.gets(Ended{Role: gen, Code: 1, Began: No}, Seal{Role: gen}, ended(gen, 1, early(1), line))
	for at := askHubEvery; at < launch; at += askHubEvery {
		d.passes(askHubEvery, AskHub{})
		d.gets(HubAnswered{Absent: true})
	}
	d.passes(askHubEvery, AskHub{})
	d.gets(HubAnswered{Absent: true})
	d.passes(askHubEvery, AskHub{})
	d.gets(HubAnswered{Absent: true}, KillHub{})
	want := Conclude{Cause: protocol.Cause{
		Role: gen, Kind: protocol.StepFailed, Detail: early(1) + ": " + line.Line, At: d.now,
	}}
	d.gets(Ended{Role: hub, Code: 137, Began: No}, Seal{Role: hub}, want)
}

// A hub that has not appeared is not waited for when the end is wanted and all others have ended.
func TestHubHasNothingToDo(t *testing.T) {
	for name, c := range map[string]struct {
		asked bool
		ends  []roles.Role
		kills bool
	}{
		"the end is wanted, and all have ended": {true, []roles.Role{gen, ctx}, true},
		"the end is wanted, and one has not":    {true, []roles.Role{gen}, false},
		"all have ended":                        {false, []roles.Role{gen, ctx}, false},
	} {
		m, now := New([]roles.Role{hub, gen, ctx}, plan.Policy{}, launch, zero), zero
		if c.asked {
			m.Step(Asked{Why: "SIGTERM"}, now)
			m.Step(HubAnswered{Absent: true}, now)
		}
		for _, r := range c.ends {
			m.Step(Ended{Role: r, Code: 1, Began: Yes}, now)
		}
		kills := false
		for range 2 * mostSilent {
			now = now.Add(askHubEvery)
			m.Step(Tick{}, now)
			kills = kills || slices.Contains(m.Step(HubAnswered{Absent: true}, now), Effect(KillHub{}))
		}
		if kills != c.kills {
			t.Errorf("%s: killed: %v", name, kills)
		}
		if !kills {
			continue
		}
		for _, e := range m.Step(Ended{Role: hub, Code: 137, Began: No}, now) {
			if end, ok := e.(Conclude); ok && (end.Cause.Kind != protocol.CauseCancelled || end.Cause.Subject == "") {
				t.Errorf("%s: %v", name, end.Cause)
			}
		}
	}
}

// A step that is to be restarted is not, once somebody wants the end, or the job is over. One that waits for its
// next try is tried at once.
func TestNotAnewAfterTheEnd(t *testing.T) {
	for name, in := range map[string]Input{
		"somebody wants the end": Asked{Why: "SIGTERM"}, "the hub has ended": Ended{Role: hub, Code: 1, Began: Yes},
	} {
		m := New([]roles.Role{hub, gen, ctx}, plan.Policy{Keep: plan.KeepPassed}, launch, zero)
		m.Step(Wanted{Role: gen}, zero)
		m.Step(in, zero.Add(time.Second))
		for _, e := range m.Step(Ended{Role: gen, Code: 1, Began: Yes}, zero.Add(2*time.Second)) {
			if _, ok := e.(Start); ok {
				t.Errorf("%s, and a step is started", name)
			}
		}
	}
	d := waiting(t, gen)
	d.gets(Wanted{Role: gen}, Start{Role: gen})
	d.gets(Ended{Role: gen, Code: 9, Began: Yes}, Seal{Role: gen},
		ended(gen, 9, early(9)+" (tried 2 times)", protocol.Diagnosis{}))
}

// draw makes up an input.
func draw(rt *rapid.T, now time.Time) Input {
	role := rapid.SampledFrom([]roles.Role{hub, gen, ctx}).Draw(rt, "role")
	switch rapid.IntRange(0, 5).Draw(rt, "input") {
	case 0:
		said := []protocol.Diagnosis{{}, busy, {Line: "x"}, {Meaning: protocol.OutOfTime, Line: "y"}}
		ranks := map[int][]int{}
		for _, code := range rapid.SliceOfN(rapid.IntRange(0, 3), 0, 3).Draw(rt, "codes") {
			ranks[code] = append(ranks[code], len(ranks[code]))
		}
		return Said{Role: role, Diagnosis: rapid.SampledFrom(said).Draw(rt, "diagnosis"), Ranks: ranks}
	case 1:
		began := rapid.SampledFrom([]Answer{Yes, No, NotKnown}).Draw(rt, "began")
		return Ended{Role: role, Code: rapid.IntRange(0, 2).Draw(rt, "code"), Began: began}
	case 2:
		return Output{}
	case 3:
		flag := func(name string) bool { return rapid.Bool().Draw(rt, name) }
		return HubAnswered{OK: flag("ok"), Gone: flag("gone"), Absent: flag("absent")}
	case 4:
		return Asked{Why: "x", Ends: now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(rt, "ends")) * time.Second)}
	default:
		return Tick{}
	}
}

// Whatever happens: a machine never wants a Tick in the past, a Tick at its deadline gets it further, nothing is
// started that was not announced, a verdict is made sure of exactly once, and after the hub's end it is left in time.
func TestAlwaysEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m, now := New([]roles.Role{hub, gen, ctx}, plan.Policy{}, launch, zero), zero
		concluded, retries := 0, map[roles.Role]int{}
		step := func(in Input) {
			for _, e := range m.Step(in, now) {
				switch e := e.(type) {
				case Conclude:
					concluded++
				case Retry:
					retries[e.Role]++
				case Start:
					if retries[e.Role]--; retries[e.Role] < 0 || concluded > 0 {
						rt.Fatalf("%v is started; announced: %d, verdicts: %d", e.Role, retries[e.Role]+1, concluded)
					}
				}
			}
			if at := m.Deadline(); !at.IsZero() && !at.After(now) {
				rt.Fatalf("at %v a tick is wanted at %v", now, at)
			}
		}
		for range rapid.IntRange(0, 40).Draw(rt, "inputs") {
			now = now.Add(time.Duration(rapid.IntRange(0, 1500).Draw(rt, "ms")) * time.Millisecond)
			step(draw(rt, now))
		}
		for range mostTries { // the last try is not tried again
			step(Ended{Role: hub, Code: 1})
			step(Ended{Role: gen})
		}
		if concluded != 1 {
			rt.Fatalf("%d verdicts", concluded)
		}
		for began := now; ; {
			if _, leave := m.Leave(now); leave {
				break
			}
			at := m.Deadline()
			if at.IsZero() || now.Sub(began) > leaveBound {
				rt.Fatalf("%v after the end: still here, next tick at %v", now.Sub(began), at)
			}
			now = at
			step(Tick{})
		}
	})
}
