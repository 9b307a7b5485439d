package protocol_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
)

// The report of one sink is that of all; of several the numbers are added, each error names its sink, and the first of
// them is shown.
func TestSumUploads(t *testing.T) {
	one := protocol.UploadReport{URL: "a", Sent: 2, Pending: 1, Error: "away", Local: true}
	if diff := cmp.Diff(one, protocol.SumUploads(one)); diff != "" {
		t.Error(diff)
	}
	two := protocol.UploadReport{URL: "b", Sent: 3, Dead: 1, Known: []string{"r1"}}
	three := protocol.UploadReport{URL: "c", Pending: 4, Dead: 2, Known: []string{"r2"}, Error: "full"}
	want := protocol.UploadReport{
		URL: "a b c", Sent: 5, Pending: 5, Dead: 3, Known: []string{"r1", "r2"}, Error: "a: away",
		Sinks: []protocol.UploadReport{one, two, three},
	}
	if diff := cmp.Diff(want, protocol.SumUploads(one, two, three)); diff != "" {
		t.Error(diff)
	}
	if got := protocol.SumUploads(two, three).Error; got != "c: full" {
		t.Errorf("the error is %q", got)
	}
	if diff := cmp.Diff(protocol.UploadReport{}, protocol.SumUploads()); diff != "" {
		t.Errorf("of no sink: %s", diff)
	}
}

// What the submitting side is to send is what is pending in those sinks that are left to it.
func TestLocalPending(t *testing.T) {
	local := func(n int) protocol.UploadReport { return protocol.UploadReport{Pending: n, Local: true} }
	far := protocol.UploadReport{Pending: 8}
	for name, tt := range map[string]struct {
		report protocol.UploadReport
		want   int
		sinks  int
	}{
		"one sink":              {local(3), 3, 1},
		"one that is not local": {far, 0, 1},
		"several":               {protocol.SumUploads(local(3), far, local(4)), 7, 3},
		"none of several":       {protocol.SumUploads(far, far), 0, 2},
	} {
		if got := tt.report.LocalPending(); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
		if got := len(tt.report.Each()); got != tt.sinks {
			t.Errorf("%s: %d sinks, want %d", name, got, tt.sinks)
		}
	}
}

// A point goes to those of its measurement, whichever is heard of first.
func TestAddPoint(t *testing.T) {
	point := func(measurement, index int) protocol.Point {
		return protocol.Point{Measurement: measurement, Index: index}
	}
	var r protocol.Result
	for _, p := range []protocol.Point{point(2, 0), point(0, 0), point(0, 1), point(2, 1), point(1, 0)} {
		r.Add(p)
	}
	if diff := cmp.Diff([]protocol.Point{point(0, 0), point(0, 1)}, r.Points); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]protocol.Point{{point(1, 0)}, {point(2, 0), point(2, 1)}}, r.Again); diff != "" {
		t.Error(diff)
	}
}

// What is found out while the job runs takes the place of what was only planned, and of nothing that was known before.
func TestProvenanceWith(t *testing.T) {
	planned := protocol.Provenance{
		RunDir: "/r", User: "u", GPU: "GB200", GPUName: "planned", Driver: "1", Engine: "2", Commit: "c", Dirty: true,
		Hosts: []string{"old"}, Tags: []string{"t"},
	}
	found := protocol.Provenance{
		RunDir: "/elsewhere", User: "nobody", Hosts: []string{"n1", "n2"}, GPUName: "NVIDIA GB200", Driver: "570",
		Engine: "1.2", Warm: true, Tags: []string{"other"},
	}
	want := planned
	want.Hosts, want.GPUName, want.Driver, want.Engine, want.Warm = found.Hosts, "NVIDIA GB200", "570", "1.2", true
	if diff := cmp.Diff(want, planned.With(found)); diff != "" {
		t.Error(diff)
	}
	want = planned
	want.Hosts = nil // nobody has come
	if diff := cmp.Diff(want, planned.With(protocol.Provenance{})); diff != "" {
		t.Error(diff)
	}
	warm := protocol.Provenance{Warm: true}
	if !warm.With(protocol.Provenance{}).Warm {
		t.Error("servers that were warm are so no longer")
	}
}
