package results

import (
	"encoding/json"

	"github.com/disagg/disagg/pkg/protocol"
)

// jsonParser reads the neutral format: one object a line, of which the last whole one counts. Lines that are no such
// object are the client's log.
type jsonParser struct {
	want  Want
	point *protocol.Point
}

func newJSONParser(w Want) Parser { return &jsonParser{want: w} }

// Line implements Parser.
func (p *jsonParser) Line(line string) {
	var got struct {
		Successful *int               `json:"successful_requests"`
		Failed     int                `json:"failed_requests"`
		Metrics    map[string]float64 `json:"metrics"`
	}
	if json.Unmarshal([]byte(line), &got) != nil || got.Successful == nil || got.Metrics == nil {
		return
	}
	p.point = &protocol.Point{
		Index: p.want.Index, Concurrency: p.want.Concurrency, Successful: *got.Successful, Failed: got.Failed,
		Metrics: got.Metrics,
	}
}

// Complete implements Parser.
func (p *jsonParser) Complete() bool {
	pt, ok := p.Point()
	return ok && pt.Invalid == ""
}

// Point implements Parser.
func (p *jsonParser) Point() (protocol.Point, bool) {
	if p.point == nil {
		return protocol.Point{}, false
	}
	pt := *p.point
	pt.Invalid = requestFault(p.want.Requests, pt.Successful, pt.Failed)
	if v := pt.Metrics["token_throughput"]; pt.Invalid == "" && v <= 0 {
		pt.Invalid = "metric token_throughput is missing, or no token came out"
	}
	return pt, true
}
