package results

import (
	"errors"
	"fmt"

	"github.com/disagg/disagg/pkg/protocol"
)

// objectClient is a client that writes what it measured as a JSON object.
type objectClient struct {
	// is tells whether an object is a result; it may be a line of a log.
	is func(object) bool
	// load tells why a result is not of the concurrency that was asked for; "": it is, or it does not say.
	load func(o object, concurrency int) string
	// read reads a result.
	read func(o object, r *reading)
}

// objectParser reads the results of a client. The last one that is of the concurrency asked for is the point: a file
// may hold those of earlier runs, of a warm-up and of other points.
type objectParser struct {
	objectClient
	want  Want
	lines collector
	point *protocol.Point
	fault string // of what was read and is no point
}

func (c objectClient) parser(w Want) Parser { return &objectParser{objectClient: c, want: w} }

// Line implements Parser.
func (p *objectParser) Line(line string) {
	text, fault := p.lines.add(line)
	if fault != "" {
		p.fault = fault
	}
	if text == nil {
		return
	}
	o, err := parseObject(text)
	if err != nil {
		// Which concurrency it is of cannot be told, so it counts as what was asked for.
		p.point, p.fault = nil, fmt.Sprintf("the client's result is not valid: %v", err)
		return
	}
	if !p.is(o) {
		return
	}
	if fault := p.load(o, p.want.Concurrency); fault != "" {
		p.fault = fault
		return
	}
	r := reading{want: p.want, point: p.empty()}
	p.read(o, &r)
	r.point.Invalid = r.verdict()
	p.point = &r.point
}

func (p *objectParser) empty() protocol.Point {
	return protocol.Point{Index: p.want.Index, Concurrency: p.want.Concurrency, Metrics: map[string]float64{}}
}

// Complete implements Parser.
func (p *objectParser) Complete() bool { return p.point != nil && p.point.Invalid == "" }

// Point implements Parser.
func (p *objectParser) Point() (protocol.Point, bool) {
	if p.point != nil {
		return *p.point, true
	}
	pt := p.empty()
	if pt.Invalid = p.fault; p.lines.open {
		pt.Invalid = cutShort
	}
	return pt, pt.Invalid != ""
}

// reading is a point that is being read from an object, and what is wrong with it.
type reading struct {
	want  Want
	point protocol.Point
	// failed is how many requests failed; a client that does not count them has -1.
	failed int
	// asked is how many requests the client says it was to send; 0: it does not say.
	asked int
	// refused is what cannot be read, incomplete what the client says of itself, missing what is not there, empty what
	// shows that no tokens came. The first of each kind stays.
	refused, incomplete, missing, empty string
}

// note keeps the first text of a kind.
func note(kind *string, format string, args ...any) {
	if *kind == "" {
		*kind = fmt.Sprintf(format, args...)
	}
}

// metric reads a metric from a field; name is what the field is called in messages.
func (r *reading) metric(o object, key, name, metric string, required bool) {
	v, err := o.number(key)
	switch {
	case err == nil:
		r.point.Metrics[metric] = v
	case !errors.Is(err, errMissing):
		note(&r.refused, "%s %v", name, err)
	case required:
		note(&r.missing, "metric %s is missing: the client's result has no %s", metric, name)
	}
}

// count reads a number of requests. Without the field it is what otherwise says; if that is negative, the field has to
// be there.
func (r *reading) count(o object, key, name string, otherwise int) int {
	n, err := o.count(key)
	if err == nil {
		return n
	}
	if otherwise < 0 || !errors.Is(err, errMissing) {
		note(&r.refused, "%s %v", name, err)
	}
	return max(otherwise, 0)
}

// verdict tells why the point does not count; "": it does. What cannot be read comes first: nothing else can be trusted
// then.
func (r *reading) verdict() string {
	r.point.Failed = max(r.failed, 0)
	want := r.want.Requests
	if want == 0 {
		want = r.asked
	}
	if r.want.StepTime {
		note(&r.missing, "metric %s is missing: this client does not measure it", stepTime)
	}
	if v, have := r.point.Metrics["token_throughput"]; have && v <= 0 {
		note(&r.empty, "no token came out")
	}
	for _, fault := range [...]string{
		r.refused, r.incomplete, requestFault(want, r.point.Successful, r.failed), r.empty, r.missing,
	} {
		if fault != "" {
			return fault
		}
	}
	return ""
}
