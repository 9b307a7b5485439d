package results_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// A document has these fields and no others: a database knows them by their names. What is not known is absent, and
// not empty.
func TestFieldsOfADocument(t *testing.T) {
	o := results.Origin{
		RunID: "run", JobID: "17", Recipe: "rec", Cluster: "k", Case: roles.Case{
			Name: "c", TestID: "t", Settings: []roles.Setting{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}},
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 4}},
		},
		Provenance: protocol.Provenance{
			RunDir: "/r", User: "u", Tool: "v", GPU: "H200", Driver: "580", Engine: "1.2", Commit: "abc",
			Branch: "main", Image: "i", CaseHash: "ch", PlanHash: "ph", Note: "n", Hosts: []string{"h1", "h2"},
			Tags:      []string{"x", "y"},
			AskedGPUs: 8, Dirty: true, Warm: true,
			Imported: &protocol.Import{File: "f", SHA256: "s", Dated: protocol.ByFile},
		},
		Document: map[string]any{"s_own": "o"},
	}
	pt := protocol.Point{Concurrency: 8, Successful: 15, Failed: 1, Metrics: map[string]float64{"al": 2}}
	r := results.NewRecord(o, pt, time.UnixMilli(1234))
	want := map[string]any{
		"b_is_valid": true, "b_is_baseline": false, "s_id": r.ID, "s_digest": r.Digest(), "s_series": r.Series(),
		"ts_run": int64(1234), "s_run_id": "run", "s_scheduler_job_id": "17", "s_case": "c", "s_test_list": "t",
		"s_cluster": "k", "s_recipe": "rec", "l_concurrency": int64(8), "l_total_gpus": int64(4),
		"l_successful_requests": int64(15), "l_failed_requests": int64(1), "s_settings": "a=1, b=2",
		"s_run_dir": "/r", "s_user": "u", "s_tool": "v", "s_gpu_model": "H200", "s_driver": "580", "s_engine": "1.2",
		"s_commit": "abc", "s_branch": "main", "s_image": "i", "s_case_hash": "ch", "s_plan_hash": "ph", "s_note": "n",
		"s_hosts": "h1,h2", "s_tags": "x,y", "l_asked_gpus": int64(8), "b_dirty": true, "b_warm": true,
		"s_imported_file": "f", "s_imported_sha256": "s", "s_imported_dated": string(protocol.ByFile),
		"s_own": "o", "d_al": 2.0,
	}
	if diff := cmp.Diff(want, results.Document(r)); diff != "" {
		t.Error(diff)
	}
	bare := results.Document(results.Record{Point: protocol.Point{Concurrency: 8}})
	for _, name := range []string{
		"l_successful_requests", "l_failed_requests", "s_settings", "s_run_dir", "s_tags", "l_asked_gpus",
		"s_imported_file", "s_invalid", "s_upload_note",
	} {
		if v, have := bare[name]; have {
			t.Errorf("of nothing %s is %v", name, v)
		}
	}
}

// That no request was counted is a fact of a point that does not count, and of one without counts it is none.
func TestCountsOfADocument(t *testing.T) {
	for name, tt := range map[string]struct {
		pt   protocol.Point
		have bool
	}{
		"all failed":    {protocol.Point{Failed: 4}, true},
		"all succeeded": {protocol.Point{Successful: 4}, true},
		"no result":     {protocol.Point{Invalid: "no request succeeded"}, true},
		"not counted":   {protocol.Point{}, false},
	} {
		doc := results.Document(results.Record{Point: tt.pt})
		if _, have := doc["l_failed_requests"]; have != tt.have {
			t.Errorf("%s: %v", name, doc["l_failed_requests"])
		}
	}
}

// The note names every field that was left out, in one order, with what it would have been.
func TestNoteOfADocument(t *testing.T) {
	r := results.Record{Document: map[string]any{"l_b": "x", "d_a": "y", "odd": 1}}
	if got := results.Document(r)["s_upload_note"]; got != "left out: d_a is y; l_b is x; odd is 1" {
		t.Errorf("%v", got)
	}
}

// Numbers that no integer can be are none: those at the edge of what 64 bits hold, and fractions.
func TestIntegersOfADocument(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want any
	}{
		{int64(1) << 52, int64(1) << 52}, {-3.0, int64(-3)}, {9.3e18, nil}, {-9.3e18, nil}, {0.5, nil}, {"3", nil},
		{nil, nil},
	} {
		if got := results.Document(results.Record{Document: map[string]any{"l_x": tt.v}})["l_x"]; got != tt.want {
			t.Errorf("%v: %v, want %v", tt.v, got, tt.want)
		}
	}
}

// Every metric has a name of its own, a label, a definition, and a unit or none; what decides about a regression does
// so for one way of measuring only.
func TestMetricsAreDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range results.Metrics() {
		if m.Name == "" || m.Label == "" || m.Definition == "" || seen[m.Name] {
			t.Errorf("%+v", m)
		}
		seen[m.Name] = true
		if found, ok := results.MetricNamed(m.Name); !ok || found.Label != m.Label {
			t.Errorf("%s is found as %+v", m.Name, found)
		}
		if m.Gates(true) && m.Gates(false) {
			t.Errorf("%s decides in both ways of measuring", m.Name)
		}
	}
	if m, ok := results.MetricNamed("colour"); ok || m.Name != "" {
		t.Errorf("%+v", m)
	}
	for _, name := range []string{"tok_per_gpu", "tok_per_user", "mean_gpu_power", "max_gpu_memory", "gpu_energy"} {
		if !seen[name] {
			t.Errorf("%s is not described", name)
		}
	}
}

// What follows from other metrics is not known where those are not, or where it would be divided by nothing.
func TestDerivedMetrics(t *testing.T) {
	pt := protocol.Point{Metrics: map[string]float64{"token_throughput": 800, "mean_tpot": 10}}
	for _, tt := range []struct {
		name string
		pt   protocol.Point
		gpus int
		want float64
		ok   bool
	}{
		{"tok_per_gpu", pt, 8, 100, true}, {"tok_per_gpu", pt, 0, 0, false},
		{"tok_per_gpu", protocol.Point{}, 8, 0, false},
		{"tok_per_user", pt, 0, 100, true}, {"tok_per_user", protocol.Point{}, 8, 0, false},
		{"token_throughput", pt, 0, 800, true}, {"token_throughput", protocol.Point{}, 8, 0, false},
	} {
		m, _ := results.MetricNamed(tt.name)
		if v, ok := m.Value(tt.pt, tt.gpus); ok != tt.ok || ok && v != tt.want {
			t.Errorf("%s with %d GPUs: %v, %v", tt.name, tt.gpus, v, ok)
		}
	}
}
