package hub

import (
	"github.com/disagg/disagg/pkg/imported"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// Recover records the points that are complete in the client's files, and that the hub did not come to record.
func (o Orphan) Recover() error {
	if o.Plan.Spec(roles.Hub().Role).Results == nil {
		return nil
	}
	if _, err := o.Plan.ResultFormat(); err != nil {
		return err
	}
	files, err := o.Plan.PointFiles(o.RunID, o.Attempt.Dirs(roles.Hub(), o.Plan.Case.TestID))
	if err != nil {
		return err
	}
	records := o.Attempt.RecordStore()
	recorded := map[[2]int]bool{}
	for _, rec := range records.All() {
		recorded[[2]int{rec.Point.Measurement, rec.Point.Index}] = true
	}
	for index, last := range files {
		list := rundir.Measurements(last)
		if o.Attempt.Continues() { // those before are of other attempts
			list = list[len(list)-1:]
		}
		for measurement, file := range list {
			if recorded[[2]int{measurement, index}] {
				continue
			}
			rec, err := o.recover(imported.Place{Index: index, Measurement: measurement}, file)
			if err != nil {
				continue // there is no complete point
			}
			if err := records.Save(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// recover reads a point from its client's file.
func (o Orphan) recover(at imported.Place, file string) (results.Record, error) {
	f, err := rundir.OpenRegular(file)
	if err != nil {
		return results.Record{}, err
	}
	defer f.Close()
	return imported.OfRun(o.Plan, o.RunID, o.JobID, at, imported.Source{
		Path: file, Modified: f.Modified, Content: f,
	})
}
