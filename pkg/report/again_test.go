package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
)

// again is a run that was measured twice on the same servers, the second time with one point that does not count.
func again() Input {
	in := passed(4, 16)
	second := []protocol.Point{pointOf(0, 4, 32, 1.5), pointOf(1, 16, 100, 1.5)}
	for i := range second {
		second[i].Measurement = 1
	}
	second[1].Invalid = "28 requests failed"
	in.Result.Again = [][]protocol.Point{second}
	return in
}

// A measurement that followed has a number and a table of its own in every view, and changes neither the best point nor
// what CI servers are told.
func TestMeasurementsThatFollowed(t *testing.T) {
	m := Build(again())
	if len(m.Again) != 1 || m.Again[0].Number != 2 || m.Again[0].Points[1].State != Invalid {
		t.Fatalf("%+v", m.Again)
	}
	once := Build(passed(4, 16))
	if *m.Best != *once.Best {
		t.Errorf("the best is %+v, want %+v", m.Best, once.Best)
	}
	var out bytes.Buffer
	Summary(&out, m)
	page, err := Single(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"terminal": out.String(), "comment": string(Markdown(m)), "page": string(page),
	} {
		title := "easurement 2, on the same servers"
		before, after, found := strings.Cut(text, title)
		if !found || !strings.Contains(after, "28 requests failed") || strings.Contains(before, "28 requests failed") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	if got, want := lines(t, again()), lines(t, passed(4, 16)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// verdict is what a regression check says of a run.
var verdict = protocol.RegressionVerdict{
	Status: protocol.RegressionFailed, Reason: "why\x07", Detector: "d", Findings: []protocol.RegressionFinding{
		{Concurrency: 4, Metric: throughput, Gates: true, Status: protocol.RegressionFailed, Worse: 0.3, Past: 9},
		{Concurrency: 16, Metric: throughput, Gates: true, Status: protocol.RegressionUnknown, Past: 2},
		{Concurrency: 16, Metric: tokPerGPU, Status: protocol.RegressionFailed, Worse: 0.4, Detectable: 0.1},
	},
}

// What a result says of a comparison with earlier runs is shown, unless something newer is known. In a terminal it is
// what decides, and can be told.
func TestJudgementOfTheResult(t *testing.T) {
	in := passed(4, 16)
	in.Result.Regression = &verdict
	m := Build(in)
	if r := m.Regression; r == nil || r.Status != "failed" || r.Reason != "why·" || len(r.Findings) != 3 ||
		r.Findings[0].Worse != 0.3 || r.Findings[0].Past != 9 || r.Findings[2].Detectable != 0.1 {
		t.Fatalf("%+v", m.Regression)
	}
	var out, alone bytes.Buffer
	Summary(&out, m)
	Comparison(&alone, verdict)
	want := "against earlier runs: failed: why·\n  " + verdict.Findings[0].String() + "\n"
	if alone.String() != want || !strings.Contains(out.String(), want) {
		t.Errorf("got %q, want %q in\n%s", alone.String(), want, out.String())
	}
	if m.Points[0].Flags[throughput] != "failed" || m.Points[1].Flags[tokPerGPU] != "failed" ||
		m.Points[1].Flags[throughput] != "" {
		t.Errorf("flags %v, %v", m.Points[0].Flags, m.Points[1].Flags)
	}
	in.Judgement = &Judgement{Status: "passed"}
	if r := Build(in).Regression; r.Status != "passed" {
		t.Errorf("%+v", r)
	}
}

// Records are told per sink: those that the submitting side is still to send are its own affair, and a sink without any
// is not worth a line. What a sink has refused is said.
func TestUploads(t *testing.T) {
	var out bytes.Buffer
	Uploads(&out, protocol.UploadReport{Sinks: []protocol.UploadReport{
		{URL: "a\x07", Sent: 1, Pending: 2, Dead: 3}, {URL: "local", Local: true, Pending: 4}, {URL: "nothing"},
		{URL: "b", Pending: 1}, {URL: "c", Dead: 1},
	}})
	want := "records: a· (1 sent, 2 pending, 3 refused)\nrecords: b (0 sent, 1 pending)\n" +
		"records: c (0 sent, 0 pending, 1 refused)\n"
	if out.String() != want {
		t.Errorf("got\n%s, want\n%s", out.String(), want)
	}
}

// A job that is tried again is told of from the beginning: ranks, points and ends are its own.
func TestProgressRestarts(t *testing.T) {
	p := newProgress()
	attached := protocol.Entry{Kind: protocol.EntryAttached, Role: &gen}
	point := protocol.Entry{Kind: protocol.EntryPoint, Point: &protocol.Point{Index: 0, Concurrency: 4, Invalid: "x"}}
	show(p, attached, attached, point, protocol.Entry{Kind: protocol.EntryPhase, Phase: protocol.Stopping})
	layout := p.Layout
	layout.Placements = slices.Clone(layout.Placements)
	layout.Placements[0].Ranks = 1
	p.Restart(layout)
	exited := protocol.Entry{Kind: protocol.EntryKind(protocol.EventExited), Role: &gen, Detail: "exited with code 7"}
	got := show(p, attached, point, exited)
	want := []string{
		"GEN_0: 1 of 1 ranks arrived", "point 1 of 3: concurrency 4 does not count: x",
		"GEN_0.0 ended: exited with code 7",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
