package results_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/results"
)

// A point is of the last result in a file that is of its concurrency; nothing is taken from another.
func TestSeveralResults(t *testing.T) {
	text := clientFile(t, "sglang/several.jsonl")
	four, eight, _ := strings.Cut(text, "\n")
	again := strings.Replace(four, `"output_throughput": 657.0014482142451`, `"output_throughput": 99`, 1)
	failed := strings.Replace(four, `"completed": 16`, `"completed": 12`, 1)
	w8 := asked
	w8.Concurrency = 8
	for name, tt := range map[string]struct {
		text    string
		want    results.Want
		output  float64
		invalid string
	}{
		"the first":          {text, asked, 657.0014482142451, ""},
		"the second":         {text, w8, 1169.664479416076, ""},
		"a later one counts": {four + "\n" + again + "\n" + eight, asked, 99, ""},
		"also if it is bad": {
			four + "\n" + failed + "\n", asked, 657.0014482142451, "only 12 of 16 requests succeeded",
		},
		"one that is cut":      {four + "\n" + again[:700] + "\n", asked, 657.0014482142451, ""},
		"cut, and others":      {again[:700] + "\n" + four + "\n", asked, 657.0014482142451, ""},
		"nothing else but cut": {four[:700] + "\n", asked, 0, "the client's result is cut short"},
		"of another load":      {eight, asked, 0, "the client measured concurrency 8: the case asks for 4"},
		"of another, then cut": {eight + four[:700], asked, 0, "the client's result is cut short"},
	} {
		p := parserOf(t, "sglang", tt.want)
		feed(p, tt.text)
		pt, ok := p.Point()
		if !ok || pt.Invalid != tt.invalid || pt.Metrics["token_throughput"] != tt.output ||
			pt.Concurrency != tt.want.Concurrency {
			t.Errorf("%s: %+v", name, pt)
		}
	}
}

// A file that ends anywhere before its end holds no point that counts, and says so once its object has begun.
func TestCutShort(t *testing.T) {
	for _, file := range []string{
		"vllm/good.json", "sglang/good.jsonl", "aiperf/good.json", "aiperf/version-0.1.json",
	} {
		text := clientFile(t, file)
		for end := 0; end < strings.LastIndex(text, "}"); end += 1 + end%13 {
			p := parserOf(t, filepath.Dir(file), asked)
			complete := feed(p, text[:end]) > 0
			pt, ok := p.Point()
			if complete || ok != (end > 0) || ok && pt.Invalid != "the client's result is cut short" {
				t.Fatalf("%s, cut at %d: %+v", file, end, pt)
			}
		}
	}
}

// pieces gives a line to a parser as a reader of files does: in pieces, if it is long.
func pieces(p results.Parser, line string) {
	for len(line) > results.MaxLine {
		p.Line(line[:results.MaxLine])
		line = line[results.MaxLine:]
	}
	p.Line(line)
}

// vLLM's client writes some numbers of every request in any case: with many requests a line is long.
func TestLongLines(t *testing.T) {
	text := clientFile(t, "vllm/good.json")
	const mark = `"latencies": [`
	long := strings.Replace(text, mark, mark+strings.Repeat(`0.09704089499973634, `, 150_000), 1)
	p := parserOf(t, "vllm", asked)
	pieces(p, long)
	pt, ok := p.Point()
	if want := pointOf(t, "vllm", text, asked); !ok || !cmp.Equal(want, pt) || len(long) < 3*results.MaxLine {
		t.Errorf("%d bytes: %+v", len(long), pt)
	}
	huge := strings.Replace(text, mark, mark+strings.Repeat(`{ , `, 5_000_000), 1)
	p = parserOf(t, "vllm", asked)
	pieces(p, huge)
	if pt, _ := p.Point(); !strings.HasPrefix(pt.Invalid, "the client's result has more than 16 MiB: ") {
		t.Errorf("%d bytes: %q", len(huge), pt.Invalid)
	}
	p.Line(text)
	if pt, _ := p.Point(); pt.Invalid != "" {
		t.Errorf("behind it: %q", pt.Invalid)
	}
}

// What stands around a result is not part of it.
func TestAroundAResult(t *testing.T) {
	for _, file := range []string{"vllm/good.json", "sglang/good.jsonl", "aiperf/good.json"} {
		text, client := clientFile(t, file), filepath.Dir(file)
		got := pointOf(t, client, "log {\n{\"level\": \"info\"}\n"+text+"\nlog }\n{\"level\": \"info\"}\n", asked)
		if diff := cmp.Diff(pointOf(t, client, text, asked), got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

// Names and texts of a result that look like numbers that are none are texts.
func TestNonFiniteInTexts(t *testing.T) {
	text := strings.Replace(clientFile(t, "vllm/good.json"), `"label": null`,
		`"label": "NaN \" Infinity", "NaN": NaN`, 1)
	if pt := pointOf(t, "vllm", text, asked); pt.Invalid != "" {
		t.Errorf("invalid: %q", pt.Invalid)
	}
}

// Deep nesting is refused, and harms nobody.
func TestDeepNesting(t *testing.T) {
	deep := strings.Repeat(`[`, 500_000) + strings.Repeat(`]`, 500_000)
	text := `{"completed": 1, "duration": 1, "x": ` + deep + "}\n"
	for _, client := range []string{"vllm", "sglang", "aiperf"} {
		if pt := pointOf(t, client, text, asked); !strings.Contains(pt.Invalid, "exceeded max depth") {
			t.Errorf("%s: %q", client, pt.Invalid)
		}
	}
}

// Whatever a file holds, a point that counts has every request that was asked for, and known metrics that are finite
// numbers.
func FuzzClients(f *testing.F) {
	files, err := filepath.Glob("testdata/clients/*/*.json*")
	if err != nil || len(files) < 20 {
		f.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		f.Add(clientFile(f, strings.TrimPrefix(file, "testdata/clients/")))
	}
	f.Add(`{"completed": 16, "duration": 1, "output_throughput": NaN, "output_throughput": Infinity}` + "\n{")
	f.Fuzz(func(t *testing.T, text string) {
		for _, client := range []string{"vllm", "sglang", "aiperf"} {
			pt := pointOf(t, client, text, asked)
			if pt.Invalid != "" {
				continue
			}
			for name, v := range pt.Metrics {
				if _, known := results.MetricNamed(name); !known || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
					t.Errorf("%s: %s is %v", client, name, v)
				}
			}
			if len(pt.Metrics) > 0 && (pt.Successful != 16 || pt.Failed != 0 || pt.Metrics["token_throughput"] <= 0) {
				t.Errorf("%s: an impossible point counts: %+v", client, pt)
			}
		}
	})
}
