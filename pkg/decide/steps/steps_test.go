package steps

import (
	"fmt"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// A step that ends is reported when it ends, whatever its code; its log is complete then. A second end changes nothing.
func TestEndIsReportedAtOnce(t *testing.T) {
	for _, code := range []int{0, 1, 64, 137} {
		d := drive(t, hub, gen)
		d.gets(Ended{Role: gen, Code: code}, Seal{Role: gen}, ended(gen, code, early(code), protocol.Diagnosis{}))
		d.gets(Ended{Role: gen, Code: code})
		d.leaves(0, false)
	}
}

// What is said of a role that has no step here changes nothing.
func TestUnknownRole(t *testing.T) {
	d := drive(t, hub, gen)
	d.gets(Ended{Role: ctx, Code: 1})
	d.gets(Said{Role: ctx, Diagnosis: busy})
}

// A step that never began for a reason that may pass is tried three times, after growing pauses.
func TestTransientStartIsTriedAgain(t *testing.T) {
	d := drive(t, hub, gen)
	for try, pause := range []time.Duration{time.Second, 2 * time.Second, 0} {
		d.gets(Said{Role: gen, Diagnosis: busy}, words(gen, busy))
		fails := Ended{Role: gen, Code: 1, Began: No}
		if try == mostTries-1 {
			d.gets(fails, Seal{Role: gen}, ended(gen, 1, early(1)+" (tried 3 times)", busy))
			break
		}
		d.gets(fails, Retry{Role: gen, After: pause})
		d.passes(pause - 1)
		d.passes(1, Start{Role: gen})
	}
	d.passes(time.Minute)
}

// Only a step that certainly never began, and for a reason that may pass, is tried again.
func TestNotTriedAgain(t *testing.T) {
	other := protocol.Diagnosis{Meaning: protocol.OutOfMemory, Line: "oom-kill event"}
	tests := map[string]struct {
		said  protocol.Diagnosis
		code  int
		began Answer
	}{
		"it ended well":                {busy, 0, No},
		"its agents ran":               {busy, 1, Yes},
		"whether they ran is unknown":  {busy, 1, NotKnown},
		"it failed for another reason": {other, 1, No},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := drive(t, hub, gen)
			d.gets(Said{Role: gen, Diagnosis: tt.said}, words(gen, tt.said))
			d.gets(Ended{Role: gen, Code: tt.code, Began: tt.began},
				Seal{Role: gen}, ended(gen, tt.code, early(tt.code), tt.said))
			d.passes(time.Minute)
		})
	}
}

// waiting is a job of which a step waits for its next try.
func waiting(t *testing.T, role roles.Role) *driver {
	d := drive(t, hub, gen)
	d.gets(Said{Role: role, Diagnosis: busy}, words(role, busy))
	d.gets(Ended{Role: role, Code: 1, Began: No}, Retry{Role: role, After: time.Second})
	return d
}

// Nothing is started any more once the job is over.
func TestNoStartAfterTheEnd(t *testing.T) {
	d := waiting(t, gen)
	d.gets(Ended{Role: hub, Code: 3, Began: Yes},
		Seal{Role: hub}, d.cause(protocol.HubLost, "it ended without a verdict, with code 3"), Seal{Role: gen})
	d.leaves(3, true)
	d.passes(time.Minute)

	d = drive(t, hub, gen)
	d.gets(Said{Role: gen, Diagnosis: busy}, words(gen, busy))
	d.gets(Ended{
		Role: hub, Began: Yes,
	}, Seal{Role: hub}, d.cause(protocol.HubLost, "it ended without a verdict, with code 0"))
	d.gets(Ended{Role: gen, Code: 1, Began: No}, Seal{Role: gen}, ended(gen, 1, early(1), busy))
}

// Nothing is started any more once somebody wants the end. If the hub's own step waits for its next try, that is the
// end of the job.
func TestNoStartOnceAsked(t *testing.T) {
	asked := Asked{Why: "SIGTERM"}
	d := waiting(t, gen)
	d.gets(asked, Seal{Role: gen})
	d.passes(time.Minute)
	d.leaves(0, false)

	d = waiting(t, hub)
	d.gets(asked, Seal{Role: hub}, d.ofAll(true, protocol.CauseCancelled, "the job was asked to end: SIGTERM"))
	d.passes(time.Second)
	d.leaves(1, true)

	d = drive(t, hub, gen)
	d.gets(asked)
	d.gets(Said{Role: gen, Diagnosis: busy}, words(gen, busy))
	d.gets(Ended{Role: gen, Code: 1, Began: No}, Seal{Role: gen}, ended(gen, 1, early(1), busy))
}

