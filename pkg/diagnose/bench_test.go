package diagnose

import (
	"bytes"
	"fmt"
	"testing"
)

// ordinary is a block of lines as engines print them while nothing is wrong.
func ordinary() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 256<<10; i++ {
		fmt.Fprintf(&b, "[11/26/2026-10:00:00] [TRT-LLM] [RANK 0] [I] iter = %d, num_scheduled_requests = 64, "+
			"prev_device_step_time = 12.345 ms, states = {'num_generation_tokens': 64}\n", i)
		fmt.Fprintf(&b, "INFO:     127.0.0.1:%d - \"POST /v1/completions HTTP/1.1\" 200 OK\n", i)
		fmt.Fprintf(&b, "(EngineCore_0 pid=123) INFO 11-26 10:00:00 [loggers.py:%d] Engine 000: "+
			"Avg prompt throughput: 1.0 tokens/s, GPU KV cache usage: 3.4%%, Prefix cache hit rate: 0.0%%\n", i)
		fmt.Fprintf(&b, "[2026-11-26 10:00:00 TP0] Decode batch. #running-req: %d, #token: 4711, "+
			"gen throughput (token/s): 1.5\n", i)
	}
	return b.Bytes()
}

// What an ordinary line costs; the doc of the package names the speed.
func BenchmarkReader(b *testing.B) {
	block := ordinary()
	b.SetBytes(int64(len(block)))
	r := NewReader(nil)
	for b.Loop() {
		r.Feed(block)
	}
	if got := r.Context(); got != nil {
		b.Fatalf("an ordinary line explains something: %q", got)
	}
}

// What it costs to read one line at a time.
func BenchmarkReaderLines(b *testing.B) {
	block := ordinary()
	lines := bytes.SplitAfter(block, []byte{'\n'})
	b.SetBytes(int64(len(block)))
	r := NewReader(nil)
	for b.Loop() {
		for _, l := range lines {
			r.Feed(l)
		}
	}
}
