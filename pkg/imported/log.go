package imported

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/disagg/disagg/pkg/lazyregexp"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// Place is which point of a run is meant: by its index in the case, and by its measurement, from 0.
type Place struct{ Index, Measurement int }

// OfRun makes the record of a point that a plan asked for, from its client's log. It has the id that it would have had
// if it had been recorded when it was measured.
func OfRun(p plan.Plan, runID, jobID string, at Place, s Source) (results.Record, error) {
	format, err := p.ResultFormat()
	if err != nil {
		return results.Record{}, err
	}
	parser := format.New(p.Want(at.Index))
	sum, err := s.lines(parser.Line)
	if err != nil {
		return results.Record{}, err
	}
	pt, err := complete(parser)
	if err != nil {
		return results.Record{}, err
	}
	pt.Measurement = at.Measurement
	rec := p.Record(runID, jobID, pt, s.Modified)
	rec.Provenance.Imported = s.dated(sum, protocol.ByFile)
	return rec, nil
}

// complete is the point of the first parser that has a complete one. The error says why the point of the first parser
// that has any does not count.
func complete(parsers ...results.Parser) (protocol.Point, error) {
	fault := errors.New("no client has printed a result in it")
	for i := len(parsers) - 1; i >= 0; i-- {
		pt, ok := parsers[i].Point()
		switch {
		case ok && pt.Invalid != "":
			fault = fmt.Errorf("its point does not count: %s", pt.Invalid)
		case ok && !parsers[i].Complete():
			fault = errors.New("its result has no end")
		}
	}
	for _, parser := range parsers {
		if pt, ok := parser.Point(); ok && parser.Complete() {
			return pt, nil
		}
	}
	return protocol.Point{}, fault
}

// Log makes the record of a log that belongs to no plan. The client may be any that a format is known of.
func Log(s Source, l Labels) (results.Record, error) {
	c, err := l.ofLog(s.Path)
	if err != nil {
		return results.Record{}, err
	}
	parsers := map[string]results.Parser{}
	for _, format := range results.Formats() {
		parsers[format.Name] = format.New(results.Want{})
	}
	var said options
	sum, err := s.lines(func(line string) {
		said.line(line)
		for _, p := range parsers {
			p.Line(line)
		}
	})
	if err != nil {
		return results.Record{}, err
	}
	var may []results.Parser
	for _, format := range results.Formats() {
		if format.Name != "trtllm-sa" || !said.failures {
			may = append(may, parsers[format.Name])
		}
	}
	pt, err := complete(may...)
	if err != nil {
		return results.Record{}, err
	}
	if pt.Concurrency, err = said.concurrency(s.Path); err != nil {
		return results.Record{}, err
	}
	c.Model, c.Load.PointLoad = said.model, said.load(pt.Concurrency)
	o := results.Origin{Case: c, Content: sum, Provenance: l.provenance()}
	o.Provenance.Imported = s.dated(sum, protocol.ByFile)
	return l.record(o, pt, s.Modified), nil
}

// named finds the concurrency in what a log, or its folder, is called.
var named = lazyregexp.New(`(?:^|[^A-Za-z])(?:con|conc|concurrency)[-_]?(\d+)(?:$|[^0-9])`)

// options are what a client says that it was asked for.
type options struct {
	concurrencies []int // in the order in which they are said, each once
	requests      int
	input, output int
	model         string
	failures      bool // it counts failed requests, which the SemiAnalysis client does not
}

// said are the patterns of a client's options.
var said = sync.OnceValue(func() (p struct{ concurrency, requests, input, output, model *regexp.Regexp }) {
	p.concurrency = regexp.MustCompile(`\bmax_concurrency=(\d+)|^Maximum request concurrency: (\d+)$`)
	p.requests = regexp.MustCompile(`\bnum_prompts=(\d+)`)
	p.input = regexp.MustCompile(`\brandom_input_len=(\d+)`)
	p.output = regexp.MustCompile(`\brandom_output_len=(\d+)`)
	p.model = regexp.MustCompile(`\bmodel='([^']*)'`)
	return p
})

func (o *options) line(line string) {
	p := said()
	o.failures = o.failures || strings.HasPrefix(line, "Failed requests:")
	if m := p.concurrency.FindStringSubmatch(line); m != nil {
		o.saidConcurrency(m[1] + m[2])
	}
	number(p.requests, line, &o.requests)
	number(p.input, line, &o.input)
	number(p.output, line, &o.output)
	if m := p.model.FindStringSubmatch(line); m != nil {
		o.model = m[1]
	}
}

// number reads a number of a line that has one.
func number(pattern *regexp.Regexp, line string, n *int) {
	if m := pattern.FindStringSubmatch(line); m != nil {
		if v, err := strconv.Atoi(m[1]); err == nil {
			*n = v
		}
	}
}

func (o *options) saidConcurrency(text string) {
	n, err := strconv.Atoi(text)
	if err == nil && n > 0 && !slices.Contains(o.concurrencies, n) {
		o.concurrencies = append(o.concurrencies, n)
	}
}

// concurrency is what the client says, else what the log's name or its folder's says. A log of several runs is refused:
// a parser keeps the last one of them.
func (o *options) concurrency(path string) (int, error) {
	if len(o.concurrencies) > 1 {
		return 0, fmt.Errorf("it has runs of several concurrencies %v: make a file of each", o.concurrencies)
	}
	if len(o.concurrencies) == 1 {
		return o.concurrencies[0], nil
	}
	for _, name := range []string{filepath.Base(path), filepath.Base(filepath.Dir(path))} {
		if m := named().FindStringSubmatch(name); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
				return n, nil
			}
		}
	}
	return 0, errors.New("neither the client nor the file's name tells the concurrency: call it con8.log, if it was 8")
}

// load is what is known of the point's load.
func (o *options) load(concurrency int) roles.PointLoad {
	l := roles.PointLoad{InputLength: o.input, OutputLength: o.output}
	if o.requests%concurrency == 0 {
		l.Rounds = o.requests / concurrency
	}
	return l
}
