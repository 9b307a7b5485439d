package dispatch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/testlist"
)

// Plan is what a list of tests is run with.
type Plan struct {
	Request  launch.Request  // what all tests have in common
	Tests    []testlist.Test // in order
	Waives   []testlist.Test
	Platform string // that waives may be limited to
	Folder   string // that run directories are made in; "": none are wanted
}

// Entries plans every test. Nothing is written.
func (p Plan) Entries(ctx context.Context) []Entry {
	p.Request.Cache = &launch.Cache{}
	entries := make([]Entry, len(p.Tests))
	for i, t := range p.Tests {
		entries[i] = p.entry(ctx, i, t)
	}
	return entries
}

func (p Plan) entry(ctx context.Context, i int, t testlist.Test) Entry {
	e := Entry{Test: t, Status: Planned}
	if t.Marker == testlist.Skip {
		e.Status, e.Detail = Skipped, strings.TrimSpace("by its line "+t.Reason)
		return e
	}
	if why, ok := testlist.Waived(p.Waives, t, p.Platform); ok {
		e.Status, e.Detail = Waived, why
		return e
	}
	r := p.Request
	r.Case, r.Limit = t.ID, t.Limit
	if p.Folder != "" {
		r.RunDir = filepath.Join(p.Folder, fmt.Sprintf("%03d-%s", i+1, Name(t)))
	}
	job, err := r.Make(ctx)
	if notOurs, ok := errors.AsType[*perfsanity.NotOurs](err); ok {
		e.Status, e.Detail = NotOurs, notOurs.Class+": "+notOurs.Why
		return e
	}
	if err != nil {
		e.Status, e.Detail = Refused, err.Error()
		return e
	}
	e.Job = job
	if job.Plan.Case.TestID != Name(t) {
		e.Job.Plan.Case.Notes = append(e.Job.Plan.Case.Notes, "it is run as "+job.Plan.Case.TestID)
	}
	if want, has := t.GPUs(), job.Plan.Layout.TotalGPUs(); want > 0 && want != has {
		e.Job.Plan.Case.Notes = append(e.Job.Plan.Case.Notes,
			fmt.Sprintf("the list says %d GPUs, the case has %d", want, has))
	}
	return e
}

// Name is the part of a test's id that tells it from others, as a plain word.
func Name(t testlist.Test) string {
	_, name, found := strings.Cut(t.ID, "[")
	if !found {
		name = t.ID
	}
	name = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, strings.TrimSuffix(name, "]"))
	const most = 150 // bytes of a folder's name, with a number before it
	return name[:min(len(name), most)]
}
