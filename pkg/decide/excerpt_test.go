package decide

import (
	"slices"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// The first cause keeps the lines that explain it; a secondary failure and the outcomes of the ranks are kept without.
func TestOnlyTheFirstCauseKeepsItsExcerpt(t *testing.T) {
	b := newBench(t)
	b.measuring()
	why := []string{"Traceback", "ValueError: no room"}
	failed := protocol.Outcome{Started: true, Code: 1, Headline: why[1], Excerpt: why[:1], Line: 8, ExcerptLine: 7}
	b.exit(gen1, failed)
	b.exit(ctx0, protocol.Outcome{Started: true, Code: 3, Excerpt: []string{"another"}})
	failed.Excerpt, failed.Tail = why, []string{"the end"} // its output is complete
	b.report(gen1, protocol.Event{Kind: protocol.EventStopped, Outcome: &failed})
	c := b.job.Cause()
	if c == nil || c.Task() != gen1 || !slices.Equal(c.Excerpt, why) || c.Message != why[1] ||
		c.Line != 8 || c.ExcerptLine != 7 {
		t.Errorf("cause %+v, want the excerpt %q", c, why)
	}
	for _, s := range b.job.attribution.Secondary() {
		if s.Excerpt != nil || s.Message != "" || s.Line != 0 {
			t.Errorf("%v keeps %q", s, s.Excerpt)
		}
	}
	for _, name := range b.job.order {
		if o := b.job.tasks[name].outcome; o != nil && o.Excerpt != nil {
			t.Errorf("the outcome of %s keeps %q", name, o.Excerpt)
		}
	}
}

// Of a server that stood still, what it had printed by the time it was stopped is with the cause; of one that was
// stopped because of another nothing is.
func TestWhatStoodStillIsQuoted(t *testing.T) {
	b := newBench(t)
	b.hello(all...)
	b.event(gen0, protocol.EventAddress)
	b.event(gen0, protocol.EventReady)
	b.event(ctx0, protocol.EventAddress)
	b.untilPhaseEnds()
	b.after(partitionBound)
	for _, name := range []roles.Task{gen0, ctx0} {
		b.report(name, protocol.Event{Kind: protocol.EventStopped, Outcome: &protocol.Outcome{
			Started: true, StopReason: "x", Headline: "its last line: " + name.String(), Line: 7, ExcerptLine: 7,
			Excerpt: []string{name.String()},
		}})
	}
	c := b.job.Cause()
	if c == nil || c.Task() != ctx0 || c.Kind != protocol.ReadyTimeout || c.Message != "its last line: CTX_0.0" ||
		c.Line != 7 || !slices.Equal(c.Excerpt, []string{"CTX_0.0"}) {
		t.Errorf("cause %+v", c)
	}
}
