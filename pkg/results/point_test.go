package results_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

func parse(text string) results.Point {
	p := results.NewBlockForm().Parser(2, 8)
	for line := range strings.Lines(text) {
		p.Line(strings.TrimRight(line, "\n"))
	}
	return p.Point()
}

func TestBlock(t *testing.T) {
	got := parse(block)
	want := results.Point{Index: 2, Concurrency: 8, Successful: 32, Metrics: map[string]float64{
		"seq_throughput": 38.90, "token_throughput": 2489.88, "total_token_throughput": 42328.40, "user_throughput": 622.47,
		"mean_ttft": 11.87, "median_ttft": 11.5, "p99_ttft": 20, "mean_tpot": 1.43, "median_tpot": 1.42, "p99_tpot": 1.6,
		"mean_itl": 1.44, "median_itl": 1.41, "p99_itl": 4.21, "mean_e2el": 102.25, "median_e2el": 102, "p99_e2el": 106.9,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The first value of a metric counts: what a log repeats later is something else.
func TestBlockFirstMatchCounts(t *testing.T) {
	if got := parse(block + "Mean TTFT (ms):  99\n").Metrics["mean_ttft"]; got != 11.87 {
		t.Errorf("mean_ttft is %v", got)
	}
	extra := parse(block + "Mean Avg Decoded Tokens per Iter: 2.5\nAverage Per Iter Device Step Time (ms): 3.25\n").Metrics
	if extra["al"] != 2.5 || extra["mean_gen_worker_per_iter_device_step_time"] != 3.25 {
		t.Errorf("extra metrics: %v", extra)
	}
}

// A client's exit code is no verdict; what it printed is.
func TestBlockInvalid(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"failed requests": {"Failed requests:                         0", "Failed requests:                         3", "3 of 35 requests failed"},
		"marker":          {"====\n", "====\n!CHECK LOG FOR ERRORS!\n", "the client printed !CHECK LOG FOR ERRORS!"},
		"none succeeded":  {"Successful requests:                     32", "Successful requests:                     0", "no request succeeded"},
		"missing metric":  {"P99 ITL (ms):                            4.21\n", "", "metric p99_itl is missing"},
		"not a number":    {"2489.88", "nan", "metric token_throughput is missing"},
		"zero tokens":     {"2489.88", "0.00", "no token came out"},
	}
	for name, tt := range tests {
		text := strings.Replace(block, tt.old, tt.new, 1)
		if text == block {
			t.Fatalf("%s: the test changes nothing", name)
		}
		if got := parse(text).Invalid; got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// Points are given out the moment they are complete, each once, also when their log is written in small pieces.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	pattern := filepath.Join(dir, "17%d", "client.{index}.log")
	if err := os.Mkdir(filepath.Dir(pattern), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	points := make(chan results.Point, 8)
	done := make(chan struct{})
	go func() {
		defer close(done)
		results.Follow(ctx, pattern, []int{4, 8, 16}, false, func(p results.Point) { points <- p })
	}()
	write := func(index int, text string) {
		t.Helper()
		f, err := os.OpenFile(filepath.Join(filepath.Dir(pattern), fmt.Sprintf("client.%d.log", index)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(0, block[:len(block)/2])
	write(0, block[len(block)/2:])
	if p := receive(t, points); p.Index != 0 || p.Concurrency != 4 || p.Invalid != "" {
		t.Errorf("first point: %+v", p)
	}
	write(1, block)
	if p := receive(t, points); p.Index != 1 {
		t.Errorf("second point: %+v", p)
	}
	write(2, block[:len(block)/2]) // the client dies in the middle
	cancel()
	<-done
	if p := receive(t, points); p.Index != 2 || p.Invalid == "" {
		t.Errorf("a block that was cut off counts: %+v", p)
	}
	if len(points) != 0 {
		t.Errorf("%d points too many", len(points))
	}
}

func receive(t *testing.T, points <-chan results.Point) results.Point {
	t.Helper()
	select {
	case p := <-points:
		return p
	case <-time.After(10 * time.Second):
		t.Fatal("no point within 10 s")
		return results.Point{}
	}
}

func FuzzBlock(f *testing.F) {
	f.Add(block)
	f.Add("Mean TTFT (ms): 1.2.3\nFailed requests: 99999999999999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		p := parse(text)
		if p.Invalid == "" && (p.Failed != 0 || p.Successful < 1 || len(p.Metrics) < 16) {
			t.Errorf("an impossible point counts: %+v", p)
		}
	})
}
