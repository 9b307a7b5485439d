package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/imported"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
)

// importer keeps the records of what it reads, and then sends them.
type importer struct {
	out    io.Writer
	asked  []string // URLs that were asked for
	labels imported.Labels
	dryRun bool
	own    []*importBox // for what has no plan, one a sink
	boxes  []*importBox // that something was put into, or was in before

	files, imported, known, refused int
	reason                          string // why something was refused, for the first time
}

// importBox is the records of an attempt, or of what has none, and the sinks that they go to.
type importBox struct {
	attempt rundir.Attempt
	urls    []string
	known   map[string]bool // the ids of its records
}

func newImportBox(a rundir.Attempt, urls []string) (*importBox, error) {
	b := &importBox{attempt: a, urls: urls, known: map[string]bool{}}
	ids, err := a.RecordStore().IDs()
	for _, id := range ids {
		b.known[id] = true
	}
	return b, err
}

// newImporter opens what keeps the records that have no plan: each sink has a folder of its own, so that no record goes
// to a sink that was not asked for it.
func newImporter(c *cli.Context, l imported.Labels) (*importer, error) {
	i := &importer{out: c.App.Writer, asked: c.StringSlice("upload"), labels: l, dryRun: c.Bool("dry-run")}
	if len(i.asked) == 0 {
		return i, nil
	}
	data, err := upload.DataDir()
	if err != nil {
		return nil, err
	}
	for _, u := range i.asked {
		box, err := newImportBox(rundir.Dir(filepath.Join(data, "imported", upload.Folder(u))).Attempt(0), []string{u})
		if err != nil {
			return nil, err
		}
		i.own = append(i.own, box)
	}
	return i, nil
}

// one imports a run directory or a file.
func (i *importer) one(f importable) error {
	if f.run != "" {
		return i.run(f)
	}
	records, refused := readResults(f.path, i.labels)
	return i.keep(f.path, records, refused, i.own...)
}

// readResults reads a file that has no plan.
func readResults(path string, l imported.Labels) (records []results.Record, refused []error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil, []error{err}
	}
	f, err := rundir.OpenRegular(path)
	if err != nil {
		return nil, []error{err}
	}
	defer f.Close()
	s := imported.Source{Path: whole, Modified: f.Modified, Content: f}
	if filepath.Ext(path) == ".json" {
		records, refused, err = imported.Rows(s, l)
	} else {
		records = make([]results.Record, 1)
		records[0], err = imported.Log(s, l)
	}
	if err != nil {
		return nil, []error{err}
	}
	return records, refused
}

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

// keep makes the records of a file durable in the boxes that have none of their ids, and tells what became of the file.
func (i *importer) keep(file string, records []results.Record, refused []error, boxes ...*importBox) error {
	added := 0
	for _, rec := range records {
		missing := slices.DeleteFunc(slices.Clone(boxes), func(b *importBox) bool { return b.known[rec.ID] })
		for _, b := range missing {
			b.known[rec.ID] = true
			if i.dryRun {
				continue
			}
			if err := b.attempt.RecordStore().Save(rec); err != nil {
				return fmt.Errorf("cannot import %s: %w", file, err)
			}
		}
		added += min(len(missing), 1)
	}
	for _, b := range boxes {
		if !slices.Contains(i.boxes, b) {
			i.boxes = append(i.boxes, b)
		}
	}
	i.tell(file, added, len(records)-added, refused)
	return nil
}

// tell prints a file's line, and counts it.
func (i *importer) tell(file string, added, known int, refused []error) {
	var parts []string
	if added > 0 {
		parts = append(parts, fmt.Sprintf("%d %s", added, i.verb()))
	}
	if known > 0 {
		parts = append(parts, fmt.Sprintf("%d known", known))
	}
	if len(refused) > 0 {
		why := refused[0].Error()
		if more := len(refused) - 1; more > 0 {
			why += fmt.Sprintf(" (and %d more)", more)
		}
		parts = append(parts, "refused: "+why)
		i.reason = cmp.Or(i.reason, file+": "+why)
	}
	fmt.Fprintln(i.out, report.Printable(file+": "+strings.Join(parts, ", ")))
	i.files, i.imported, i.known, i.refused = i.files+1, i.imported+added, i.known+known, i.refused+len(refused)
}

func (i *importer) verb() string {
	if i.dryRun {
		return "to import"
	}
	return "imported"
}

// finish prints the sum, and sends what is pending.
func (i *importer) finish(ctx context.Context) error {
	fmt.Fprintf(i.out, "%d %s: %d %s %s, %d known, %d refused\n", i.files, plural(i.files, "file", "files"), i.imported,
		plural(i.imported, "point", "points"), i.verb(), i.known, i.refused)
	if i.imported+i.known == 0 {
		return errors.New(report.Printable("there is nothing to import: " + i.reason))
	}
	if i.dryRun {
		return nil
	}
	var reports []protocol.UploadReport
	for _, u := range i.urls() {
		var attempts []rundir.Attempt
		for _, b := range i.boxes {
			if slices.Contains(b.urls, u) {
				attempts = append(attempts, b.attempt)
			}
		}
		reports = append(reports, sinks().DrainRun(ctx, attempts, []string{u}, 0))
	}
	err := tellUpload(i.out, protocol.SumUploads(reports...))
	i.tellPending()
	return err
}

// tellPending says how to send what is pending.
func (i *importer) tellPending() {
	for _, b := range i.boxes {
		for _, u := range b.urls {
			if ids, err := b.attempt.OpenOutbox(upload.Folder(u)).Pending(); err == nil && len(ids) > 0 {
				fmt.Fprintf(i.out, "to send what is pending, import it again, or: "+
					"disagg-submit upload drain --upload %s %s\n", u, b.attempt)
			}
		}
	}
}

// urls lists the sinks that records go to, each once.
func (i *importer) urls() (urls []string) {
	for _, b := range i.boxes {
		for _, u := range b.urls {
			if !slices.Contains(urls, u) {
				urls = append(urls, u)
			}
		}
	}
	return urls
}