// Ranks that the scheduler says have ended are reported at once, each once, although their step goes on.
func TestRanks(t *testing.T) {
	d := drive(t, hub, gen)
	line := protocol.Diagnosis{Line: "n1: task 2: Exited with exit code 64"}
	says := func(ranks map[int][]int) Said { return Said{Role: gen, Diagnosis: line, Ranks: ranks} }
	report := func(code int, list ...int) Effect {
		detail := fmt.Sprintf("the task exited with code %d before it reached the hub", code)
		return Report{Report: protocol.StepReport{Role: gen, Code: code, Ranks: list, Detail: detail, Diagnosis: line}}
	}
	d.gets(says(map[int][]int{64: {2}}), report(64, 2))
	d.gets(says(map[int][]int{64: {2}}))
	d.gets(says(map[int][]int{64: {2, 0}, 1: {5, 6}}), report(1, 5, 6), report(64, 0))
	d.gets(says(map[int][]int{64: {2}})) // a list that shrinks takes nothing back
	d.passes(time.Minute)
}

// Of ranks that ended because their step could not begin the hub is not told as long as the step may be tried again: it
// would take them for a failure. Why they ended the scheduler may say after it has said that they did.
func TestRanksOfAStepThatIsTriedAgain(t *testing.T) {
	vague := protocol.Diagnosis{Line: "n1: tasks 0-1: Exited with exit code 1", Vague: true}
	ranks := map[int][]int{1: {0, 1}}
	begin := func(t *testing.T) *driver {
		d := drive(t, hub, gen)
		d.gets(Said{Role: gen, Diagnosis: vague, Ranks: ranks}, words(gen, vague))
		return d
	}
	report := func(diagnosis protocol.Diagnosis) Effect {
		detail := "the task exited with code 1 before it reached the hub"
		return Report{Report: protocol.StepReport{
			Role: gen, Code: 1, Ranks: []int{0, 1}, Detail: detail, Diagnosis: diagnosis,
		}}
	}
	t.Run("they ended with the step", func(t *testing.T) {
		d := begin(t)
		for range mostTries - 1 {
			d.passes(vagueBound / 2)
			d.gets(Said{Role: gen, Diagnosis: busy, Ranks: ranks})
			d.passes(vagueBound / 4)
			pause, _ := Pause(d.m.find(gen).tries + 1)
			d.gets(Ended{Role: gen, Code: 1, Began: No}, words(gen, busy), Retry{Role: gen, After: pause})
			d.passes(pause, Start{Role: gen})
			d.gets(Said{Role: gen, Diagnosis: vague, Ranks: ranks}, words(gen, vague))
		}
		d.gets(Said{Role: gen, Diagnosis: busy, Ranks: ranks}, report(busy)) // there is no further try
	})
	t.Run("the step goes on", func(t *testing.T) {
		d := begin(t)
		d.gets(Said{Role: gen, Diagnosis: busy, Ranks: ranks})
		d.passes(sayEvery, words(gen, busy))
		d.passes(transientBound - sayEvery - 1)
		d.passes(1, report(busy))
		d.passes(time.Minute)
	})
	t.Run("nobody says why", func(t *testing.T) {
		d := begin(t)
		d.passes(vagueBound - 1)
		d.passes(1, report(vague))
		d.passes(time.Minute)
	})
	t.Run("the step ends for good", func(t *testing.T) {
		d := begin(t)
		d.gets(Ended{Role: gen, Code: 1, Began: No}, report(vague), Seal{Role: gen}, ended(gen, 1, early(1), vague))
	})
	t.Run("somebody wants the end", func(t *testing.T) {
		d := begin(t)
		d.gets(Asked{Why: "SIGTERM"}, report(vague))
	})
}

// What the scheduler says of a step is passed on at most once a second, and the last word is not lost.
func TestWordsAreLimited(t *testing.T) {
	said := func(text string) (Said, Effect) {
		d := protocol.Diagnosis{Line: text}
		return Said{Role: gen, Diagnosis: d}, words(gen, d)
	}
	one, reportOne := said("one")
	two, _ := said("two")
	three, reportThree := said("three")
	d := drive(t, hub, gen)
	d.gets(one, reportOne)
	d.gets(one)
	d.passes(300 * time.Millisecond)
	d.gets(two)
	d.gets(three)
	d.passes(700*time.Millisecond - 1)
	d.passes(1, reportThree)
	d.passes(time.Minute)
}

// What was not passed on yet when a step is tried again, or ends, is passed on then.
func TestLastWords(t *testing.T) {
	first := protocol.Diagnosis{Line: "step creation temporarily disabled"}
	d := drive(t, hub, gen)
	d.gets(Said{Role: gen, Diagnosis: first}, words(gen, first))
	d.gets(Said{Role: gen, Diagnosis: busy})
	d.gets(Ended{Role: gen, Code: 1, Began: No}, words(gen, busy), Retry{Role: gen, After: time.Second})
	d.passes(time.Second, Start{Role: gen})
	d.gets(Said{Role: gen, Diagnosis: first}, words(gen, first))
	other := protocol.Diagnosis{Line: "task launch failed"}
	d.gets(Said{Role: gen, Diagnosis: other})
	d.gets(Ended{Role: gen, Code: 1, Began: No}, Seal{Role: gen}, ended(gen, 1, early(1)+" (tried 2 times)", other))
	d.gets(Said{Role: gen, Diagnosis: first})
	d.passes(time.Minute)
	d.gets(Tick{})
}
