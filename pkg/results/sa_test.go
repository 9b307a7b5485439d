package results_test

import (
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/results"
)

// saBlock is what the SemiAnalysis client printed for the simulated engine.
const saBlock = `Starting initial single prompt test run...
Initial test run completed. Starting main benchmark run...
Maximum request concurrency: 2
============ Serving Benchmark Result ============
Successful requests:                     4         ` + `
Benchmark duration (s):                  0.03      ` + `
Total input tokens:                      64        ` + `
Total generated tokens:                  32        ` + `
Request throughput (req/s):              147.82    ` + `
Output token throughput (tok/s):         1182.55   ` + `
Total Token throughput (tok/s):          3547.65   ` + `
---------------Time to First Token----------------
Mean TTFT (ms):                          4.92      ` + `
Median TTFT (ms):                        5.13      ` + `
P99 TTFT (ms):                           5.39      ` + `
-----Time per Output Token (excl. 1st token)------
Mean TPOT (ms):                          1.15      ` + `
Median TPOT (ms):                        1.14      ` + `
P99 TPOT (ms):                           1.24      ` + `
---------------Inter-token Latency----------------
Mean ITL (ms):                           1.14      ` + `
Median ITL (ms):                         1.09      ` + `
P99 ITL (ms):                            1.81      ` + `
----------------End-to-end Latency----------------
Mean E2EL (ms):                          12.97     ` + `
Median E2EL (ms):                        13.00     ` + `
P99 E2EL (ms):                           13.71     ` + `
==================================================
`

// A block of the SemiAnalysis client counts although it counts no failures: the requests that succeeded tell.
func TestSemiAnalysisBlock(t *testing.T) {
	want := results.Want{Concurrency: 2, Requests: 4}
	for name, tt := range map[string]struct{ old, new, invalid string }{
		"as it is": {"", "", ""},
		"one has failed": {
			"requests:                     4", "requests:                     3", "only 3 of 4 requests",
		},
		"no tokens":  {"1182.55", "0.00", "no token came out"},
		"no latency": {"Mean TTFT (ms):                          4.92      \n", "", "mean_ttft is missing"},
		"cut off":    {strings.Repeat("=", 50) + "\n", "", ""},
	} {
		p := parserOf(t, "trtllm-sa", want)
		text := strings.Replace(saBlock, tt.old, tt.new, 1)
		complete := feed(p, text) > 0
		pt, ok := p.Point()
		if !ok || tt.invalid == "" && pt.Invalid != "" || !strings.Contains(pt.Invalid, tt.invalid) {
			t.Errorf("%s: %q, want %q", name, pt.Invalid, tt.invalid)
		}
		if tt.invalid == "" && (pt.Successful != 4 || pt.Metrics["token_throughput"] != 1182.55 ||
			pt.Metrics["p99_e2el"] != 13.71) {
			t.Errorf("%s: %+v, complete: %t", name, pt, complete)
		}
	}
	own := parserOf(t, "trtllm", want)
	feed(own, saBlock)
	if pt, _ := own.Point(); pt.Invalid == "" {
		t.Error("read as a block of TensorRT-LLM's own client it counts, though it says nothing of failures")
	}
}
