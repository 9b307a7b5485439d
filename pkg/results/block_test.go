package results_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// block is what the client prints at its end, in upstream's form.
const block = `Namespace(backend='openai', num_prompts=32)
============ Serving Benchmark Result ============
Successful requests:                     32
Failed requests:                         0
Benchmark duration (s):                  0.82
Request throughput (req/s):              38.90
Output token throughput (tok/s):         2489.88
Total Token throughput (tok/s):          42328.40
User throughput (tok/s):                 622.47
---------------Time to First Token----------------
Mean TTFT (ms):                          11.87
Median TTFT (ms):                        11.50
P99 TTFT (ms):                           20.00
-----Time per Output Token (excl. 1st token)------
Mean TPOT (ms):                          1.43
Median TPOT (ms):                        1.42
P99 TPOT (ms):                           1.60
---------------Inter-token Latency----------------
Mean ITL (ms):                           1.44
Median ITL (ms):                         1.41
P99 ITL (ms):                            4.21
----------------End-to-end Latency----------------
Mean E2EL (ms):                          102.25
Median E2EL (ms):                        102.00
P99 E2EL (ms):                           106.90
==================================================
`

// warmUp is a block with other numbers, as clients print one before they measure.
var warmUp = strings.NewReplacer("requests:                     32", "requests:                      4", "2489.88",
	"11.00").Replace(block)

func parserOf(t testing.TB, format string, w results.Want) results.Parser {
	t.Helper()
	f, err := results.FormatNamed(format)
	if err != nil {
		t.Fatal(err)
	}
	return f.New(w)
}

// feed gives a text to a parser, and returns after which line the point was complete, 0 if it never was.
func feed(p results.Parser, text string) (completeAfter int) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		p.Line(strings.TrimRight(line, "\n"))
		if completeAfter == 0 && p.Complete() {
			completeAfter = n
		}
	}
	return completeAfter
}

var want32 = results.Want{Index: 2, Concurrency: 8, Requests: 32}

func parse(t testing.TB, text string) protocol.Point {
	t.Helper()
	p := parserOf(t, "trtllm", want32)
	feed(p, text)
	pt, _ := p.Point()
	return pt
}

func TestBlock(t *testing.T) {
	p := parserOf(t, "trtllm", want32)
	if at := feed(p, block); at != strings.Count(block, "\n") {
		t.Errorf("complete after line %d", at)
	}
	got, ok := p.Point()
	want := protocol.Point{Index: 2, Concurrency: 8, Successful: 32, Metrics: map[string]float64{
		"seq_throughput": 38.90, "token_throughput": 2489.88, "total_token_throughput": 42328.40,
		"user_throughput": 622.47,
		"mean_ttft":       11.87, "median_ttft": 11.5, "p99_ttft": 20, "mean_tpot": 1.43, "median_tpot": 1.42,
		"p99_tpot": 1.6,
		"mean_itl": 1.44, "median_itl": 1.41, "p99_itl": 4.21, "mean_e2el": 102.25, "median_e2el": 102,
		"p99_e2el": 106.9,
	}}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Error(diff)
	}
}

