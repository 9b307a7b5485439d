package main

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/imported"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// run imports the points of a run directory.
func (i *importer) run(f importable) error {
	p, err := rundir.ReadPlan(f.run.Plan())
	switch {
	case err != nil:
	case len(p.Case.Load.Points()) == 0:
		err = errors.New("its plan measures nothing")
	case len(f.attempts) == 0:
		err = errors.New("nothing has run in it")
	}
	if err != nil {
		return i.keep(f.path, nil, []error{err})
	}
	urls := chosenSinks(i.asked, p, false)
	if err := checkSinks(urls); err != nil {
		return err
	}
	for _, a := range f.attempts {
		box, err := newImportBox(a, urls)
		if err == nil {
			err = i.attempt(p, box)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (i *importer) attempt(p plan.Plan, box *importBox) error {
	a := box.attempt
	if a.Continues() { // the files beside it are of several attempts, of which only the first is told apart
		return nil
	}
	runID, jobID := p.RunID(a.Number()), jobOf(a)
	files, err := p.PointFiles(runID, a.Dirs(roles.Hub(), p.Case.TestID))
	if err != nil {
		return i.keep(string(a), nil, []error{err})
	}
	for index, last := range files {
		all := rundir.Measurements(last)
		for measurement, file := range all[:min(len(all), max(p.Policy.Measurements, 1))] {
			pt := protocol.Point{Index: index, Measurement: measurement, Concurrency: p.Want(index).Concurrency}
			rec := p.Record(runID, jobID, pt, time.Time{}) // its id tells whether the point has a record
			records, refused := []results.Record{rec}, []error(nil)
			if !box.known[rec.ID] {
				at := imported.Place{Index: index, Measurement: measurement}
				records, refused = i.readPoint(p, runID, jobID, at, file)
			}
			if err := i.keep(file, records, refused, box); err != nil {
				return err
			}
		}
	}
	return nil
}

// readPoint reads a point that a plan asked for.
func (i *importer) readPoint(p plan.Plan, runID, jobID string, at imported.Place, file string,
) ([]results.Record, []error) {
	f, err := rundir.OpenRegular(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("it is not there: the point was not measured")
	}
	if err != nil {
		return nil, []error{err}
	}
	defer f.Close()
	s := imported.Source{Path: file, Modified: f.Modified, Content: f}
	rec, err := imported.OfRun(p, runID, jobID, at, s)
	if err != nil {
		return nil, []error{err}
	}
	rec.Provenance.Tags = slices.Concat(rec.Provenance.Tags, i.labels.Tags)
	rec.Provenance.Note = cmp.Or(i.labels.Note, rec.Provenance.Note)
	return []results.Record{rec}, nil
}

// jobOf is the scheduler's id of the job that an attempt was made by; "" if nothing says it.
func jobOf(a rundir.Attempt) string {
	if r, err := rundir.ReadResult(a); err == nil {
		return r.JobID
	}
	s, err := rundir.ReadSubmission(a.Dir())
	if err != nil {
		return ""
	}
	return s.JobID
}
