package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/supervisor"
)

// A child that failed is reported with the line that explains and its context, without secrets; where output was missed
// that is said. One that did its work, or was asked to stop, is reported without any of it.
func TestOutcomeExplains(t *testing.T) {
	s := newSearched(logtee.NewRedactor([]string{"HF_TOKEN=hf_secret"}).Text, false)
	s.feed([]byte("loading with hf_secret\nValueError: hf_secret is refused\n"), 0)
	s.feed([]byte("RuntimeError: Executor worker returned error\n"), 512)
	failed := supervisor.Outcome{Started: true, Code: 1, Tail: []string{"the end"}}
	got := outcome(failed, s)
	want := []string{
		"[512 bytes of the output came too fast to be searched: see the log]", "loading with [redacted]",
		"ValueError: [redacted] is refused", "RuntimeError: Executor worker returned error",
	}
	if diff := cmp.Diff(want, got.Excerpt); diff != "" {
		t.Error(diff)
	}
	if got.Headline != "ValueError: [redacted] is refused" || len(got.Tail) != 1 {
		t.Errorf("headline %q, tail %q", got.Headline, got.Tail)
	}
	stopped := supervisor.Outcome{Started: true, Code: 143, StopReason: "enough"}
	if o := outcome(stopped, s); o.Headline != "" || o.Excerpt != nil || o.Tail != nil {
		t.Errorf("it is explained: %+v", o)
	}
	early := supervisor.Outcome{Started: true, Tail: []string{"the end"}}
	if o := outcome(early, s); o.Excerpt == nil || o.Tail != nil {
		t.Errorf("an end that may be too early: %+v", o)
	}
	never := supervisor.Outcome{Code: 127, Error: "no such file"}
	if o := outcome(never, nil); o.Headline != "" || o.Error != never.Error {
		t.Errorf("a child that was never started: %+v", o)
	}
}

// The lines that explain have their numbers in the log, unless something is missing before them: output that came too
// fast, or that an earlier child has left there.
func TestLinesOfTheLog(t *testing.T) {
	for name, tt := range map[string]struct {
		late        bool
		missed      int64
		line, first int
	}{
		"all of it was seen":     {false, 0, 2, 1},
		"an earlier child's log": {true, 0, 0, 0},
		"some came too fast":     {false, 9, 0, 0},
		"both":                   {true, 9, 0, 0},
	} {
		s := newSearched(func(s string) string { return s }, tt.late)
		s.feed([]byte("loading\nValueError: x\n"), tt.missed)
		if o := outcome(supervisor.Outcome{Started: true, Code: 1}, s); o.Line != tt.line || o.ExcerptLine != tt.first {
			t.Errorf("%s: line %d, from %d", name, o.Line, o.ExcerptLine)
		}
	}
}

// Of a child that is stopped what it had printed by then is reported, not what it says of its end.
func TestWhatAStoppedChildHadSaid(t *testing.T) {
	stopped := supervisor.Outcome{Started: true, Code: 143, StopReason: "not ready", Tail: []string{"bye"}}
	for name, tt := range map[string]struct{ log, headline string }{
		"it goes on":   {"loading 61 %\n", "its last line, 3s before it was stopped: loading 61 %"},
		"it met error": {"ValueError: x\nwaiting\n", "ValueError: x"},
		"silence":      {"", ""},
	} {
		s := newSearched(func(s string) string { return s }, false)
		s.feed([]byte(tt.log), 0)
		s.stopping(s.last.Add(3 * time.Second))
		s.feed([]byte("KeyboardInterrupt\nRuntimeError: closed\n"), 0)
		s.stopping(s.last.Add(time.Hour)) // once more, by another cause
		o := outcome(stopped, s)
		if o.Headline != tt.headline || o.Tail != nil || strings.Contains(strings.Join(o.Excerpt, "\n"), "closed") {
			t.Errorf("%s: %q: %q", name, o.Headline, o.Excerpt)
		}
	}
}
