package dispatch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/testlist"
)

// Plan is what several runs are planned from.
type Plan struct {
	Request  launch.Request    // what all of them have in common
	Tests    []testlist.Test   // in order; see [Cases]
	Variants [][]roles.Setting // of each test; none: each is run once, as it is
	Waives   []testlist.Test
	Platform string // that waives may be limited to
	Folder   string // that run directories are made in; "": none are wanted
}

// Cases are cases that were named one by one, as a list of tests would have them. A name may be a line of a list.
func Cases(names []string) ([]testlist.Test, error) {
	tests := make([]testlist.Test, len(names))
	for i, name := range names {
		var err error
		if tests[i], err = testlist.Pasted(name); err != nil {
			return nil, err
		}
	}
	return tests, nil
}

// Entries plans every run. Nothing is written.
func (p Plan) Entries(ctx context.Context) []Entry {
	p.Request.Cache = &launch.Cache{}
	variants := p.Variants
	if len(variants) == 0 {
		variants = [][]roles.Setting{nil}
	}
	names := map[string]int{}
	var entries []Entry
	for _, t := range p.Tests {
		name := nameOf(t)
		if names[name]++; names[name] > 1 && t.Place == "" { // a case of the same name, of another folder
			name = fmt.Sprintf("%s-%d", name, names[name])
		}
		for _, v := range variants {
			e := Entry{Test: t, Variant: v, Name: roles.Title(name, v), Status: Planned}
			p.plan(ctx, &e, len(entries)+1)
			entries = append(entries, e)
		}
	}
	return entries
}

// plan plans the run of an entry, or says why there can be none. The number tells its folder from others.
func (p Plan) plan(ctx context.Context, e *Entry, number int) {
	if e.Test.Marker == testlist.Skip {
		e.Status, e.Detail = Skipped, strings.TrimSpace("SKIP in the list: "+e.Test.Reason)
		return
	}
	if why, ok := testlist.Waived(p.Waives, e.Test, p.Platform); ok {
		e.Status, e.Detail = Waived, why
		return
	}
	r := p.Request
	r.Case, r.Limit, r.Settings = e.Test.ID, e.Test.Limit, slices.Concat(r.Settings, e.Variant)
	if p.Folder != "" {
		r.RunDir = runDir(p.Folder, number, e.Name)
	}
	job, err := r.Make(ctx)
	if notOurs, ok := errors.AsType[*perfsanity.NotOurs](err); ok {
		e.Status, e.Detail = NotOurs, notOurs.Class+": "+notOurs.Why
		return
	}
	if err != nil {
		e.Status, e.Detail = Refused, err.Error()
		return
	}
	e.Job = job
	e.Variant = lastOf(job.Plan.Case.Settings, len(e.Variant))
	e.addNotes()
}

// OnServers plans a run of each variant on the servers that a run has kept, in folders below one.
func OnServers(b launch.Bench, variants [][]roles.Setting, folder, version string) (entries []Entry) {
	name := b.Plan.Case.Name
	for i, v := range variants {
		e := Entry{
			Test: testlist.Test{ID: name}, Variant: v, Name: roles.Title(plainWord(name), v), Status: Planned,
		}
		job, err := b.Variant(v, runDir(folder, i+1, e.Name), version)
		if e.Job = job; err != nil {
			e.Status, e.Detail = Refused, err.Error()
		} else {
			e.Variant = lastOf(job.Plan.Case.Settings, len(v))
		}
		entries = append(entries, e)
	}
	return entries
}

// lastOf are the last of a plan's settings, which were given last: under whole keys.
func lastOf(all []roles.Setting, n int) []roles.Setting { return all[len(all)-n:] }

// runDir is the run directory of an entry below a folder. The number tells it from others.
func runDir(folder string, number int, name string) string {
	return filepath.Join(folder, fmt.Sprintf("%03d-%s", number, folderName(name)))
}

// addNotes says where the plan differs from what the list says.
func (e *Entry) addNotes() {
	notes := &e.Job.Plan.Case.Notes
	if id := e.Job.Plan.Case.TestID; e.Test.Place != "" && id != nameOf(e.Test) {
		*notes = append(*notes, "it is run as "+id)
	}
	if want, has := e.Test.GPUs(), e.Job.Plan.Layout.TotalGPUs(); want > 0 && want != has {
		*notes = append(*notes, fmt.Sprintf("the list says %d GPUs, the case has %d", want, has))
	}
}

// nameOf is what tells a test from others, as a plain word: a part of its id, or the name of a case's file.
func nameOf(t testlist.Test) string {
	_, name, found := strings.Cut(t.ID, "[")
	switch ext := filepath.Ext(t.ID); {
	case found:
		name = strings.TrimSuffix(name, "]")
	case t.Place == "" && (ext == ".yaml" || ext == ".yml"):
		name = strings.TrimSuffix(filepath.Base(t.ID), ext)
	default:
		name = t.ID
	}
	return plainWord(name)
}

// folderName is the name of an entry as a part of a folder's name.
func folderName(name string) string {
	return plainWord(strings.NewReplacer(" with ", "-", ", ", "-", "=", "-").Replace(name))
}

// mostName is how many bytes of a name are shown, and are part of a folder's name after a number.
const mostName = 150

// plainWord replaces what is not plain in a name.
func plainWord(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), mostName)]
}
