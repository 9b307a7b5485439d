package decide

import (
	"slices"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
)

// The first cause keeps the lines that explain it; a secondary failure and the outcomes of the ranks are kept without.
func TestOnlyTheFirstCauseKeepsItsExcerpt(t *testing.T) {
	b := newBench(t)
	b.measuring()
	why := []string{"Traceback", "ValueError: no room"}
	failed := protocol.Outcome{Started: true, Code: 1, Headline: why[1], Excerpt: why[:1]}
	b.exit(gen1, failed)
	b.exit(ctx0, protocol.Outcome{Started: true, Code: 3, Excerpt: []string{"another"}})
	failed.Excerpt, failed.Tail = why, []string{"the end"} // its output is complete
	b.report(gen1, protocol.Event{Kind: protocol.EventStopped, Outcome: &failed})
	c := b.job.Cause()
	if c == nil || c.Task() != gen1 || !slices.Equal(c.Excerpt, why) {
		t.Errorf("cause %+v, want the excerpt %q", c, why)
	}
	for _, s := range b.job.attribution.Secondary() {
		if s.Excerpt != nil {
			t.Errorf("%v keeps %q", s, s.Excerpt)
		}
	}
	for _, name := range b.job.order {
		if o := b.job.tasks[name].outcome; o != nil && o.Excerpt != nil {
			t.Errorf("the outcome of %s keeps %q", name, o.Excerpt)
		}
	}
}