// What a log repeats after its block is something else, but for what the test measures there.
func TestBehindTheBlock(t *testing.T) {
	if got := parse(t, block+"Mean TTFT (ms):  99\n").Metrics["mean_ttft"]; got != 11.87 {
		t.Errorf("mean_ttft is %v", got)
	}
	extra := parse(t, block+`Mean Avg Decoded Tokens per Iter: 2.5
Average Per Iter Device Step Time (ms): 3.25
Median Per Iter Device Step Time (ms): 3.2000
Stdev Per Iter Device Step Time (ms): 0.1150
P75 Per Iter Device Step Time (ms): 3.3000
P99 Per Iter Device Step Time (ms): 3.4200
`).Metrics
	for name, want := range map[string]float64{
		"al": 2.5, "mean_gen_worker_per_iter_device_step_time": 3.25,
		"median_gen_worker_per_iter_device_step_time": 3.2, "std_gen_worker_per_iter_device_step_time": 0.115,
		"p75_gen_worker_per_iter_device_step_time": 3.3, "p99_gen_worker_per_iter_device_step_time": 3.42,
	} {
		if got, ok := extra[name]; !ok || got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
}

// A point is of one block, the last: a warm-up that prints one too is neither the point nor a part of it.
func TestWarmUpBlock(t *testing.T) {
	p := parserOf(t, "trtllm", want32)
	if at := feed(p, warmUp); at != 0 {
		t.Errorf("the warm-up's block is taken for the point after line %d", at)
	}
	if at := feed(p, "the warm-up is over\n"+block); at != strings.Count(block, "\n")+1 {
		t.Errorf("complete after line %d", at)
	}
	pt, _ := p.Point()
	if diff := cmp.Diff(parse(t, block), pt); diff != "" {
		t.Error(diff)
	}
}

// A client's exit code is no verdict; what it printed is.
func TestBlockInvalid(t *testing.T) {
	const want = ": want a finite number, 0 or more"
	failures := "Failed requests:                         0\n"
	tests := map[string]struct{ old, new, want string }{
		"failed requests": {failures, "Failed requests:                         3\n", "3 of 35 requests failed"},
		"fewer than asked": {
			"requests:                     32", "requests:                     9", "only 9 of 32 requests succeeded",
		},
		"fewer, and no count": {
			"requests:                     32\n" + failures, "requests:                     9\n",
			"only 9 of 32 requests succeeded",
		},
		"more than asked": {
			"requests:                     32", "requests:                     40",
			"40 requests succeeded: the case asks for 32",
		},
		"marker": {
			"====\n", "====\n!CHECK LOG FOR ERRORS!\n", "the client printed !CHECK LOG FOR ERRORS!",
		},
		"none succeeded": {
			"requests:                     32", "requests:                     0", "no request succeeded",
		},
		"missing metric":        {"P99 ITL (ms):                            4.21\n", "", "metric p99_itl is missing"},
		"not a number":          {"2489.88", "nan", "metric token_throughput is nan" + want},
		"infinite":              {"2489.88", "inf", "metric token_throughput is inf" + want},
		"two dots":              {"2489.88", "24.89.88", "metric token_throughput is 24.89.88" + want},
		"a number and a letter": {"2489.88", "2489.88k", "metric token_throughput is 2489.88k" + want},
		"a negative number":     {"2489.88", "-2489.88", "metric token_throughput is -2489.88" + want},
		"no count": {
			"requests:                     32", "requests:                     1,024",
			"the number of successful requests is 1,024: want a whole number",
		},
		"no count of failures": {
			failures, "Failed requests: few\n", "the number of failed requests is few: want a whole number",
		},
		"zero tokens": {"2489.88", "0.00", "no token came out"},
		"nobody counts failures, and all is well": {failures, "", ""},
		"an exponent": {"2489.88", "2.48988e+03", ""},
	}
	for name, tt := range tests {
		text := strings.Replace(block, tt.old, tt.new, 1)
		if text == block {
			t.Fatalf("%s: the test changes nothing", name)
		}
		if got := parse(t, text).Invalid; got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// Decode alone is measured by its step time, which upstream's test prints after the block.
func TestGenOnlyNeedsStepTime(t *testing.T) {
	w := want32
	w.StepTime = true
	p := parserOf(t, "trtllm", w)
	if at := feed(p, block); at != 0 {
		t.Error("the point is complete without what it measures")
	}
	if pt, _ := p.Point(); pt.Invalid != "metric mean_gen_worker_per_iter_device_step_time is missing" {
		t.Errorf("invalid: %q", pt.Invalid)
	}
	if at := feed(p, "Average Per Iter Device Step Time (ms): 3.25\n"); at != 1 {
		t.Error("the point is not complete with its step time")
	}
}

// Without a number from the case the client's own word on what it was asked for counts.
func TestRequestsFromTheClient(t *testing.T) {
	p := parserOf(t, "trtllm", results.Want{})
	feed(p, strings.Replace(block, "requests:                     32", "requests:                     31", 1))
	if pt, _ := p.Point(); pt.Invalid != "only 31 of 32 requests succeeded" {
		t.Errorf("invalid: %q", pt.Invalid)
	}
}

func TestNothingYet(t *testing.T) {
	for _, f := range results.Formats() {
		p := f.New(want32)
		if at := feed(p, "starting\n{\"level\": \"info\"}\n"); at != 0 {
			t.Errorf("%s: complete", f.Name)
		}
		if pt, ok := p.Point(); ok {
			t.Errorf("%s: a point: %+v", f.Name, pt)
		}
	}
}

// The neutral format: the last whole object counts.
func TestJSON(t *testing.T) {
	p := parserOf(t, "json", want32)
	if at := feed(p, `{"successful_requests": 4, "metrics": {"token_throughput": 1}}`+"\n"); at != 0 {
		t.Error("a warm-up counts")
	}
	const line = `{"successful_requests": 32, "failed_requests": 0, "metrics": ` +
		`{"token_throughput": 7.5, "mean_ttft": 3}}`
	if at := feed(p, "log\n"+line+"\n"); at != 2 {
		t.Errorf("complete after line %d", at)
	}
	pt, ok := p.Point()
	want := protocol.Point{
		Index: 2, Concurrency: 8, Successful: 32, Metrics: map[string]float64{"token_throughput": 7.5, "mean_ttft": 3},
	}
	if diff := cmp.Diff(want, pt); diff != "" || !ok {
		t.Error(diff)
	}
	feed(p, `{"successful_requests": 32, "metrics": {"token_throughput": 0}}`+"\n")
	if pt, _ := p.Point(); pt.Invalid == "" {
		t.Error("no tokens count")
	}
}

// A result that cannot be read whole is refused by name, and does not leave the word to the one before it.
func TestJSONFaults(t *testing.T) {
	const good = `{"successful_requests": 32, "metrics": {"token_throughput": 7.5}}`
	const number = ": want a finite number, 0 or more"
	with := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	for line, want := range map[string]string{
		with("7.5", "NaN"):                       "metrics.token_throughput is NaN" + number,
		with("7.5", `"7"`):                       `metrics.token_throughput is "7"` + number,
		with("}}", `, "mean_ttft": -5}}`):        "metrics.mean_ttft is -5" + number,
		with(": 32", ": -32"):                    "successful_requests is -32" + number,
		with(": 32", ": 3.5"):                    "successful_requests is 3.5: want a whole number",
		with(": 32", ": null"):                   "successful_requests is missing",
		with("{", `{"failed_requests": -3, `):    "failed_requests is -3" + number,
		with("{", `{"a": 2, "a": 0, `):           `the client's result is not valid: key "a" is there twice`,
		with(`{"token_throughput": 7.5}`, "[7]"): "the client's result has no object metrics",
		with("7.5}}", ""):                        "the client's result is not valid: unexpected end of JSON input",
		with("}}", `, "p99_ttft": null}}`):       "",
		" " + with(": 32", ": 32.0"):             "",
		`{"of": ` + with(" 32", " 3") + "}":      "", // the client's log
	} {
		p := parserOf(t, "json", want32)
		feed(p, good+"\n"+line+"\n")
		pt, ok := p.Point()
		if !ok || pt.Invalid != want || p.Complete() != (want == "") {
			t.Errorf("%s: %q, want %q", line, pt.Invalid, want)
		}
		if _, have := pt.Metrics["p99_ttft"]; have {
			t.Errorf("%s: null is a number: %v", line, pt.Metrics)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	const want = "want one of trtllm, trtllm-sa, json, vllm, sglang, aiperf"
	if _, err := results.FormatNamed("none"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

func FuzzFormats(f *testing.F) {
	f.Add(block)
	f.Add(warmUp + block)
	f.Add("Mean TTFT (ms): 1.2.3\nFailed requests: 99999999999999999999\n")
	f.Add(`{"successful_requests": 32, "metrics": {"token_throughput": 7.5}}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range results.Formats() {
			p := format.New(want32)
			feed(p, text)
			pt, ok := p.Point()
			if ok && pt.Invalid == "" && (pt.Failed != 0 || pt.Successful != 32 ||
				pt.Metrics["token_throughput"] <= 0) {
				t.Errorf("%s: an impossible point counts: %+v", format.Name, pt)
			}
		}
	})
}
