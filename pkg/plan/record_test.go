package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// A record has the plan's names, the attempt's and the job's ids, and the documents of case and point in one.
func TestRecord(t *testing.T) {
	in := input(t)
	in.Case.Load = roles.Load{Concurrency: []int{4, 8}, Each: []roles.PointLoad{{Rounds: 2}, {Rounds: 3}}}
	in.Case.Document = map[string]any{"s_of_case": "a", "s_both": "case"}
	in.Case.PointDocuments = []map[string]any{{"s_both": "first"}, {"s_both": "second"}}
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	p.Provenance = protocol.Provenance{User: "u"}
	at := time.Unix(5, 0)
	r := p.Record("run-1", "77", protocol.Point{Index: 1, Concurrency: 8}, at)
	if r.RunID != "run-1" || r.JobID != "77" || r.Recipe != "trtllm-serve" || r.Cluster != "c" ||
		r.Format != "trtllm" ||
		!r.MeasuredAt.Equal(at) || r.Case != "c" || r.TestID != "disagg-e2e-c" || r.Load.Rounds != 3 || r.ID == "" {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff(map[string]any{"s_of_case": "a", "s_both": "second"}, r.Document); diff != "" {
		t.Error(diff)
	}
	if in.Case.Document["s_both"] != "case" {
		t.Error("the case's document was written into")
	}
	if r.Provenance.User != "u" || r.Provenance.Warm {
		t.Errorf("%+v", r.Provenance)
	}
	if p.Record("run-1", "77", protocol.Point{Measurement: 1}, at).Provenance.Warm != true {
		t.Error("servers that had served before are cold")
	}
}

// A point beyond the case's documents has the case's alone, and a case without any has none.
func TestRecordWithoutDocuments(t *testing.T) {
	in := input(t)
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if r := p.Record("r", "", protocol.Point{}, time.Time{}); r.Document != nil {
		t.Errorf("%v", r.Document)
	}
	p.Case.PointDocuments = []map[string]any{{"s_point": "a"}}
	if r := p.Record("r", "", protocol.Point{}, time.Time{}); !cmp.Equal(r.Document, map[string]any{"s_point": "a"}) {
		t.Errorf("%v", r.Document)
	}
	if r := p.Record("r", "", protocol.Point{Index: 1}, time.Time{}); r.Document != nil {
		t.Errorf("%v", r.Document)
	}
	p.Case.Document = map[string]any{"s_case": "b"}
	if r := p.Record("r", "", protocol.Point{Index: 1}, time.Time{}); !cmp.Equal(r.Document, p.Case.Document) {
		t.Errorf("%v", r.Document)
	}
}

// The format is the one that the recipe has for the case's client, and may come from a value.
func TestResultFormat(t *testing.T) {
	in := input(t)
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := p.ResultFormat(); err != nil || f.Name != "trtllm" {
		t.Errorf("%s, %v", f.Name, err)
	}
	p.Case.Load.Client = "sa"
	if f, err := p.ResultFormat(); err != nil || f.Name != "trtllm-sa" {
		t.Errorf("%s, %v", f.Name, err)
	}
	p.Case.Load.Client, p.Values["of"] = "", "json"
	bench := p.Recipe.Roles[roles.Benchmark]
	for format, want := range map[string]string{
		"{{.Values.of}}": "", "{{.Nope}}": "format", "none": `unknown format "none"`,
	} {
		bench.Results = &recipe.Results{Format: format, Files: "x"}
		p.Recipe.Roles[roles.Benchmark] = bench
		f, err := p.ResultFormat()
		if want == "" && (err != nil || f.Name != "json") {
			t.Errorf("%s: %s, %v", format, f.Name, err)
		}
		if want != "" {
			fails(t, err, want)
		}
	}
	bench.Results = nil
	p.Recipe.Roles[roles.Benchmark] = bench
	_, err = p.ResultFormat()
	fails(t, err, "there are no results")
}

// A pattern that cannot be rendered tells what cannot be found; a pattern without a mark is one file for all points.
func TestPointFilesOfPattern(t *testing.T) {
	in := input(t)
	in.Case.Load.Concurrency = []int{1, 2}
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	bench := p.Recipe.Roles[roles.Benchmark]
	bench.Results = &recipe.Results{Format: "json", Files: "{{.Nope}}"}
	p.Recipe.Roles[roles.Benchmark] = bench
	_, err = p.PointFiles("r", recipe.Dirs{})
	fails(t, err, "cannot tell where the client's results are: ")
	bench.Results = &recipe.Results{Format: "json", Files: "{index}{{.RunID}}"}
	p.Recipe.Roles[roles.Benchmark] = bench
	if files, err := p.PointFiles("r", recipe.Dirs{}); err != nil || !cmp.Equal(files, []string{"0r", "1r"}) {
		t.Errorf("%v, %v", files, err)
	}
}
