package imported_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/imported"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// saLog is a log of the SemiAnalysis client, which has neither failures nor a throughput a user; log is one of the
// default client.
var (
	saLog = strings.NewReplacer("Failed requests:                         0\n", "",
		"User throughput (tok/s):                 622.47\n", "").Replace(log)
	otherLog = `{"successful_requests": 8, "failed_requests": 0, "metrics": {"token_throughput": 5}}` + "\n"
)

const log = `Namespace(backend='openai', model='/models/tiny', max_concurrency=8, num_prompts=32, ` +
	`random_input_len=1024, random_output_len=64)
Maximum request concurrency: 8
============ Serving Benchmark Result ============
Successful requests:                     32
Failed requests:                         0
Request throughput (req/s):              38.90
Output token throughput (tok/s):         2489.88
Total Token throughput (tok/s):          42328.40
User throughput (tok/s):                 622.47
Mean TTFT (ms):                          11.87
Median TTFT (ms):                        11.50
P99 TTFT (ms):                           20.00
Mean TPOT (ms):                          1.43
Median TPOT (ms):                        1.42
P99 TPOT (ms):                           1.60
Mean ITL (ms):                           1.44
Median ITL (ms):                         1.41
P99 ITL (ms):                            4.21
Mean E2EL (ms):                          102.25
Median E2EL (ms):                        102.00
P99 E2EL (ms):                           106.90
==================================================
`

const folder = "/out/disagg_upload-gen_only-gb200_tiny_con2048_ctx1_gen1/"

