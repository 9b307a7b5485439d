package steptime_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/steptime"
)

// entry is the line of an iteration as the engine prints it.
func entry(rank, iteration, scheduled int, ms string, tokens any) string {
	return fmt.Sprintf("[11/27/2026-10:00:00] [TRT-LLM] [RANK %d] [I] iter = %d, global_rank = %d, rank = %d, "+
		"num_scheduled_requests = %d, kv_cache_util = 0.125, currank_total_requests = 0/64, host_step_time = 7.5ms, "+
		"prev_device_step_time = %s, timestamp = 2026-11-27 10:00:00, states = {'num_ctx_requests': 0, "+
		"'num_ctx_tokens': 0, 'num_generation_tokens': %v}\n", rank, iteration, rank, rank, scheduled, ms, tokens)
}

// read reads a log in pieces of a size; nil if it has no step.
func read(log string, size int) *steptime.Stats {
	var r steptime.Reader
	for log != "" {
		n := min(size, len(log))
		_, _ = r.Write([]byte(log[:n]))
		log = log[n:]
	}
	r.End()
	s, ok := r.Stats()
	if !ok {
		return nil
	}
	return &s
}

// steps makes lines of iterations, from the fifth on.
func steps(tokens any, ms ...string) (log string) {
	for i, v := range ms {
		log += entry(0, 5+i, 1, v, tokens)
	}
	return log
}

// Each rule, with what follows from it by hand.
func TestRules(t *testing.T) {
	one := func(ms float64, tokens int) *steptime.Stats {
		return &steptime.Stats{Steps: 1, Tokens: tokens, Mean: ms, Median: ms, P75: ms, P99: ms}
	}
	for name, tt := range map[string]struct {
		log  string
		want *steptime.Stats
	}{
		"an empty log":       {"", nil},
		"no iteration":       {"loading\nserving\n", nil},
		"warm-up":            {entry(0, 4, 1, "7ms", 8), nil},
		"the first steady":   {entry(0, 4, 1, "7ms", 8) + entry(0, 5, 1, "8ms", 8), one(8, 8)},
		"not available":      {entry(0, 6, 1, "N/A", 8), nil},
		"a space":            {entry(0, 6, 1, "7.25 ms", 8), one(7.25, 8)},
		"in another unit":    {entry(0, 6, 1, "7.25us", 8), nil},
		"two dots":           {entry(0, 6, 1, "7.2.5ms", 8), nil},
		"not a number":       {entry(0, 6, 1, "nanms", 8), nil},
		"a huge number":      {entry(0, 6, 1, strings.Repeat("9", 400)+"ms", 8), nil},
		"a huge iteration":   {strings.Replace(entry(0, 6, 1, "7ms", 8), "= 6", "= "+strings.Repeat("9", 40), 1), nil},
		"torn before":        {entry(0, 6, 1, "7ms", 8)[80:], nil},
		"torn within":        {strings.SplitAfter(entry(0, 6, 1, "7.25ms", 8), "7.2")[0], nil},
		"without a line end": {strings.TrimSpace(entry(0, 6, 1, "7ms", 8)), one(7, 8)},
		"carriage returns":   {"50%\r100%\r" + strings.ReplaceAll(entry(0, 6, 1, "7ms", 8), "\n", "\r\n"), one(7, 8)},
		"a progress bar":     {entry(0, 6, 1, "7ms", 8)[:60] + "\r" + entry(0, 7, 1, "8ms", 8), one(8, 8)},
		"no UTF-8":           {"\xff\xfe" + entry(0, 6, 1, "7ms", 8), one(7, 8)},
		"coloured":           {"\x1b[32m" + entry(0, 6, 1, "7ms", 8) + "\x1b[0m", one(7, 8)},
		"tokens first": {
			"iter = 6, states = {'num_generation_tokens': 8}, prev_device_step_time = 7ms\n", one(7, 8),
		},
		"a long line": {strings.Repeat("x", steptime.MaxLine) + entry(0, 6, 1, "7ms", 8), nil},
		"the line after a long one": {
			strings.Repeat("x", 3*steptime.MaxLine) + "\n" + entry(0, 6, 1, "7ms", 8), one(7, 8),
		},
		"the most common number of tokens": {steps(8, "7ms") + steps(4, "1ms", "1ms"),
			&steptime.Stats{Steps: 2, Tokens: 4, Mean: 1, Median: 1, P75: 1, P99: 1}},
		"the larger of two as common": {steps(8, "7ms") + steps(4, "1ms"), one(7, 8)},
		"tokens that cannot be read":  {steps("tensor(8)", "7ms"), one(7, 0)},
		"some tokens that can": {
			steps("tensor(8)", "1ms", "2ms") + steps(8, "7ms") + steps("?", "1ms"), one(7, 8),
		},
		"behind an idle iteration": {
			entry(0, 6, 0, "7ms", 8) + entry(0, 7, 1, "1450.5ms", 8), one(7, 8),
		},
		"behind another rank's idle iteration": {
			entry(0, 6, 0, "7ms", 4) + entry(1, 7, 1, "9ms", 8), one(9, 8),
		},
		"idle, with another rank between": {
			entry(0, 6, 0, "7ms", 8) + entry(1, 3, 1, "1ms", 8) + entry(0, 7, 1, "1450ms", 8), one(7, 8),
		},
		"a gap behind an idle iteration": {entry(0, 6, 0, "N/A", 8) + entry(0, 8, 1, "9ms", 8), one(9, 8)},
		"of five": {steps(8, "1ms", "2ms", "3ms", "4ms", "10ms"),
			&steptime.Stats{Steps: 5, Tokens: 8, Mean: 4, Median: 3, Std: 3.5355339059327378, P75: 4, P99: 9.76}},
	} {
		for _, size := range []int{1 << 30, 1, 7} {
			if diff := cmp.Diff(tt.want, read(tt.log, size)); diff != "" {
				t.Errorf("%s, in pieces of %d: %s", name, size, diff)
			}
		}
		if diff := cmp.Diff(tt.want, refStats(tt.log)); diff != "" {
			t.Errorf("%s: the reference: %s", name, diff)
		}
	}
}

