package results

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Point is one measured concurrency.
type Point struct {
	Index       int                `json:"index"` // of the case's list of concurrencies
	Concurrency int                `json:"concurrency"`
	Successful  int                `json:"successful_requests"`
	Failed      int                `json:"failed_requests"`
	Metrics     map[string]float64 `json:"metrics"`
	Invalid     string             `json:"invalid,omitempty"` // why it does not count; "" if it does
}

// metric is one line of the client's result block, and the name that upstream gives its value.
type metric struct {
	name string
	form *regexp.Regexp
}

// blockMetrics are the lines of the result block. The first match in a log counts, as upstream has it.
func blockMetrics() []metric {
	const number = `\s+(-?[\d.]+)`
	list := []metric{
		{"seq_throughput", regexp.MustCompile(`Request throughput \(req/s\):` + number)},
		{"token_throughput", regexp.MustCompile(`Output token throughput \(tok/s\):` + number)},
		{"total_token_throughput", regexp.MustCompile(`Total Token throughput \(tok/s\):` + number)},
		{"user_throughput", regexp.MustCompile(`User throughput \(tok/s\):` + number)},
	}
	for _, stat := range []string{"Mean", "Median", "P99"} {
		for _, of := range []string{"TTFT", "TPOT", "ITL", "E2EL"} {
			name := strings.ToLower(stat + "_" + of)
			list = append(list, metric{name, regexp.MustCompile(stat + " " + of + ` \(ms\):` + number)})
		}
	}
	return list
}

// extraMetrics are printed for some cases only: with speculative decoding, and when decode alone is measured.
func extraMetrics() []metric {
	const number = `\s+(-?[\d.]+)`
	return []metric{
		{"al", regexp.MustCompile(`Mean Avg Decoded Tokens per Iter:` + number)},
		{"mean_gen_worker_per_iter_device_step_time", regexp.MustCompile(`Average Per Iter Device Step Time \(ms\):` + number)},
	}
}

// BlockForm is how a client prints its result block. It can be shared by any number of parsers.
type BlockForm struct {
	required, extras   []metric
	successful, failed *regexp.Regexp
}

// NewBlockForm prepares the form of upstream's client.
func NewBlockForm() *BlockForm {
	return &BlockForm{
		required: blockMetrics(), extras: extraMetrics(),
		successful: regexp.MustCompile(`Successful requests:\s+(\d+)`),
		failed:     regexp.MustCompile(`Failed requests:\s+(\d+)`),
	}
}

// BlockParser reads the log of one client run, line by line, for one point.
type BlockParser struct {
	form           *BlockForm
	point          Point
	inBlock, ended bool
	marker         string
}

// Parser reads the point at an index of the case's list.
func (f *BlockForm) Parser(index, concurrency int) *BlockParser {
	return &BlockParser{form: f, point: Point{Index: index, Concurrency: concurrency, Metrics: map[string]float64{}}}
}

// Line takes the next line of the log.
func (p *BlockParser) Line(line string) {
	for _, m := range [...]string{"!FAILED REQUESTS!", "!CHECK LOG FOR ERRORS!"} {
		if strings.Contains(line, m) {
			p.marker = m
		}
	}
	p.count(p.form.successful, &p.point.Successful, line)
	p.count(p.form.failed, &p.point.Failed, line)
	p.match(p.form.required, line)
	p.match(p.form.extras, line)
	switch {
	case strings.Contains(line, "Serving Benchmark Result"):
		p.inBlock = true
	case p.inBlock && line != "" && strings.Trim(line, "=") == "":
		p.ended = true
	}
}

func (p *BlockParser) count(form *regexp.Regexp, n *int, line string) {
	if m := form.FindStringSubmatch(line); m != nil {
		*n, _ = strconv.Atoi(m[1])
	}
}

func (p *BlockParser) match(list []metric, line string) {
	for _, m := range list {
		got := m.form.FindStringSubmatch(line)
		if _, have := p.point.Metrics[m.name]; got == nil || have {
			continue
		}
		if v, err := strconv.ParseFloat(got[1], 64); err == nil {
			p.point.Metrics[m.name] = v
		}
	}
}

// Ended tells whether the whole result block has been read.
func (p *BlockParser) Ended() bool { return p.ended }

// Found tells whether the log had any result at all.
func (p *BlockParser) Found() bool { return len(p.point.Metrics) > 0 || p.point.Failed > 0 }

// Point is what was read so far, judged.
func (p *BlockParser) Point() Point {
	pt := p.point
	pt.Invalid = p.fault()
	return pt
}

// fault tells why the point does not count.
func (p *BlockParser) fault() string {
	switch {
	case p.point.Failed > 0:
		return fmt.Sprintf("%d of %d requests failed", p.point.Failed, p.point.Failed+p.point.Successful)
	case p.marker != "":
		return "the client printed " + p.marker
	case p.point.Successful == 0:
		return "no request succeeded"
	}
	for _, m := range p.form.required {
		if _, have := p.point.Metrics[m.name]; !have {
			return "metric " + m.name + " is missing"
		}
	}
	if p.point.Metrics["token_throughput"] <= 0 {
		return "no token came out"
	}
	return ""
}
