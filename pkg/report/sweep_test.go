package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/roles"
)

// variant is a run with settings, given as keys and values in turn, that is faster by a factor.
func variant(name string, in Input, keysAndValues ...string) ListedRun {
	for i := 0; i < len(keysAndValues); i += 2 {
		in.Plan.Case.Settings = append(in.Plan.Case.Settings,
			roles.Setting{Key: keysAndValues[i], Value: keysAndValues[i+1]})
	}
	m := Build(in)
	return ListedRun{
		Name: name, Status: m.Run.Ending(), Page: "001-" + name + "/attempt-0/report/index.html", Model: &m,
		Settings: m.Run.Settings,
	}
}

const batchSize, length = "worker_config.gen.max_batch_size", "benchmark.input_length"

// The page of variants has a curve of their best points, which joins those that differ in the last key alone, and a
// table of what was varied beside the best results. One that failed is in the table.
func TestSweep(t *testing.T) {
	l := List{Title: "tiny", Summary: "4 runs: 3 passed, 1 refused", Runs: []ListedRun{
		variant("small-short", passed(4, 8), "tags", "same", batchSize, "64", length, "128"),
		variant("small-long", passed(4), "tags", "same", batchSize, "64", length, "1024"),
		variant("large-short", passed(16, 64), "tags", "same", batchSize, "128", length, "128"),
		{Name: "large-long " + nasty, Status: "not run", Settings: []roles.Setting{
			{Key: "tags", Value: "same"}, {Key: batchSize, Value: "128"}, {Key: length, Value: "1024"},
		}},
	}}
	made, err := l.Files()
	if err != nil {
		t.Fatal(err)
	}
	page := string(made[pageFile])
	golden(t, "sweep.html", made[pageFile])
	inert(t, page)
	s := newSweep(l.Runs)
	if diff := cmp.Diff([]string{"max_batch_size", "input_length"}, s.Keys); diff != "" {
		t.Error(diff)
	}
	wide := string(s.Curve.Wide)
	if n := strings.Count(wide, `class="main line"`); n != 1 { // of large-short there is no neighbour
		t.Errorf("%d lines", n)
	}
	if n := strings.Count(wide, `class="muted line"`); n != 2 {
		t.Errorf("%d runs with several points", n)
	}
	for _, label := range []string{">64 · 128<", ">64 · 1024<", ">128 · 128<"} {
		if !strings.Contains(wide, label) {
			t.Errorf("no label %s", label)
		}
	}
}

// Runs that differ in no setting are no sweep; a run without a setting that others have differs from them.
func TestNoSweep(t *testing.T) {
	same := []ListedRun{variant("a", passed(4), batchSize, "8"), variant("b", passed(8), batchSize, "8")}
	if newSweep(same) != nil || newSweep(nil) != nil || newSweep([]ListedRun{variant("a", passed(4))}) != nil {
		t.Error("there is a sweep")
	}
	s := newSweep(append(same, variant("c", passed(4))))
	if s == nil || s.Rows[2].Cells[0].Value != noValue || s.Rows[0].Cells[0].Value != "8" {
		t.Errorf("%+v", s)
	}
}

// Earlier runs of another variant, or load, are left out, and a report names its own.
func TestEarlierVariants(t *testing.T) {
	in := passed(4, 8)
	in.Plan.Case.Settings = []roles.Setting{{Key: batchSize, Value: "8"}}
	for _, value := range []string{"8", "16", ""} {
		other := in.record("run-"+value, pointOf(0, 4, 32, 1), at(0))
		if other.Settings = nil; value != "" {
			other.Settings = []roles.Setting{{Key: batchSize, Value: value}}
		}
		in.Earlier = append(in.Earlier, other)
	}
	longer := in.record("run-longer", pointOf(0, 4, 32, 1), at(0))
	longer.Load.OutputLength = 4096
	in.Earlier = append(in.Earlier, longer)
	m := Build(in)
	if len(m.Earlier) != 1 || m.Earlier[0].RunID != "run-8" || len(m.Notes) == 0 ||
		!strings.Contains(m.Notes[0], "3 of the runs to compare with have points of another test, variant, load") {
		t.Errorf("%+v, %v", m.Earlier, m.Notes)
	}
	var out strings.Builder
	Summary(&out, m)
	if want := "passed: disagg-e2e-tiny_1k1k_con4 with max_batch_size=8\n"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in %s", want, &out)
	}
}
