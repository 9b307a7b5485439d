package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/imported"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
)

// importer keeps the records of what it reads, and then sends them.
type importer struct {
	out    io.Writer
	asked  []string // URLs that were asked for
	labels imported.Labels
	dryRun bool
	own    []*importBox // for what has no plan, one per sink
	boxes  []*importBox // that something was put into, or was in before

	files, imported, known, refused int
	reason                          string // why something was refused, for the first time
}

func newImporter(c *cli.Context, l imported.Labels) (i *importer, err error) {
	i = &importer{out: c.App.Writer, asked: c.StringSlice("upload"), labels: l, dryRun: c.Bool("dry-run")}
	i.own, err = ownBoxes(i.asked)
	return i, err
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

// keep makes the records of a file durable in the boxes that do not have them, and tells what became of the file.
func (i *importer) keep(file string, records []results.Record, refused []error, boxes ...*importBox) error {
	added := 0
	for _, rec := range records {
		news := false
		for _, b := range boxes {
			now, err := b.add(rec, i.dryRun)
			if err != nil {
				return fmt.Errorf("cannot import %s: %w", file, err)
			}
			news = news || now
		}
		if news {
			added++
		}
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
	err := tellUpload(i.out, drainBoxes(ctx, i.boxes))
	for _, b := range i.boxes {
		b.tellPending(i.out)
	}
	return err
}
