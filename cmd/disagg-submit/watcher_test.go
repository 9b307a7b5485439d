package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/live"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/watched"
)

// Where nothing can be drawn it is said what the job waits for, once a minute in which nothing else is said, and not
// after the verdict.
func TestLineAMinute(t *testing.T) {
	j, err := watched.New(t.TempDir(), time.Now().Add(-662*time.Second), roles.Server{Count: 1, GPUs: 4},
		roles.Server{Count: 1, GPUs: 4}, 4)
	if err != nil {
		t.Fatal(err)
	}
	j.Load()
	gen0, ctx0 := roles.Role{Kind: roles.Gen}, roles.Role{Kind: roles.Ctx}
	j.Ready(ctx0, 584)
	j.Progress(gen0, "weights", 61, 600)
	var out bytes.Buffer
	w := &watcher{
		screen:   &screen{out: &out, view: live.New(j.Plan, "7")},
		progress: report.Progress{Out: &out, Begun: j.Begin, Now: time.Now},
	}
	for _, e := range j.Entries {
		w.screen.change(func(v *live.View) { v.Entry(e) })
	}
	w.screen.change(func(v *live.View) { v.State(j.State) })
	said := func(ago time.Duration) string {
		out.Reset()
		w.progress.Said = time.Now().Add(-ago)
		w.second()
		return out.String()
	}
	if got := said(waitsEvery - time.Second); got != "" {
		t.Errorf("too early: %q", got)
	}
	const want = "] GEN_0 is loading for 10 min: weights 61 %, last line 1 min ago\n"
	if got := said(waitsEvery); !strings.HasSuffix(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
	w.judged = true
	if got := said(waitsEvery); got != "" {
		t.Errorf("after the verdict: %q", got)
	}
}
