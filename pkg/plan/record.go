package plan

import (
	"maps"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// Record is the durable form of a point that a job of the plan has measured in an attempt.
func (p Plan) Record(runID, jobID string, pt protocol.Point, at time.Time) results.Record {
	doc := maps.Clone(p.Case.Document)
	if pt.Index < len(p.Case.PointDocuments) {
		if doc == nil {
			doc = map[string]any{}
		}
		maps.Copy(doc, p.Case.PointDocuments[pt.Index])
	}
	from := p.Provenance
	from.Warm = pt.Measurement > 0
	format, _ := p.ResultFormat() // a plan without one leaves no points
	return results.NewRecord(results.Origin{
		Case: p.Case, RunID: runID, JobID: jobID, Recipe: p.Recipe.Name, Format: format.Name, Cluster: p.Cluster.Name,
		Provenance: from, Document: doc,
	}, pt, at)
}
