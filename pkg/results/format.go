package results

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
)

// Want is what a case asks for in one point.
type Want struct {
	Index       int // of the case's list of concurrencies
	Concurrency int
	Requests    int  // 0: not known
	StepTime    bool // the time of a decode step is part of it
}

// MaxLine is how many bytes of a line a parser is given at once.
const MaxLine = 1 << 20

// Parser reads the output of one client run, line by line, for one point.
type Parser interface {
	// Line takes the next line, without its end. A line of more than [MaxLine] bytes comes in pieces of that size.
	Line(line string)
	// Complete tells whether the point is complete although more may be printed: it can be recorded now.
	Complete() bool
	// Point is what was read so far, judged; ok is false while there is no result at all.
	Point() (p protocol.Point, ok bool)
}

// Format is how a client reports its measurements.
type Format struct {
	Name  string
	About string
	// Apart says that its client chooses prompts and counts tokens in its own way: what it measured is compared with
	// nothing but what it measured before.
	Apart bool
	// New makes the parser of one client run.
	New func(Want) Parser
}

// Formats lists every format. To add one, write a parser in a file of its own and add it here.
func Formats() []Format {
	return []Format{
		{Name: "trtllm", About: "result block of TensorRT-LLM's benchmark_serving", New: newBlockParser},
		{
			Name: "trtllm-sa", About: "the same block as the SemiAnalysis client prints it, which counts no failures",
			New: newSAParser,
		},
		{
			Name: "json", About: "one JSON object a line: successful_requests, failed_requests, metrics",
			New: newJSONParser,
		},
		{Name: "vllm", About: "what vllm bench serve saves (--save-result)", Apart: true, New: newVLLMParser},
		{
			Name: "sglang", About: "what sglang.bench_serving appends to its --output-file", Apart: true,
			New: newSGLangParser,
		},
		{
			Name: "aiperf", About: "profile_export_aiperf.json of aiperf profile", Apart: true,
			New: newAIPerfParser,
		},
	}
}

// FormatNamed finds a format.
func FormatNamed(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, fmt.Errorf("unknown format %q: want one of %s", name, strings.Join(names, ", "))
}

// number reads a finite number; ok is false for anything else, such as a number with something after it.
func number(text string) (v float64, ok bool) {
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// requestFault tells what is wrong with the number of requests, "" if nothing is. A client that does not count failures
// (failed < 0) drops them.
func requestFault(want, successful, failed int) string {
	total := successful + max(failed, 0)
	switch {
	case failed > 0:
		return fmt.Sprintf("%d of %d requests failed", failed, total)
	case successful == 0:
		return "no request succeeded"
	case want > 0 && total < want:
		return fmt.Sprintf("only %d of %d requests succeeded", successful, want)
	case want > 0 && total > want:
		return fmt.Sprintf("%d requests succeeded: the case asks for %d", successful, want)
	}
	return ""
}
