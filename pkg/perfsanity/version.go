package perfsanity

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
)

// Test is what the perf-sanity test of a checkout can do: its versions differ in the ids they know and in how roles
// find each other. The zero Test is the oldest.
type Test struct {
	// ModeInID says that ids have a mode. Before that, the config says it.
	ModeInID bool
	// ReportsAddress says that servers choose a port and publish it (--report_addr). Before that, the test chooses
	// ports, and the coordinator's stands in its configuration.
	ReportsAddress bool
	// NoContext is how gen_only_no_context is asked for.
	NoContext NoContextForm
	// TimeBreakdown says that the test knows the modifier.
	TimeBreakdown bool
	// StepTime says that the test measures the time of a decode step, where decode alone is measured.
	StepTime bool
	// Models are the folders of models below the models root, by name; of two the test takes the first.
	Models map[string][]string
}

// NoContextForm is how gen_only_no_context is asked for.
type NoContextForm string

// The forms, the oldest first.
const (
	NoContextInConfig   NoContextForm = ""           // the id says gen_only, the config gen_only_no_context
	NoContextInID       NoContextForm = "id"         // the id of a disaggregated test says it
	NoContextAggregated NoContextForm = "aggregated" // one aggregated test runs worker, coordinator and client
)

// Newest is the newest test that is known.
func Newest() Test {
	return Test{
		ModeInID: true, ReportsAddress: true, NoContext: NoContextAggregated, TimeBreakdown: true, StepTime: true,
	}
}

// TestFile is upstream's test, below its checkout.
const TestFile = "tests/integration/defs/perf/test_perf_sanity.py"

// testFiles are where upstream's test tells what it can do. Not every version has the second one.
var testFiles = [...]string{TestFile, "jenkins/scripts/perf/benchmark_utils.py"}

// What the text of a test that can do something matches.
const (
	knowsModes       = `\bctx_only\b|-e2e-|\bDISAGG_BENCHMARK_MODES\b`
	knowsReportAddr  = `--report_addr\b`
	knowsBreakdown   = `\btime_breakdown\b`
	knowsStepTime    = `\bprev_device_step_time\b`
	noContext        = `(?:GEN_ONLY_NO_CONTEXT\w*|["']gen_only_no_context["'])`
	noContextAsAggr  = `\bAGGREGATED_DISAGG_YAML_MODES\s*=\s*[(\[{][^)\]}]*` + noContext
	noContextAsModes = `\bDISAGG_BENCHMARK_MODES\s*=\s*[(\[{][^)\]}]*` + noContext
)

// FindTest looks into a checkout for what its test can do. read reads a file; one that does not exist is an error that
// wraps fs.ErrNotExist.
func FindTest(checkout string, read func(file string) ([]byte, error)) (t Test, err error) {
	var text []byte
	for i, name := range testFiles {
		data, err := read(filepath.Join(checkout, name))
		if err != nil && (i == 0 || !errors.Is(err, fs.ErrNotExist)) {
			return Test{}, fmt.Errorf("cannot see what the checkout's test can do: %w", err)
		}
		text = append(append(text, data...), '\n')
	}
	says := func(expression string) bool { return regexp.MustCompile(expression).Match(text) } // once a plan
	t = Test{
		ModeInID: says(knowsModes), ReportsAddress: says(knowsReportAddr),
		TimeBreakdown: says(knowsBreakdown), StepTime: says(knowsStepTime),
	}
	switch {
	case says(noContextAsAggr):
		t.NoContext = NoContextAggregated
	case says(noContextAsModes):
		t.NoContext = NoContextInID
	}
	t.Models, err = findModels(checkout, read)
	return t, err
}
