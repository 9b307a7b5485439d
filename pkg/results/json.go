package results

import (
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
)

// jsonParser reads the neutral format: one object a line, of which the last one counts. Lines that are no such object
// are the client's log. A result that cannot be read takes the place of the one before, too: which of them is the
// measurement nobody could tell.
type jsonParser struct {
	want  Want
	point *protocol.Point
}

func newJSONParser(w Want) Parser { return &jsonParser{want: w} }

// successfulKey tells a result from other objects.
const successfulKey = "successful_requests"

// Line implements Parser.
func (p *jsonParser) Line(line string) {
	if !strings.HasPrefix(strings.TrimLeft(line, " \t"), "{") || !strings.Contains(line, `"`+successfulKey+`"`) {
		return
	}
	r := reading{want: p.want, point: protocol.Point{
		Index: p.want.Index, Concurrency: p.want.Concurrency, Metrics: map[string]float64{},
	}}
	o, err := parseObject([]byte(line))
	switch {
	case err != nil:
		note(&r.refused, "the client's result is not valid: %v", err)
	case o[successfulKey] == nil:
		return
	default:
		r.neutral(o.withoutNull())
	}
	r.point.Invalid = r.neutralVerdict()
	p.point = &r.point
}

// neutral reads a result. Null is what was not measured.
func (r *reading) neutral(o object) {
	r.point.Successful = r.count(o, successfulKey, successfulKey, -1)
	r.point.Failed = r.count(o, "failed_requests", "failed_requests", 0)
	metrics := o.object("metrics").withoutNull()
	if metrics == nil {
		note(&r.refused, "the client's result has no object metrics")
	}
	names := make([]string, 0, len(metrics))
	for name := range metrics {
		names = append(names, name)
	}
	slices.Sort(names) // the fault that is named is always the same
	for _, name := range names {
		r.metric(metrics, name, "metrics."+name, name, false)
	}
}

func (r *reading) neutralVerdict() string {
	if r.refused != "" {
		return r.refused
	}
	fault := requestFault(r.want.Requests, r.point.Successful, r.point.Failed)
	if fault == "" && r.point.Metrics["token_throughput"] <= 0 {
		fault = "metric token_throughput is missing, or no token came out"
	}
	return fault
}

// Complete implements Parser.
func (p *jsonParser) Complete() bool { return p.point != nil && p.point.Invalid == "" }

// Point implements Parser.
func (p *jsonParser) Point() (protocol.Point, bool) {
	if p.point == nil {
		return protocol.Point{}, false
	}
	return *p.point, true
}
