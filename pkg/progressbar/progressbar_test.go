package progressbar

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func asIs(s string) string { return s }

// Bars as engines print them are found, with what they are about.
func TestLast(t *testing.T) {
	tests := map[string]struct {
		output string
		want   Bar
	}{
		"tqdm": {"Loading weights:  61%|██████▏   | 100/164 [00:12<00:08,  7.9it/s]", Bar{"weights", 61}},
		"the last state of a bar that redraws itself": {
			"Loading weights:   0%|          | 0/4\rLoading weights:  25%|██▌ | 1/4\rLoading weights:  50%|█████ | 2/4",
			Bar{"weights", 50},
		},
		"lines after it": {"Loading weights: 100%|██████████| 4/4\nmodel loaded\n", Bar{"weights", 100}},
		"the last of several": {
			"Loading weights: 100%|█| 4/4\nCapturing CUDA graphs:  10%|█         | 5/50\n", Bar{"CUDA graphs", 10},
		},
		"for want of a terminal": {
			"Loading safetensors checkpoint shards:  25% Completed | 1/4 [00:00<00:02]\n", Bar{"weights", 25},
		},
		"a rank and a level before it": {
			"3: [rank3]: (Worker pid=71) [11/26/2026-10:00:00] [TRT-LLM] [I] Building kernels:  7%|▋ | 1/14",
			Bar{"Building kernels", 7},
		},
		"in words": {
			"[11/26/2026-10:00:00] [I] Loading layer 12/48 from /models/a/b", Bar{"Loading layer", 25},
		},
		"a percentage in words":  {"[11/26/2026-10:00:00] loading model 75%\n", Bar{"loading model", 75}},
		"without what it is of":  {"  3%|▎         | 1/33 [00:01<00:40]", Bar{"progress", 3}},
		"in colour":              {"\x1b[32mWarming up\x1b[0m:  50%|\x1b[31m█████\x1b[0m | 1/2", Bar{"warm-up", 50}},
		"a long text is cut off": {strings.Repeat("Sorting things ", 9) + ": 9%|", Bar{"Sorting things Sorting…", 9}},
		"behind what is no bar":  {"Loading weights:  10%|█ | 1/10\nGPU memory: 61% used\n", Bar{"weights", 10}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, ok := Last([]byte(tt.output), asIs); !ok || got != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, ok, tt.want)
			}
		})
	}
}

// What only looks like a bar is none.
func TestNoBar(t *testing.T) {
	for _, output := range []string{
		"", "\n\r\n", "loading /models/deepseek-r1/fp4", "[11/26/2026-10:00:00] loading tiny", "GPU use 61%",
		"loading 5/4", "loading 3/0", "200%|", "KV cache: 12.5% | full", "loaded 12/48", "loading 2026/11/26",
	} {
		if got, ok := Last([]byte(output), asIs); ok {
			t.Errorf("%q: %+v", output, got)
		}
	}
}

// Whatever a process prints: what is made of it is bounded, and harms no terminal.
func FuzzLast(f *testing.F) {
	f.Add([]byte("Loading weights:  61%|██████▏   | 100/164\r\n"))
	f.Add([]byte("[rank1]: loading 12/48\n\x1b[2J 4%|"))
	f.Add([]byte("\xff\xfe 7% Completed | 1/14"))
	f.Fuzz(func(t *testing.T, output []byte) {
		bar, ok := Last(output, asIs)
		switch {
		case !ok && bar != Bar{}:
			t.Errorf("no bar, and %+v", bar)
		case ok && (bar.Percent < 0 || bar.Percent > 100 || bar.What == ""):
			t.Errorf("%+v", bar)
		case !utf8.ValidString(bar.What) || utf8.RuneCountInString(bar.What) > maxWhat:
			t.Errorf("%q", bar.What)
		case strings.ContainsFunc(bar.What, func(r rune) bool { return !unicode.IsPrint(r) }):
			t.Errorf("%q", bar.What)
		}
	})
}

// How long it takes to look at the end of an output that has no bar.
func BenchmarkLast(b *testing.B) {
	const line = "[11/26/2026-10:00:00] [TRT-LLM] [RANK 0] [I] iter = 9, host_step_time = 12.345 ms, 64/64 requests\n"
	end := []byte(strings.Repeat(line, 64<<10/len(line)))
	b.SetBytes(int64(len(end)))
	for b.Loop() {
		Last(end, asIs)
	}
}
