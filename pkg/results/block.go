package results

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/disagg/disagg/pkg/protocol"
)

// metric is one line of the client's result block, and the name that upstream gives its value.
type metric struct {
	name    string
	pattern *regexp.Regexp
}

// stepTime is what is measured when decode alone is. Upstream's test prints it after the block, a newer one with more
// statistics of it.
const stepTime = "mean_" + stepTimeName

// stepTimeLabels are the beginnings of these lines, by the statistic's name in a metric.
var stepTimeLabels = map[string]string{
	"mean": "Average", "median": "Median", "std": "Stdev", "p75": "P75", "p99": "P99",
}

// userThroughput is what one user sees, which not every client prints.
const userThroughput = "user_throughput"

// blockPatterns are the patterns of upstream's client, compiled once.
type blockPatterns struct {
	required, extra               []metric
	successful, failed, requested *regexp.Regexp
}

var upstreamBlock = sync.OnceValue(func() blockPatterns {
	line := func(label string) *regexp.Regexp { return regexp.MustCompile(regexp.QuoteMeta(label) + `:\s+(\S+)`) }
	p := blockPatterns{
		required: []metric{
			{"seq_throughput", line("Request throughput (req/s)")},
			{"token_throughput", line("Output token throughput (tok/s)")},
			{"total_token_throughput", line("Total Token throughput (tok/s)")},
			{userThroughput, line("User throughput (tok/s)")},
		},
		extra:      []metric{{"al", line("Mean Avg Decoded Tokens per Iter")}},
		successful: line("Successful requests"), failed: line("Failed requests"),
		requested: regexp.MustCompile(`\bnum_prompts=(\d+)`),
	}
	for stat, label := range stepTimeLabels {
		p.extra = append(p.extra, metric{stat + "_" + stepTimeName, line(label + " Per Iter Device Step Time (ms)")})
	}
	for _, stat := range []string{"Mean", "Median", "P99"} {
		for _, of := range []string{"TTFT", "TPOT", "ITL", "E2EL"} {
			p.required = append(p.required, metric{strings.ToLower(stat + "_" + of), line(stat + " " + of + " (ms)")})
		}
	}
	return p
})

// blockParser reads result blocks of TensorRT-LLM's client. A new block takes the place of the one before: a warm-up is
// printed as a block too.
type blockParser struct {
	blockPatterns
	want      Want
	requested int // what the client says it was asked for; 0: it does not say
	point     protocol.Point
	failures  bool // the client counts failed requests
	// miscounted and unread are what is printed and cannot be read: the first number of requests, the first metric.
	miscounted, unread string
	inBlock            bool
	ended              bool
	marker             string
}

func newBlockParser(w Want) Parser {
	p := &blockParser{blockPatterns: upstreamBlock(), want: w}
	p.reset()
	return p
}

// newSAParser reads the block of the SemiAnalysis client: it has no throughput a user, and counts no failures.
func newSAParser(w Want) Parser {
	p := &blockParser{blockPatterns: upstreamBlock(), want: w}
	p.required = slices.DeleteFunc(slices.Clone(p.required), func(m metric) bool { return m.name == userThroughput })
	p.reset()
	return p
}

func (p *blockParser) reset() {
	p.point = protocol.Point{Index: p.want.Index, Concurrency: p.want.Concurrency, Metrics: map[string]float64{}}
	p.failures, p.inBlock, p.ended, p.miscounted, p.unread = false, false, false, "", ""
}

// Line implements Parser.
func (p *blockParser) Line(line string) {
	for _, m := range [...]string{"!FAILED REQUESTS!", "!CHECK LOG FOR ERRORS!"} {
		if strings.Contains(line, m) {
			p.marker = m
		}
	}
	switch {
	case strings.Contains(line, "Serving Benchmark Result"):
		p.reset()
		p.inBlock = true
	case p.inBlock && !p.ended && line != "" && strings.Trim(line, "=") == "":
		p.ended = true
	case !p.inBlock:
		if m := p.blockPatterns.requested.FindStringSubmatch(line); m != nil {
			p.requested, _ = strconv.Atoi(m[1])
		}
	case !p.ended:
		p.read(line)
	}
	if p.inBlock {
		match(p.extra, line, p.point.Metrics)
	}
}

func (p *blockParser) read(line string) {
	p.count("successful requests", p.successful, line, &p.point.Successful)
	p.failures = p.count("failed requests", p.failed, line, &p.point.Failed) || p.failures
	if fault := match(p.required, line, p.point.Metrics); fault != "" {
		note(&p.unread, "%s", fault)
	}
}

func (p *blockParser) count(what string, pattern *regexp.Regexp, line string, n *int) bool {
	m := pattern.FindStringSubmatch(line)
	if m == nil {
		return false
	}
	v, err := strconv.Atoi(m[1])
	if err != nil || v < 0 {
		note(&p.miscounted, "the number of %s is %.40s: want a whole number", what, m[1])
		return false
	}
	*n = v
	return true
}

// match takes the metrics that a line has. The fault names one that is not a number, or a negative one.
func match(list []metric, line string, metrics map[string]float64) (fault string) {
	for _, m := range list {
		got := m.pattern.FindStringSubmatch(line)
		if _, have := metrics[m.name]; got == nil || have {
			continue
		}
		v, ok := number(got[1])
		if !ok || v < 0 {
			fault = fmt.Sprintf("metric %s is %.40s: %s", m.name, got[1], wantNumber)
			continue
		}
		metrics[m.name] = v
	}
	return fault
}

// Complete implements Parser. A block with another number of requests than asked for may be a warm-up's, and what is
// printed after a block may be part of what the mode measures.
func (p *blockParser) Complete() bool { return p.ended && p.fault() == "" }

// Point implements Parser.
func (p *blockParser) Point() (protocol.Point, bool) {
	pt := p.point
	pt.Invalid = p.fault()
	return pt, p.inBlock
}

// fault tells why the point does not count.
func (p *blockParser) fault() string {
	if p.miscounted != "" {
		return p.miscounted
	}
	failed, want := p.point.Failed, p.want.Requests
	if !p.failures {
		failed = -1
	}
	if want == 0 {
		want = p.requested
	}
	if fault := requestFault(want, p.point.Successful, failed); fault != "" {
		return fault
	}
	if p.marker != "" {
		return "the client printed " + p.marker
	}
	if p.unread != "" {
		return p.unread
	}
	for _, m := range p.required {
		if _, have := p.point.Metrics[m.name]; !have {
			return "metric " + m.name + " is missing"
		}
	}
	if _, have := p.point.Metrics[stepTime]; !have && p.want.StepTime {
		return "metric " + stepTime + " is missing"
	}
	if p.point.Metrics["token_throughput"] <= 0 {
		return "no token came out"
	}
	return ""
}
