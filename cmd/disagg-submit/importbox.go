package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
)

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

// ownBoxes keep the records that have no plan: each sink has a folder of its own, so that no record goes to a sink that
// was not asked for it.
func ownBoxes(urls []string) (boxes []*importBox, err error) {
	if len(urls) == 0 {
		return nil, nil
	}
	data, err := upload.DataDir()
	if err != nil {
		return nil, err
	}
	for _, u := range urls {
		box, err := newImportBox(rundir.Dir(filepath.Join(data, "imported", upload.Folder(u))).Attempt(0), []string{u})
		if err != nil {
			return nil, err
		}
		boxes = append(boxes, box)
	}
	return boxes, nil
}

// add makes a record durable that the box does not have; in a dry run it only remembers it.
func (b *importBox) add(rec results.Record, dryRun bool) (added bool, err error) {
	if b.known[rec.ID] {
		return false, nil
	}
	b.known[rec.ID] = true
	if !dryRun {
		err = b.attempt.RecordStore().Save(rec)
	}
	return true, err
}

// drainBoxes sends what is pending, to each sink of all boxes together.
func drainBoxes(ctx context.Context, boxes []*importBox) protocol.UploadReport {
	var urls []string
	attempts := map[string][]rundir.Attempt{}
	for _, b := range boxes {
		for _, u := range b.urls {
			if !slices.Contains(urls, u) {
				urls = append(urls, u)
			}
			attempts[u] = append(attempts[u], b.attempt)
		}
	}
	var reports []protocol.UploadReport
	for _, u := range urls {
		reports = append(reports, sinks().DrainRun(ctx, attempts[u], []string{u}, 0))
	}
	return protocol.SumUploads(reports...)
}

// tellPending says how to send what is pending.
func (b *importBox) tellPending(out io.Writer) {
	for _, u := range b.urls {
		if ids, err := b.attempt.OpenOutbox(upload.Folder(u)).Pending(); err == nil && len(ids) > 0 {
			fmt.Fprintf(out, "to send what is pending, import it again, or: "+
				"disagg-submit upload drain --upload %s %s\n", u, b.attempt)
		}
	}
}
