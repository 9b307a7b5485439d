package notice_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/notice"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/runs"
)

// A comparison with earlier runs is told with its reason, in the document and to people.
func TestRegressionIsTold(t *testing.T) {
	in := runs.Passed()
	in.Judgement = &report.Judgement{Status: "failed", Reason: "slower by 9 %"}
	n := notice.New(in, notice.Ended{})
	if n.Regression != "failed: slower by 9 %" ||
		!strings.Contains(n.Text, "\nagainst earlier runs: failed: slower by 9 %\n") {
		t.Errorf("%q in %s", n.Regression, n.Text)
	}
	if n := notice.New(runs.Passed(), notice.Ended{}); n.Regression != "" || strings.Contains(n.Text, "earlier") {
		t.Errorf("%q in %s", n.Regression, n.Text)
	}
}

// What a variant has in place of what its case has is part of its heading, with a verdict or without.
func TestSettingsAreTold(t *testing.T) {
	for want, in := range map[string]report.Input{"passed: ": runs.Passed(), "no verdict: ": runs.Lost()} {
		in.Plan.Case.Settings = []roles.Setting{{Key: "max_batch_size", Value: "64"}}
		n := notice.New(in, notice.Ended{})
		heading, _, _ := strings.Cut(n.Text, "\n")
		if heading != want+in.Plan.Case.TestID+" with max_batch_size=64" || len(n.Settings) != 1 {
			t.Errorf("%q, %v", heading, n.Settings)
		}
	}
}

// A run without a verdict is told by what is known of its end, in no words that a terminal acts upon, and has no
// report.
func TestWithoutVerdict(t *testing.T) {
	end := notice.Ended{At: runs.At(9), Code: 75, Attempt: "/r/attempt-0"}
	n := notice.New(runs.Lost(), end)
	if n.Verdict != "none" || n.ExitCode != 75 || n.Why != "there is no verdict" || n.Links.Report != "" ||
		n.Links.Logs != "/r/attempt-0/logs" || !n.At.Equal(runs.At(9)) || n.FirstCause != nil {
		t.Errorf("%+v", n)
	}
	end.Why = "NODE_FAIL\x1b[2J"
	if n := notice.New(runs.Lost(), end); n.Why != "NODE_FAIL·[2J" || strings.Contains(n.Text, "\x1b") {
		t.Errorf("%q", n.Why)
	}
	passed := notice.New(runs.Passed(), end)
	if passed.ExitCode != 0 || passed.Why != "" || !passed.At.Equal(runs.At(184)) || passed.At.Location() != time.UTC {
		t.Errorf("a verdict knows better: %+v", passed)
	}
}

// Where nothing is known of an attempt the run's folder is named, and nothing that is perhaps not there.
func TestLinks(t *testing.T) {
	n := notice.New(runs.Passed(), notice.Ended{})
	if diff := cmp.Diff(notice.Links{RunDir: "/runs/tiny"}, n.Links); diff != "" {
		t.Error(diff)
	}
	if !strings.HasSuffix(n.Text, "\n/runs/tiny") {
		t.Error(n.Text)
	}
	want := notice.Links{
		RunDir: "/runs/tiny", Report: "/a/report/index.html", Logs: "/a/logs", JUnit: "/runs/tiny/junit.xml",
	}
	if diff := cmp.Diff(want, notice.New(runs.Passed(), notice.Ended{Attempt: "/a"}).Links); diff != "" {
		t.Error(diff)
	}
}

// Only points that count have numbers and are counted; the others are there with their reason.
func TestPointsOfNotice(t *testing.T) {
	n := notice.New(runs.Invalid(), notice.Ended{})
	if len(n.Points) != 3 || n.Points[0].Metrics == nil || n.Points[2].Metrics != nil ||
		n.Points[2].Reason != "11 of 512 requests failed" ||
		!strings.Contains(n.Text, "\n2 of 3 points count; best: ") {
		t.Errorf("%+v\n%s", n.Points, n.Text)
	}
	in := runs.Lost()
	in.Result.Points, in.Records, in.Entries = nil, nil, nil
	if n := notice.New(in, notice.Ended{}); !strings.Contains(n.Text, "\n0 of 3 points count\n") {
		t.Error(n.Text)
	}
	in.Plan.Case.Load.Concurrency = nil
	if n := notice.New(in, notice.Ended{}); n.Points == nil || len(n.Points) != 0 {
		t.Errorf("no points are a list too: %v", n.Points)
	}
}

