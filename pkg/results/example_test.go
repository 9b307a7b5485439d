package results_test

import (
	"fmt"
	"strings"

	"github.com/disagg/disagg/pkg/results"
)

// A parser reads what a client prints, line by line, and judges it: a client's exit code is no verdict.
func ExampleFormatNamed() {
	json, err := results.FormatNamed("json")
	if err != nil {
		fmt.Println(err)
	}
	p := json.New(results.Want{Concurrency: 8, Requests: 32})
	for line := range strings.Lines(`warming up
{"successful_requests": 31, "failed_requests": 1, "metrics": {"token_throughput": 700.5}}
`) {
		p.Line(strings.TrimSuffix(line, "\n"))
	}
	pt, ok := p.Point()
	fmt.Println(ok, p.Complete(), pt.Successful, pt.Metrics["token_throughput"])
	fmt.Println(pt.Invalid)
	// Output:
	// true false 31 700.5
	// 1 of 32 requests failed
}
