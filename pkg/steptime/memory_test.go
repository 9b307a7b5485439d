package steptime_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/disagg/disagg/pkg/steptime"
)

// heapOf is how many bytes a reader holds that was given so many pieces.
func heapOf(n int, piece func(i int) []byte) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var r steptime.Reader
	for i := range n {
		_, _ = r.Write(piece(i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(&r)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// What a reader holds of a log that is twice as long is the same, whatever the log is made of.
func TestMemoryDoesNotGrow(t *testing.T) {
	const slack = 256 << 10 // what the runtime itself may have taken meanwhile
	for name, tt := range map[string]struct {
		n     int
		piece func(int) []byte
	}{
		"steps": {steptime.MaxSteps, func(int) []byte {
			return []byte("iter = 5, prev_device_step_time = 7.5ms, 'num_generation_tokens': 64\n")
		}},
		"other lines": {50_000, func(int) []byte { return []byte("INFO: 200 OK\n") }},
		"no line end": {50_000, func(int) []byte { return []byte("a line of which no end comes") }},
		"endless ranks": {70_000, func(i int) []byte {
			return fmt.Appendf(nil, "global_rank = %d, prev_device_step_time\n", i)
		}},
	} {
		once, often := heapOf(tt.n, tt.piece), heapOf(2*tt.n, tt.piece)
		if often > once+slack {
			t.Errorf("%s: %d bytes are held of %d pieces, %d of twice as many", name, once, tt.n, often)
		}
		t.Logf("%s: %d KiB", name, once>>10)
	}
}
