package dispatch_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/dispatch"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/testlist"
)

const ours = "perf/test_perf_sanity.py::test_e2e"

const oneCase = `metadata: {model_name: tiny}
slurm: {job_time: "00:30:00"}
benchmark: {concurrency_list: 4, input_length: 64, output_length: 32}
hardware: {gpus_per_node: 4, num_ctx_servers: 1, num_gen_servers: 1}
worker_config: {gen: {tensor_parallel_size: 4}, ctx: {}}
`

const oneNode = `metadata: {model_name: tiny}
hardware: {gpus_per_node: 4}
server_configs: [{name: s, tensor_parallel_size: 4, client_configs: [{concurrency: 1}]}]
`

// checkout is one with the simulated engine's test and a case.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	test, err := os.ReadFile("../../examples/sim/tests/integration/defs/perf/test_perf_sanity.py")
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"tests/integration/defs/perf/test_perf_sanity.py": string(test),
		"tests/scripts/perf-sanity/disaggregated/a.yaml":  oneCase,
		"tests/scripts/perf-sanity/aggregated/agg.yaml":   oneNode,
	} {
		file = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func parse(t *testing.T, file, text string) []testlist.Test {
	t.Helper()
	tests, err := testlist.Parse(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// Every line of a list is planned, or told why not, before anything is submitted.
func TestPlan(t *testing.T) {
	list := parse(t, "l.yml", `l:
- condition: {ranges: {system_gpu_count: {gte: 16, lte: 16}}}
  tests:
  - `+ours+`[disagg_upload-e2e-a] TIMEOUT (90)
  - `+ours+`[disagg-gen_only-a]
  - `+ours+`[disagg-e2e-missing]
  - `+ours+`[aggr-agg-s]
  - `+ours+`[disagg-a] SKIP (slow)
  - `+ours+`[aggr-ctx_only-a]
  - unittest/other.py
`)
	p := dispatch.Plan{
		Request: launch.Request{
			Checkout: checkout(t), Profile: "default", Recipe: "trtllm-serve", Upload: []string{"sqlite:///x"},
		},
		Tests: list, Waives: parse(t, "w.txt", ours+"[aggr-ctx_only-a] SKIP (broken)\n"),
		Folder: filepath.Join(t.TempDir(), "runs"),
	}
	entries := p.Entries(t.Context())
	var out strings.Builder
	if err := dispatch.Plans(&out, entries); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	for i, want := range []string{
		"STATUS NODES GPUS LIMIT RECIPE TEST WHY",
		"planned 2 8 2h0m0s trtllm-serve disagg_upload-e2e-a the list says 16 GPUs, the case has 8",
		"planned 2 8 30m0s trtllm-serve disagg-gen_only-a the list says",
		`refused disagg-e2e-missing cannot find case`,
		"not ours aggr-agg-s aggregated, one node: it is an aggregated test on one node",
		"skipped disagg-a SKIP in the list: slow",
		"waived aggr-ctx_only-a broken (w.txt:1)",
		"not ours unittest_other.py another test",
		"7 tests: 2 planned, 1 refused, 1 skipped, 1 waived, 2 not ours",
	} {
		if !strings.HasPrefix(got[i], want) {
			t.Errorf("line %d: %s, want %s", i, got[i], want)
		}
	}
	if dir := entries[0].Job.Plan.RunDir; dir != filepath.Join(p.Folder, "001-disagg_upload-e2e-a") {
		t.Errorf("run directory %s", dir)
	}
	if _, err := os.Stat(p.Folder); err == nil {
		t.Error("planning has written something")
	}
}

// Cases that were named are planned as a list is, each in every variant; a variant that cannot be is named. Names tell
// runs apart, also of two cases of one name.
func TestPlanCases(t *testing.T) {
	dir := checkout(t)
	a := filepath.Join(dir, "tests/scripts/perf-sanity/disaggregated/a.yaml")
	copied := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(copied, []byte(oneCase), 0o600); err != nil {
		t.Fatal(err)
	}
	variants, err := dispatch.Variants([]string{"gen.tensor_parallel_size=2,4", "concurrency_list=4,8"})
	if err != nil {
		t.Fatal(err)
	}
	tests, err := dispatch.Cases([]string{a, copied})
	if err != nil {
		t.Fatal(err)
	}
	p := dispatch.Plan{
		Request: launch.Request{
			Checkout: dir, Profile: "default", Recipe: "trtllm-serve", Upload: []string{"sqlite:///x"},
			Settings: []roles.Setting{{Key: "input_length", Value: "32"}},
		},
		Tests: tests, Variants: variants, Folder: filepath.Join(t.TempDir(), "runs"),
	}
	entries := p.Entries(t.Context())
	var names, folders []string
	series := map[string]bool{}
	for _, e := range entries {
		names = append(names, e.Name)
		folders = append(folders, filepath.Base(e.Job.Plan.RunDir))
		series[fmt.Sprint(e.Job.HistoryQuery().Series)] = true
	}
	if diff := cmp.Diff([]string{
		"a with tensor_parallel_size=2, concurrency_list=4", "a with tensor_parallel_size=2, concurrency_list=8",
		"a with tensor_parallel_size=4, concurrency_list=4", "a with tensor_parallel_size=4, concurrency_list=8",
		"a-2 with tensor_parallel_size=2, concurrency_list=4", "a-2 with tensor_parallel_size=2, concurrency_list=8",
		"a-2 with tensor_parallel_size=4, concurrency_list=4", "a-2 with tensor_parallel_size=4, concurrency_list=8",
	}, names); diff != "" {
		t.Error(diff)
	}
	if folders[1] != "002-a-tensor_parallel_size-2-concurrency_list-8" {
		t.Error(folders)
	}
	if entries[0].Variant[0].Key != "worker_config.gen.tensor_parallel_size" || len(entries[0].Variant) != 2 {
		t.Errorf("%+v", entries[0].Variant)
	}
	if len(series) != 4 { // the two files are the same test
		t.Errorf("%d series: %v", len(series), series)
	}
	if err := dispatch.Refusals(entries); err != nil {
		t.Error(err)
	}
	p.Variants, _ = dispatch.Variants([]string{"concurrency_list=4,x"})
	err = dispatch.Refusals(p.Entries(t.Context()))
	if err == nil || strings.Count(err.Error(), "\n") != 1 ||
		!strings.Contains(err.Error(), "a with concurrency_list=x: "+a) ||
		!strings.Contains(err.Error(), "a-2 with concurrency_list=x: "+copied) {
		t.Errorf("%v", err)
	}
	p.Variants, _ = dispatch.Variants([]string{"concurency_list=4,8"})
	err = dispatch.Refusals(p.Entries(t.Context()))
	if err == nil || strings.Contains(err.Error(), "\n") ||
		!strings.Contains(err.Error(), "did you mean benchmark.concurrency_list?") {
		t.Errorf("a fault of all is told once: %v", err)
	}
}

// The worst code is the highest of all verdicts; a run without one has failed.
func TestWorst(t *testing.T) {
	result := func(code int) *protocol.Result { return &protocol.Result{ExitCode: code} }
	for name, tt := range map[string]struct {
		entries []dispatch.Entry
		want    int
	}{
		"all passed": {[]dispatch.Entry{{Status: dispatch.Passed, Result: result(0)}}, protocol.ExitPassed},
		"one failed": {
			[]dispatch.Entry{
				{Status: dispatch.Passed, Result: result(0)}, {Status: dispatch.Failed, Result: result(1)},
			},
			protocol.ExitFailed,
		},
		"cancelled": {
			[]dispatch.Entry{{Status: dispatch.Failed, Result: result(130)}, {Status: dispatch.NotRun}},
			protocol.ExitCancelled,
		},
		"without a verdict": {[]dispatch.Entry{{Status: dispatch.Failed}}, protocol.ExitFailed},
	} {
		if got := dispatch.Worst(tt.entries); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// The summary of variants has the best result of each; the JUnit name of a list's test tells its variants apart.
func TestSummaryOfVariants(t *testing.T) {
	entries := entriesOf("", "")
	for i := range entries {
		entries[i].Name = fmt.Sprintf("e2e-0 x=%d", i+1)
		entries[i].Variant = []roles.Setting{{Key: "a.x", Value: fmt.Sprint(i + 1)}}
		entries[i].Test.ID = ours + "[e2e-0]"
		entries[i].Job.Plan.Case.Servers = map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 4}}
	}
	entries[0].Status, entries[0].Result = dispatch.Passed, ended(protocol.Passed)
	entries[0].Result.Points = []protocol.Point{{
		Concurrency: 8, Successful: 1, Metrics: map[string]float64{"token_throughput": 400, "mean_tpot": 20},
	}}
	entries[1].Status = dispatch.NotRun
	var out strings.Builder
	if err := dispatch.Summary(&out, entries); err != nil {
		t.Fatal(err)
	}
	const want = `STATUS   TIME  TEST       BEST tok/s/GPU  tok/s/user  CONCURRENCY  WHY
passed         e2e-0 x=1  100.0           50.0        8
not run        e2e-0 x=2  –               –           –
2 runs: 1 passed, 1 not run
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	data, err := dispatch.JUnit("list.yml", entries)
	if err != nil || !strings.Contains(string(data), `name="test_e2e[e2e-0] with x=1"`) {
		t.Errorf("%v %s", err, data)
	}
}

// entriesOf are planned tests, with markers.
func entriesOf(markers ...testlist.Marker) (entries []dispatch.Entry) {
	for i, m := range markers {
		entries = append(entries, dispatch.Entry{
			Test:   testlist.Test{ID: fmt.Sprintf("%s[disagg-e2e-%d]", ours, i), Marker: m, Place: "l.txt:1"},
			Status: dispatch.Planned,
		})
	}
	return entries
}

func ended(verdict protocol.Verdict) *protocol.Result {
	r := &protocol.Result{Verdict: verdict}
	if verdict != protocol.Passed {
		r.FirstCause = &protocol.Cause{
			Role: roles.Role{Kind: roles.Gen}, Kind: protocol.ChildExit, Detail: "it broke", Excerpt: []string{"line"},
		}
	}
	return r
}

// Tests run so many at a time; what its line excuses does not count, and what has failed makes the list fail.
func TestRun(t *testing.T) {
	entries := entriesOf("", testlist.XFail, "", testlist.Unstable, "")
	entries[4].Status = dispatch.Waived
	var mu sync.Mutex
	running, most := 0, 0
	both := make(chan struct{})
	var order []string
	dispatch.Runner{
		Parallel: 2,
		Start: func(_ context.Context, e *dispatch.Entry) {
			mu.Lock()
			running++
			most = max(most, running)
			if running == 2 {
				select {
				case <-both:
				default:
					close(both)
				}
			}
			mu.Unlock()
			<-both
			e.RunDir, e.JobID = "/run", "7"
			verdict := protocol.Failed
			if e.Test.Marker == "" && strings.HasSuffix(e.Test.ID, "0]") {
				verdict = protocol.Passed
			}
			e.Watched(launch.Outcome{Result: ended(verdict)}, nil)
			mu.Lock()
			running--
			mu.Unlock()
		},
		Done: func(e dispatch.Entry) { order = append(order, string(e.Status)) },
	}.Run(t.Context(), entries)
	want := []dispatch.Status{dispatch.Passed, dispatch.Excused, dispatch.Failed, dispatch.Excused, dispatch.Waived}
	for i, e := range entries {
		if e.Status != want[i] {
			t.Errorf("%s: %s, want %s", e.Test.ID, e.Status, want[i])
		}
	}
	if most != 2 || len(order) != 4 {
		t.Errorf("%d at a time, told %v", most, order)
	}
	if code := dispatch.ExitCode(entries, false); code != protocol.ExitFailed {
		t.Errorf("code %d", code)
	}
	if code := dispatch.ExitCode(entries[:2], true); code != protocol.ExitPassed {
		t.Errorf("code %d", code)
	}
	others := entriesOf("", "")
	others[0].Status, others[1].Status = dispatch.NotOurs, dispatch.NotOurs
	if code := dispatch.ExitCode(others, false); code != protocol.ExitFailed {
		t.Errorf("nothing was run: code %d", code)
	}
	others[0].Status = dispatch.Waived
	if dispatch.ExitCode(others, false) != protocol.ExitPassed ||
		dispatch.ExitCode(others, true) != protocol.ExitFailed {
		t.Error("what is not ours does not count, unless it is to")
	}
}

// After a failure nothing more is started if that is wanted; when the watch is ended jobs go on, and nothing more is
// started.
func TestStop(t *testing.T) {
	entries := entriesOf("", "", "")
	dispatch.Runner{
		StopOnError: true,
		Start: func(_ context.Context, e *dispatch.Entry) {
			e.Watched(launch.Outcome{}, fmt.Errorf("no verdict"))
		},
		Done: func(dispatch.Entry) {},
	}.Run(t.Context(), entries)
	if entries[0].Status != dispatch.Failed || entries[0].Detail != "no verdict" ||
		entries[2].Status != dispatch.NotRun {
		t.Errorf("%+v", entries)
	}

	entries = entriesOf("", "")
	ctx, cancel := context.WithCancel(t.Context())
	dispatch.Runner{
		Start: func(_ context.Context, e *dispatch.Entry) {
			e.JobID = "7"
			cancel()
			e.Watched(launch.Outcome{}, ctx.Err())
		},
		Done: func(dispatch.Entry) {},
	}.Run(ctx, entries)
	if entries[0].Status != dispatch.Watching || entries[1].Status != dispatch.NotRun ||
		dispatch.ExitCode(entries[:1], false) != protocol.ExitPending {
		t.Errorf("%+v", entries)
	}
}

// The summary and JUnit tell every test; a failure has its cause and the lines around the telling one.
func TestSummary(t *testing.T) {
	entries := entriesOf("", "", "", "")
	entries[0].Status, entries[0].Took = dispatch.Passed, 3*time.Second
	entries[1].Status, entries[1].Result, entries[1].RunDir, entries[1].JobID = dispatch.Failed, ended(protocol.Failed),
		"/run", "7"
	entries[1].Detail = entries[1].Result.FirstCause.String()
	entries[2].Status, entries[2].Detail = dispatch.Refused, "no such case\nat all"
	entries[3].Status, entries[3].Detail = dispatch.Waived, "why"
	var out strings.Builder
	if err := dispatch.Summary(&out, entries); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if !strings.HasSuffix(text, "4 tests: 1 passed, 1 failed, 1 refused, 1 waived\n") ||
		!strings.Contains(text, "GEN_0.0: it broke") || strings.Contains(text, "at all") ||
		strings.Index(text, "waived") > strings.Index(text, "failed") {
		t.Error(text)
	}
	data, err := dispatch.JUnit("list.yml", entries)
	if err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
		Cases    []struct {
			Class   string `xml:"classname,attr"`
			Name    string `xml:"name,attr"`
			Failure string `xml:"failure"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal(data, &suite); err != nil {
		t.Fatal(err)
	}
	if suite.Tests != 4 || suite.Failures != 1 || suite.Errors != 1 || suite.Skipped != 1 ||
		suite.Cases[1].Class != "perf/test_perf_sanity.py" || suite.Cases[1].Name != "test_e2e[disagg-e2e-1]" ||
		!strings.Contains(suite.Cases[1].Failure, "it broke\nline\nrun /run\njob 7") {
		t.Errorf("%+v", suite)
	}
}
