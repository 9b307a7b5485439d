package hub

import (
	"time"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// want is what the case asks for in one point.
func want(c roles.Case, index int) results.Want {
	w := results.Want{Index: index, Concurrency: c.Load.Concurrency[index], StepTime: c.Load.StepTime}
	w.Requests = w.Concurrency * c.Load.Of(index).Rounds
	return w
}

// Recover records the points that are complete in the client's files, and that the hub did not come to record.
func (o Orphan) Recover() error {
	spec := o.Plan.Spec(hubRole)
	if spec.Results == nil {
		return nil
	}
	format, err := o.Plan.ResultFormat()
	if err != nil {
		return err
	}
	data := o.Plan.Data(hubRole)
	data.RunID, data.Dirs = o.RunID, o.Attempt.Dirs(roles.Hub(), o.Plan.Case.TestID)
	pattern, err := recipe.Render("results.files", spec.Results.Files, data)
	if err != nil {
		return err
	}
	records := o.Attempt.RecordStore()
	recorded := map[[2]int]bool{}
	for _, rec := range records.All() {
		recorded[[2]int{rec.Point.Measurement, rec.Point.Index}] = true
	}
	for i := range o.Plan.Case.Load.Points() {
		for number, file := range rundir.Measurements(ClientFile(pattern, i)) {
			parser := format.New(want(o.Plan.Case, i))
			tail, take := rundir.Tail{File: file}, func(line []byte) { parser.Line(string(line)) }
			tail.Read(take)
			tail.Rest(take) // some clients end their file without a new line
			pt, ok := parser.Point()
			if pt.Measurement = number; recorded[[2]int{number, i}] || !ok || !parser.Complete() {
				continue
			}
			if err := records.Save(o.Plan.Record(o.RunID, o.JobID, pt, time.Now())); err != nil {
				return err
			}
		}
	}
	return nil
}
