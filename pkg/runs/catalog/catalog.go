// Package catalog finds the runs that a user may mean, and reads what is known of one.
//
// Rules:
//   - What a run directory or its scheduler does not tell is missing, and no reason to tell nothing.
//   - A run directory that is gone is no run. One that only can be read is as good as an own one.
//   - Schedulers are asked for runs without a verdict, for those whose servers were kept, and for the servers of those
//     that were started by hand; several at a time, each with a bound.
package catalog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs"
)

// Catalog is where runs are looked for.
type Catalog struct {
	Index rundir.Index
	// Places are folders in which run directories lie that the index may not have: another user's, or one of by hand.
	Places []string
}

// Here is the catalog of who works in a folder: the index, and the run directories in it and below its runs/.
func Here(index rundir.Index, folder string) Catalog {
	below := filepath.Join(folder, "runs")
	places := []string{folder, below}
	for _, e := range entriesOf(below) { // the folders of lists, and of series
		if dir := filepath.Join(below, e.Name()); e.IsDir() && !isRun(dir) {
			places = append(places, dir)
		}
	}
	return Catalog{Index: index, Places: places}
}

// Runs lists the runs that are still there, the newest first, each once.
func (c Catalog) Runs() ([]protocol.KnownRun, error) {
	listed, err := c.Index.Runs()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	known := slices.DeleteFunc(listed, func(k protocol.KnownRun) bool {
		again := seen[k.Dir]
		seen[k.Dir] = true
		return again || !isRun(k.Dir)
	})
	for _, place := range c.Places {
		for _, e := range entriesOf(place) {
			dir := filepath.Join(place, e.Name())
			if seen[dir] || !isRun(dir) {
				continue
			}
			seen[dir] = true
			if k, ok := identify(dir); ok {
				known = append(known, k)
			}
		}
	}
	slices.SortStableFunc(known, func(a, b protocol.KnownRun) int { return b.At.Compare(a.At) })
	return known, nil
}

// identify reads what a run directory that is not in the index is called by.
func identify(dir string) (k protocol.KnownRun, ok bool) {
	p, err := rundir.ReadPlan(rundir.Dir(dir).Plan())
	if err != nil {
		return k, false
	}
	k = protocol.KnownRun{At: p.CreatedAt, ID: p.ID, Dir: dir, Case: p.Case.Name}
	if s, err := rundir.ReadSubmission(rundir.Dir(dir)); err == nil {
		k.At, k.Job = s.At, s.JobID
	}
	return k, true
}

// Find finds the folder that a name means: a folder is meant if there is one, else see [runs.Match].
func (c Catalog) Find(name string) (dir string, err error) {
	if info, err := os.Stat(name); name != "" && err == nil && info.IsDir() {
		return name, nil
	}
	if strings.ContainsRune(name, filepath.Separator) {
		return name, nil // whoever reads it says that it is not there
	}
	known, err := c.Runs()
	if err != nil {
		return "", err
	}
	k, err := runs.Match(name, known)
	return k.Dir, err
}

func isRun(dir string) bool {
	_, err := os.Stat(rundir.Dir(dir).Plan())
	return err == nil
}

func entriesOf(dir string) []os.DirEntry {
	entries, _ := os.ReadDir(dir)
	return entries
}