// A log says its load itself, and its folder the test; the content decides about the id.
func TestLog(t *testing.T) {
	r, err := imported.Log(source(folder+"trtllm-benchmark.0.1.log", log), imported.Labels{Tags: []string{"old"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Case != "gb200_tiny_con2048_ctx1_gen1" || r.Mode != "gen_only" || r.TestID+"/" != folder[len("/out/"):] ||
		r.Model != "/models/tiny" || r.Point.Concurrency != 8 || r.Point.Successful != 32 || r.GPUs != 0 ||
		r.Point.Metrics["token_throughput"] != 2489.88 || !r.MeasuredAt.Equal(written) ||
		r.Provenance.Tags[0] != "old" {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff(roles.PointLoad{Rounds: 4, InputLength: 1024, OutputLength: 64}, r.Load); diff != "" {
		t.Error(diff)
	}
	again, err := imported.Log(source("/elsewhere/x.log", log), imported.Labels{Case: r.Case, TestID: r.TestID})
	if err != nil || again.ID != r.ID || again.Digest() != r.Digest() {
		t.Errorf("under another name the record is %s, not %s: %v", again.ID, r.ID, err)
	}
	other, err := imported.Log(source("/elsewhere/x.log", log+"\n"), imported.Labels{Case: r.Case, TestID: r.TestID})
	if err != nil || other.ID == r.ID {
		t.Errorf("another content has the same id: %v", err)
	}
}

// Whichever client has printed a log, it is read; who is silent about the concurrency has it in the file's name, or in
// that of its folder.
func TestLogsOfEveryClient(t *testing.T) {
	_, silent, _ := strings.Cut(log, "Maximum request concurrency: 8\n")
	for path, text := range map[string]string{
		"/a/x.log": saLog, "/a/y.log": strings.ReplaceAll(log, "\n", "\r\n"), "/a/client_con8.log": otherLog,
		"/a/conc-8/client.0.log": otherLog, "/con9/concurrency8.log": silent, "/con9/z.log": strings.TrimSpace(log),
	} {
		r, err := imported.Log(source(path, text), imported.Labels{Case: "c"})
		if err != nil || r.Point.Concurrency != 8 || r.Case != "c" || r.TestID != "c" {
			t.Errorf("%s: %+v, %v", path, r, err)
		}
	}
}

// A log without a point that counts is refused, and so is one that does not tell what it measured.
func TestLogsThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct{ path, text, want string }{
		"empty":       {"c.log", "", "no client has printed a result in it"},
		"cut off":     {"c.log", log[:len(log)-60], "its point does not count: metric p99_e2el is missing"},
		"without end": {"c.log", log[:strings.LastIndex(log, "====")-46], "its result has no end"},
		"failed requests": {"c.log", strings.Replace(log, "requests:                         0", "requests: 2", 1),
			"its point does not count: 2 of 34 requests failed"},
		"a client that counts failures is not the one that does not": {
			"c.log", strings.Replace(log, "622.47", "nan", 1),
			"its point does not count: metric user_throughput is nan: want a finite number, 0 or more",
		},
		"fewer requests": {"c.log", strings.Replace(saLog, "                32", "                31", 1),
			"its point does not count: only 31 of 32 requests succeeded"},
		"several runs": {
			"c.log", log + strings.Replace(log, "concurrency: 8", "concurrency: 16", 1),
			"it has runs of several concurrencies [8 16]: make a file of each",
		},
		"no concurrency": {
			"second0.log", otherLog,
			"neither the client nor the file's name tells the concurrency: call it con8.log, if it was 8",
		},
	} {
		_, err := imported.Log(source(tt.path, tt.text), imported.Labels{Case: "c"})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	for l, want := range map[string]string{
		"":            "cannot tell which case it is of: its folder's name is not a test id: pass --case NAME",
		"disagg-e2e-": `cannot read test id "disagg-e2e-": it names no config`,
	} {
		_, err := imported.Log(source("/logs/x.log", log), imported.Labels{TestID: l})
		if err == nil || err.Error() != want {
			t.Errorf("test id %q: %v", l, err)
		}
	}
	broken := imported.Source{Path: "x.log", Content: brokenReader{}}
	if _, err := imported.Log(broken, imported.Labels{Case: "c"}); err == nil ||
		err.Error() != "cannot read x.log: the disk is gone" {
		t.Errorf("%v", err)
	}
}

func ourPlan() plan.Plan {
	p := plan.Plan{ID: "5f1c", Case: roles.Case{Name: "c", TestID: "disagg-e2e-c"}}
	p.Case.Load = roles.Load{Concurrency: []int{4, 8}, PointLoad: roles.PointLoad{Rounds: 4}}
	p.Recipe.Roles = map[roles.Kind]recipe.RoleSpec{
		roles.Benchmark: {Results: &recipe.Results{Format: "trtllm", Files: "x"}},
	}
	return p
}

// A point of a plan has the id that the hub would have given it, and says where it was read.
func TestOfRun(t *testing.T) {
	p := ourPlan()
	r, err := imported.OfRun(p, p.RunID(0), "17", imported.Place{Index: 1}, source("/r/x.log", log))
	if err != nil {
		t.Fatal(err)
	}
	want := p.Record(p.RunID(0), "17", protocol.Point{Index: 1, Concurrency: 8}, written)
	if r.ID != want.ID || r.JobID != "17" || r.Point.Successful != 32 || !r.MeasuredAt.Equal(written) {
		t.Errorf("%+v", r)
	}
	if i := r.Provenance.Imported; i.File != "/r/x.log" || len(i.SHA256) != 64 || i.Dated != protocol.ByFile ||
		p.Provenance.Imported != nil {
		t.Errorf("%+v", i)
	}
	for what, change := range map[string]func(*plan.Plan, *imported.Source) string{
		"other requests": func(p *plan.Plan, _ *imported.Source) string {
			p.Case.Load.Rounds = 5
			return "its point does not count: only 32 of 40 requests succeeded"
		},
		"format": func(p *plan.Plan, _ *imported.Source) string {
			p.Recipe.Roles[roles.Benchmark].Results.Format = "x"
			return `unknown format "x": want one of trtllm, trtllm-sa, json, vllm, sglang, aiperf`
		},
		"disk": func(_ *plan.Plan, s *imported.Source) string {
			s.Content = brokenReader{}
			return "cannot read /r/x.log: the disk is gone"
		},
	} {
		p, s := ourPlan(), source("/r/x.log", log)
		want := change(&p, &s)
		if _, err := imported.OfRun(p, "r", "", imported.Place{Index: 1}, s); err == nil || err.Error() != want {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Whatever a log holds, it is refused or makes a record that can be kept.
func FuzzLog(f *testing.F) {
	for _, text := range []string{log, saLog, otherLog, log[:300]} {
		f.Add("con8/x.log", text)
	}
	f.Fuzz(func(t *testing.T, path, text string) {
		r, err := imported.Log(source(path, text), imported.Labels{Case: "c"})
		if err == nil {
			keeps(t, r)
		}
	})
}
