package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/supervisor"
)

// A child that failed is reported with the line that explains and its context, without secrets; where output was missed
// that is said. One that did its work, or was asked to stop, is reported without any of it.
func TestOutcomeExplains(t *testing.T) {
	s := newSearched(logtee.NewRedactor([]string{"HF_TOKEN=hf_secret"}).Text)
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
	for _, fine := range []supervisor.Outcome{{Started: true}, {Started: true, Code: 143, StopReason: "enough"}} {
		if o := outcome(fine, s); o.Headline != "" || o.Excerpt != nil || o.Tail != nil {
			t.Errorf("%+v is explained: %+v", fine, o)
		}
	}
	never := supervisor.Outcome{Code: 127, Error: "no such file"}
	if o := outcome(never, nil); o.Headline != "" || o.Error != never.Error {
		t.Errorf("a child that was never started: %+v", o)
	}
}