// The best of fast GPUs is a number without an exponent.
func TestBestOfFastGPUs(t *testing.T) {
	in := runs.Passed()
	for _, pt := range in.Result.Points {
		pt.Metrics["token_throughput"] *= 100
	}
	if n := notice.New(in, notice.Ended{}); !strings.Contains(n.Text, "best: 80000.0 output tok/s/GPU at") {
		t.Error(n.Text)
	}
}

// No cause is none, and a cause has the lines around the one that explains.
func TestCauseOf(t *testing.T) {
	if notice.CauseOf(nil) != nil {
		t.Error("nothing is a cause")
	}
	f := report.Failure{
		Kind: protocol.OOM, Who: "w", Detail: "d", At: runs.At(1),
		Excerpt: []report.ExcerptLine{{Text: "a"}, {Text: "b"}},
	}
	want := notice.Cause{Kind: protocol.OOM, Who: "w", Detail: "d", At: runs.At(1), Excerpt: []string{"a", "b"}}
	if diff := cmp.Diff(&want, notice.CauseOf(&f)); diff != "" {
		t.Error(diff)
	}
}

// A list tells each failure with why, or where to look, in its order; a list that passed tells no why.
func TestTextOfList(t *testing.T) {
	l := notice.List{Failures: []notice.Failure{
		{Test: "a", Status: "failed", Why: "it broke\x1b"}, {Test: "b", Status: "no verdict", RunDir: "/runs/b"},
	}}
	end := notice.ListEnded{
		Name: "n\x07", Began: runs.At(0), At: runs.At(90), Code: 1, Summary: "2 tests: 2 failed",
		Links: notice.Links{RunDir: "/l"},
	}
	n := notice.OfList(l, end)
	want := "failed: n·\n2 tests: 2 failed\nfailed a: it broke·\nno verdict b: see /runs/b\n/l"
	if n.Text != want || n.Seconds != 90 || n.Why != "2 tests: 2 failed" || n.List == nil || n.Points == nil {
		t.Errorf("%q, %+v", n.Text, n)
	}
	end.Code = 0
	if n := notice.OfList(notice.List{}, end); n.Why != "" || n.Text != "passed: n·\n2 tests: 2 failed\n/l" {
		t.Errorf("%+v", n)
	}
	end.Code = protocol.ExitPending
	if n := notice.OfList(notice.List{}, end); !strings.HasPrefix(n.Text, "no verdict: n·\n") {
		t.Errorf("%q", n.Text)
	}
}

// Twenty failures are told one by one; of more the rest is counted, and the document has all.
func TestManyFailures(t *testing.T) {
	for count, want := range map[int]string{20: "x 19", 21: "and 1 more", 500: "and 480 more"} {
		var l notice.List
		for i := range count {
			l.Failures = append(l.Failures, notice.Failure{Test: fmt.Sprintf("x %d", i), Why: "y", Status: "failed"})
		}
		n := notice.OfList(l, notice.ListEnded{Code: 1, Links: notice.Links{RunDir: "/l"}})
		lines := strings.Split(n.Text, "\n")
		if last := lines[len(lines)-2]; !strings.Contains(last, want) || len(n.List.Failures) != count {
			t.Errorf("%d: %q, want %s", count, last, want)
		}
	}
}

// Slack's message is one heading, the text, and the lines that explain as code; without such lines there is no code.
func TestSlackMessage(t *testing.T) {
	n := notice.Notice{Text: "a & b\nsecond <x>\nthird `y`"}
	if got := n.Slack().Text; got != "*a &amp; b*\nsecond &lt;x&gt;\nthird 'y'" {
		t.Errorf("%q", got)
	}
	n.FirstCause = &notice.Cause{}
	if got := n.Slack().Text; strings.Contains(got, "```") {
		t.Errorf("%q", got)
	}
	n.FirstCause.Excerpt = []string{"1 < 2", "`"}
	if got := n.Slack().Text; !strings.HasSuffix(got, "\n```\n1 &lt; 2\n'\n```") {
		t.Errorf("%q", got)
	}
}