// What is behind the first MaxSteps steps does not count, and costs no memory.
func TestMaxSteps(t *testing.T) {
	var r steptime.Reader
	short, long := []byte("iter = 5, prev_device_step_time = 1ms\n"), []byte("iter = 5, prev_device_step_time = 9ms\n")
	for range steptime.MaxSteps {
		_, _ = r.Write(short)
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = r.Write(long) }); n > 0 {
		t.Errorf("%v allocations a line after the last step that is kept", n)
	}
	if s, ok := r.Stats(); !ok || s.Steps != steptime.MaxSteps || s.Mean != 1 || s.P99 != 1 {
		t.Errorf("%+v", s)
	}
}

// Servers count the same, however many steps they had.
func TestMean(t *testing.T) {
	if _, ok := steptime.Mean(nil); ok {
		t.Error("no server has a mean")
	}
	got, ok := steptime.Mean([]steptime.Stats{
		{Steps: 1, Tokens: 4, Mean: 1, Median: 2, Std: 3, P75: 4, P99: 5},
		{Steps: 9, Tokens: 4, Mean: 3, Median: 4, Std: 5, P75: 6, P99: 7},
	})
	if diff := cmp.Diff(steptime.Stats{Steps: 10, Mean: 2, Median: 3, Std: 4, P75: 5, P99: 6}, got); diff != "" || !ok {
		t.Error(diff)
	}
}

// pieces are what logs are mixed of: good lines, and every way in which they go wrong.
func pieces(r *rand.Rand) string {
	tokens := []any{4, 8, "tensor(8)"}[r.IntN(3)]
	whole := entry(r.IntN(3), 3+r.IntN(6), r.IntN(3), fmt.Sprintf("%.3fms", 10*r.Float64()), tokens)
	switch r.IntN(12) {
	case 0:
		return whole[:r.IntN(len(whole))]
	case 1:
		return whole[r.IntN(len(whole)):]
	case 2:
		return strings.TrimSuffix(whole, "\n") + "\r\n"
	case 3:
		return "\x1b[1m" + whole + "\x1b[0m"
	case 4:
		const key = "prev_device_step_time = "
		return strings.Replace(whole, key, key+"N/A, "+key, 1)
	case 5:
		keys := []string{"niter = ", "iter=", "iter = x iter = ", "iteriter\t= "}
		return strings.Replace(whole, "iter = ", keys[r.IntN(4)], 1)
	case 6:
		return []string{"\r", "\n", "50%\r", "nan", "INFO: 200 OK\n", "\xc3", "\x00"}[r.IntN(7)]
	case 7:
		at := r.IntN(len(whole))
		return whole[:at] + string(rune(r.IntN(256))) + whole[at:]
	case 8:
		return strings.Replace(whole, "ms, timestamp", strings.Repeat("9", r.IntN(330))+"ms, timestamp", 1)
	}
	return whole
}

// On random logs the reader says what the reference says, however the log is cut.
func TestAgainstReference(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var log strings.Builder
		for range r.IntN(60) {
			log.WriteString(pieces(r))
		}
		size := 1 + r.IntN(500)
		if diff := cmp.Diff(refStats(log.String()), read(log.String(), size)); diff != "" {
			t.Fatalf("seed %d, in pieces of %d: %s\n%q", seed, size, diff, log.String())
		}
	}
}

// FuzzReader compares the reader with the reference on any log.
func FuzzReader(f *testing.F) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 2))
		f.Add(pieces(r)+pieces(r)+pieces(r), 7)
	}
	f.Fuzz(func(t *testing.T, log string, size int) {
		if diff := cmp.Diff(refStats(log), read(log, max(size, 1))); diff != "" {
			t.Error(diff)
		}
	})
}
