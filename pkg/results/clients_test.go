package results_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// clientFile is a file that a real client wrote; testdata/clients/README.md tells how.
func clientFile(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "clients", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// asked is what the clients were asked for.
var asked = results.Want{Index: 1, Concurrency: 4, Requests: 16}

// pointOf reads a text with the parser of a client.
func pointOf(t testing.TB, client, text string, w results.Want) protocol.Point {
	t.Helper()
	p := parserOf(t, client, w)
	complete := feed(p, text) > 0
	pt, ok := p.Point()
	if ok && complete != (pt.Invalid == "") {
		t.Errorf("complete: %t, invalid: %q", complete, pt.Invalid)
	}
	return pt
}

// What a client wrote becomes one point with what it counted, or says why the point does not count.
func TestClients(t *testing.T) {
	for _, tt := range []struct {
		file         string
		good, failed int
		output       float64 // token_throughput
		invalid      string
	}{
		{"vllm/good.json", 16, 0, 672.6166846559818, ""},
		{"vllm/default.json", 16, 0, 675.6526551945308, ""},
		{"vllm/failed.json", 13, 3, 578.4742463085083, "3 of 16 requests failed"},
		{"vllm/all-failed.json", 0, 16, 0, "16 of 16 requests failed"},
		{"vllm/no-tokens.json", 16, 0, 0, "no token came out"},
		{"vllm/unbounded.json", 0, 0, 0, "the client had no bound on its concurrency: the case asks for 4"},
		{"vllm/appended.json", 16, 0, 609.6479832059237, ""},
		{"sglang/good.jsonl", 16, 0, 611.5256649964583, ""},
		{"sglang/failed.jsonl", 13, 0, 535.699129035308, "only 13 of 16 requests succeeded"},
		{"sglang/failed-details.jsonl", 13, 3, 560.1508889226305, "3 of 16 requests failed"},
		{"sglang/no-tokens.jsonl", 16, 0, 1994.9715184284382, "16 of 16 requests got no token"},
		{"sglang/several.jsonl", 16, 0, 657.0014482142451, ""},
		{"aiperf/good.json", 16, 0, 494.103555388914, ""},
		{"aiperf/warm-up.json", 16, 0, 456.2793346506937, ""},
		{"aiperf/failed.json", 13, 3, 423.8226981265718, "3 of 16 requests failed"},
		{"aiperf/cancelled.json", 235, 0, 597.6328165947384, "the client was cancelled after 235 requests"},
		{
			"aiperf/streams-cut.json", 16, 0, 275.7599668262881,
			"only 13 of 16 requests have a number of tokens: the others ended early",
		},
		{"aiperf/version-0.6.json", 16, 0, 4034.4412868187283, ""},
		{"aiperf/version-0.2.json", 16, 0, 4225.610474322511, ""},
		{"aiperf/version-0.1.json", 16, 0, 4505.929971054153, ""},
	} {
		pt := pointOf(t, filepath.Dir(tt.file), clientFile(t, tt.file), asked)
		if pt.Index != 1 || pt.Concurrency != 4 || pt.Successful != tt.good || pt.Failed != tt.failed ||
			pt.Metrics["token_throughput"] != tt.output || pt.Invalid != tt.invalid {
			t.Errorf("%s: %+v", tt.file, pt)
		}
	}
}

// latencyNames lists the latencies of a client that was asked for all percentiles.
func latencyNames() (names []string) {
	for _, of := range []string{"ttft", "tpot", "itl", "e2el"} {
		for _, stat := range []string{"mean", "median", "p90", "p95", "p99"} {
			names = append(names, stat+"_"+of)
		}
	}
	return names
}

// Every client's figures get the names of the table of metrics, and what a name stands for is what the table says:
// aiperf calls inter-token latency what is the time per output token.
func TestClientMetrics(t *testing.T) {
	all := append(latencyNames(), "seq_throughput", "token_throughput", "total_token_throughput")
	slices.Sort(all)
	for file, some := range map[string]map[string]float64{
		"vllm/good.json": {
			"seq_throughput": 42.03854279099886, "total_token_throughput": 851.2804915177269,
			"mean_ttft": 26.314275687582267, "p99_tpot": 4.610509096664828, "p95_itl": 4.808568749785991,
			"median_e2el": 93.7210295001023,
		},
		"sglang/good.jsonl": {
			"seq_throughput": 38.220354062278645, "total_token_throughput": 1834.576994989375,
			"mean_ttft": 28.19619512507643, "p99_tpot": 4.982669829969382, "p95_itl": 5.933076949668248,
			"median_e2el": 96.56497900004979,
		},
		"aiperf/good.json": {
			"seq_throughput": 30.881472211807125, "total_token_throughput": 524.9850276007211,
			"mean_ttft": 29.681807812499997, "p99_tpot": 7.08966389, "p99_itl": 21.695592939999987,
			"mean_e2el": 114.2055980625,
		},
	} {
		pt := pointOf(t, filepath.Dir(file), clientFile(t, file), asked)
		if diff := cmp.Diff(all, slices.Sorted(maps.Keys(pt.Metrics))); diff != "" {
			t.Errorf("%s: names: %s", file, diff)
		}
		for name, want := range some {
			if _, known := results.MetricNamed(name); !known || pt.Metrics[name] != want {
				t.Errorf("%s: %s is %v, want %v", file, name, pt.Metrics[name], want)
			}
		}
	}
}

// A request that brought nothing does not count, whatever the client calls it. That a stream ended early only aiperf
// lets one see; the clients of vLLM and SGLang count its request as complete.
func TestSilentRequests(t *testing.T) {
	w := asked
	w.Requests = 8
	pt := pointOf(t, "vllm", clientFile(t, "vllm/some-silent.json"), w)
	if pt.Invalid != "4 of 8 requests got no token" {
		t.Errorf("invalid: %q", pt.Invalid)
	}
	withoutDetails, _, _ := strings.Cut(clientFile(t, "sglang/no-tokens.jsonl"), `, "input_lens"`)
	pt = pointOf(t, "sglang", withoutDetails+"}\n", asked)
	if pt.Invalid != "no token came out (total_output_tokens_retokenized is 0)" {
		t.Errorf("invalid: %q", pt.Invalid)
	}
	for _, file := range []string{"vllm/streams-cut.json", "sglang/streams-cut.jsonl"} {
		if pt := pointOf(t, filepath.Dir(file), clientFile(t, file), asked); pt.Invalid != "" {
			t.Errorf("%s: the limit that docs/howto/recipe.md names is gone: %q", file, pt.Invalid)
		}
	}
}

// What is wrong with a result is refused by the client's name for it.
func TestClientFaults(t *testing.T) {
	const vllm, sglang, aiperf = "vllm/good.json", "sglang/good.jsonl", "aiperf/good.json"
	for name, tt := range map[string]struct{ file, old, new, invalid string }{
		"NaN": {
			vllm, `"mean_ttft_ms": 26.314275687582267`, `"mean_ttft_ms": NaN`,
			"mean_ttft_ms is NaN: want a finite number, 0 or more",
		},
		"infinite": {
			sglang, `"p99_itl_ms": 7.3494663496057875`, `"p99_itl_ms": -Infinity`,
			"p99_itl_ms is -Infinity: want a finite number, 0 or more",
		},
		"too large": {
			vllm, `"output_throughput": 6`, `"output_throughput": 1e999, "x": 6`,
			"output_throughput is 1e999: want a finite number, 0 or more",
		},
		"null": {
			sglang, `"median_tpot_ms": 4.618447733294791`, `"median_tpot_ms": null`,
			"median_tpot_ms is null: want a finite number, 0 or more",
		},
		"a text": {
			vllm, `"p99_tpot_ms": 4`, `"p99_tpot_ms": "4", "x": 4`,
			`p99_tpot_ms is "4": want a finite number, 0 or more`,
		},
		"negative": {
			sglang, `"mean_itl_ms": 4`, `"mean_itl_ms": -4`,
			"mean_itl_ms is -4.668072120826612: want a finite number, 0 or more",
		},
		"no count":   {vllm, `"completed": 16`, `"completed": 15.5`, "completed is 15.5: want a whole number"},
		"huge count": {sglang, `"completed": 16`, `"completed": 1e300`, "completed is 1e300: want a whole number"},
		"missing": {
			vllm, `"median_itl_ms"`, `"x"`,
			"metric median_itl is missing: the client's result has no median_itl_ms",
		},
		"no e2e": {
			sglang, `"mean_e2e_latency_ms"`, `"x"`,
			"metric mean_e2el is missing: the client's result has no mean_e2e_latency_ms",
		},
		"twice": {
			vllm, `"failed": 0`, `"failed": 0, "completed": 16`,
			`the client's result is not valid: key "completed" is there twice`,
		},
		"twice, inside": {
			aiperf, `"p50": 114.35720099999999`, `"p50": 1, "p50": 114.35720099999999`,
			`the client's result is not valid: key "p50" is there twice`,
		},
		"no JSON": {
			sglang, `"tag": null`, `"tag": nul`,
			"the client's result is not valid: invalid character ',' in literal null (expecting 'l')",
		},
		"behind it": {
			vllm, `"p99_e2el_ms": 99.07921984968198}`, `"p99_e2el_ms": 99.0}}`,
			"the client's result is not valid: invalid character '}' after top-level value",
		},
		"fewer": {vllm, `"completed": 16`, `"completed": 15`, "only 15 of 16 requests succeeded"},
		"more": {
			sglang, `"completed": 16`, `"completed": 17`,
			"17 requests succeeded: the case asks for 16",
		},
		"older vLLM": {vllm, `"completed": 16, "failed": 0`, `"completed": 14`, "2 of 16 requests failed"},
		"not streamed": {
			vllm, `"mean_ttft_ms": 26.314275687582267`, `"mean_ttft_ms": 0.0`,
			"mean_ttft_ms is 0: the client saw no first token",
		},
		"other load": {
			vllm, `"max_concurrency": 4`, `"max_concurrency": 8`,
			"the client measured concurrency 8: the case asks for 4",
		},
		"odd load": {
			sglang, `"max_concurrency": 4`, `"max_concurrency": "4"`,
			`max_concurrency of the client's result is "4": want a finite number, 0 or more`,
		},
		"aiperf: load": {
			aiperf, `"concurrency": 4`, `"concurrency": 8`,
			"the client measured concurrency 8: the case asks for 4",
		},
		"aiperf: phases": {
			aiperf, `"phases": [`, `"phases": [3,`, "input_config.phases of the client's result is no list of objects",
		},
		"aiperf: schema": {
			aiperf, `"schema_version": "1.4"`, `"schema_version": "2.0"`,
			"schema_version of the client's result is 2.0: want 1.x",
		},
		"aiperf: unit": {aiperf, `"unit": "ms"`, `"unit": "sec"`, `request_latency is in "sec": want ms`},
		"aiperf: null": {
			aiperf, `"avg": 29.681807812499997`, `"avg": null`,
			"metric mean_ttft is missing: the client's result has no time_to_first_token.avg",
		},
		"aiperf: NaN": {
			aiperf, `"p99": 21.695592939999987`, `"p99": NaN`,
			"inter_chunk_latency.p99 is NaN: want a finite number, 0 or more",
		},
		"aiperf: count":  {aiperf, `"request_count"`, `"x"`, "request_count.avg is missing"},
		"aiperf: fewer":  {aiperf, `"avg": 16.0`, `"avg": 15.0`, "only 15 of 16 requests succeeded"},
		"aiperf: tokens": {aiperf, `"avg": 494.103555388914`, `"avg": 0.0`, "no token came out"},
		"aiperf: end": {
			aiperf, `"is_complete": true`, `"is_complete": false, "incomplete_reason": "stalled"`,
			"the client says that its result is not complete: stalled",
		},
		"aiperf: no TTFT": {
			aiperf, `"time_to_first_token"`, `"x"`,
			"metric mean_ttft is missing: the client's result has no time_to_first_token.avg",
		},
	} {
		text := clientFile(t, tt.file)
		if !strings.Contains(text, tt.old) {
			t.Fatalf("%s: the test changes nothing", name)
		}
		pt := pointOf(t, filepath.Dir(tt.file), strings.Replace(text, tt.old, tt.new, 1), asked)
		if pt.Invalid != tt.invalid {
			t.Errorf("%s: got %q, want %q", name, pt.Invalid, tt.invalid)
		}
	}
}

// Decode alone is measured by its step time, which none of these clients knows.
func TestClientsHaveNoStepTime(t *testing.T) {
	w := asked
	w.StepTime = true
	for _, file := range []string{"vllm/good.json", "sglang/good.jsonl", "aiperf/good.json"} {
		pt := pointOf(t, filepath.Dir(file), clientFile(t, file), w)
		const want = "metric mean_gen_worker_per_iter_device_step_time is missing: this client does not measure it"
		if pt.Invalid != want {
			t.Errorf("%s: %q", file, pt.Invalid)
		}
	}
}

// Without a number from the case the client's own word on what it was asked for counts.
func TestRequestsFromTheClients(t *testing.T) {
	w := asked
	w.Requests = 0
	text := strings.Replace(clientFile(t, "vllm/good.json"), `"num_prompts": 16`, `"num_prompts": 20`, 1)
	if pt := pointOf(t, "vllm", text, w); pt.Invalid != "only 16 of 20 requests succeeded" {
		t.Errorf("invalid: %q", pt.Invalid)
	}
}

// Older versions of SGLang's client print no total throughput.
func TestWithoutTotal(t *testing.T) {
	text := strings.Replace(clientFile(t, "sglang/good.jsonl"), `"total_throughput"`, `"x"`, 1)
	pt := pointOf(t, "sglang", text, asked)
	if _, have := pt.Metrics["total_token_throughput"]; have || pt.Invalid != "" {
		t.Errorf("%+v", pt)
	}
}

// Answers of one token have no time between tokens. The clients of vLLM and SGLang write 0 then, and aiperf nothing.
func TestAnswersOfOneToken(t *testing.T) {
	text := clientFile(t, "vllm/good.json")
	for _, field := range []string{"tpot", "itl"} {
		for _, stat := range []string{"mean", "median", "p90", "p95", "p99"} {
			key := fmt.Sprintf(`"%s_%s_ms": `, stat, field)
			text = strings.Replace(text, key, key+`0.0, "x_`+key[1:], 1)
		}
	}
	pt := pointOf(t, "vllm", text, asked)
	if _, have := pt.Metrics["p99_itl"]; have || len(pt.Metrics) != 13 || pt.Invalid != "" {
		t.Errorf("%+v", pt)
	}
	text = clientFile(t, "aiperf/good.json")
	text = strings.Replace(text, `"inter_token_latency"`, `"x"`, 1)
	text = strings.Replace(text, `"inter_chunk_latency"`, `"y"`, 1)
	if pt := pointOf(t, "aiperf", text, asked); len(pt.Metrics) != 13 || pt.Invalid != "" {
		t.Errorf("%+v", pt)
	}
}

// What vLLM measures of speculative decoding is of the point.
func TestAcceptanceLength(t *testing.T) {
	text := strings.Replace(clientFile(t, "vllm/good.json"), `"rtfx": 0.0`,
		`"spec_decode_acceptance_length": 2.5`, 1)
	if pt := pointOf(t, "vllm", text, asked); pt.Metrics["al"] != 2.5 || pt.Invalid != "" {
		t.Errorf("%+v", pt)
	}
}
