package prom_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/telemetry"
	"github.com/disagg/disagg/pkg/telemetry/prom"
	"github.com/disagg/disagg/test/runs"
)

var update = flag.Bool("update", false, "write the golden files")

func text(t *testing.T, in report.Input) []byte {
	t.Helper()
	data, err := prom.Text(telemetry.Build(in, runs.Submitted))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The file of a run is as its golden file shows, Prometheus' own parser reads it, and its linter finds nothing.
func TestText(t *testing.T) {
	for name, in := range map[string]report.Input{
		"passed": runs.Passed(), "died": runs.Died(), "invalid": runs.Invalid(), "lost": runs.Lost(),
	} {
		got := text(t, in)
		file := filepath.Join("testdata", name+".prom")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(got))
		if err != nil || len(families) < 8 {
			t.Errorf("%s: %d families were read: %v", name, len(families), err)
		}
		for _, f := range slices.Sorted(maps.Keys(families)) {
			if !strings.HasPrefix(f, "disagg_") {
				t.Errorf("%s: %s does not say whose it is", name, f)
			}
		}
		problems, err := promlint.New(bytes.NewReader(got)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%s: %v: %v", name, problems, err)
		}
	}
}

// What a label may hold, such as quotes and ends of lines, harms nothing.
func TestLabels(t *testing.T) {
	in := runs.Died()
	const nasty = "a\"b\\c\nd\xff}e 1"
	in.Result.TestID, in.Plan.Case.TestID = nasty, nasty
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text(t, in)))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range families["disagg_run_info"].Metric[0].Label {
		if l.GetName() == "test" && !strings.Contains(l.GetValue(), `a"b\c`) {
			t.Errorf("the label is %q", l.GetValue())
		}
	}
}

// Samples that cannot be told from each other are refused as a whole: node_exporter would refuse all of its files.
func TestDoubles(t *testing.T) {
	r := telemetry.Build(runs.Passed(), runs.Submitted)
	r.Gauges = append(r.Gauges, r.Gauges[0])
	if data, err := prom.Text(r); err == nil {
		t.Errorf("the file is %s", data)
	}
}

// A file's name is one that every file system takes, ends as node_exporter wants it, and is a test's own.
func TestFileName(t *testing.T) {
	long := strings.Repeat("x", 300)
	seen := map[string]bool{}
	for _, id := range []string{"", "a/b", "disagg-e2e-tiny", long, long + "y", "ä ö"} {
		name := prom.FileName(id)
		if seen[name] || len(name) > 255 || strings.ContainsAny(name, "/ ") || filepath.Ext(name) != prom.Suffix {
			t.Errorf("%q: %s", id, name)
		}
		seen[name] = true
	}
}
