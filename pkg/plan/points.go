package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// Want is what the case asks for in one point, by its index.
func (p Plan) Want(index int) results.Want {
	load := p.Case.Load
	w := results.Want{Index: index, Concurrency: load.Concurrency[index], StepTime: load.StepTime}
	w.Requests = w.Concurrency * load.Of(index).Rounds
	return w
}

// PointFiles are the files that the client leaves its results in, one a point, for the folders of an attempt's hub.
// There are none if the recipe measures nothing.
func (p Plan) PointFiles(runID string, dirs recipe.Dirs) (files []string, err error) {
	hub := roles.Hub().Role
	spec := p.Spec(hub).Results
	if spec == nil {
		return nil, nil
	}
	data := p.Data(hub)
	data.RunID, data.Dirs = runID, dirs
	pattern, err := recipe.Render("results.files", spec.Files, data)
	if err != nil {
		return nil, fmt.Errorf("cannot tell where the client's results are: %w", err)
	}
	for i := range p.Case.Load.Points() {
		files = append(files, PointFile(pattern, i))
	}
	return files, nil
}

// indexMark stands for a point's index in the pattern of the client's files.
const indexMark = "{index}"

// pointsApart checks that each of several points has a file of its own: a number in a file for all of them could count
// for each.
func (p Plan) pointsApart(r roles.Role) error {
	n, spec := len(p.Case.Load.Points()), p.Spec(r).Results
	if r == roles.Hub().Role && spec != nil && n > 1 && !strings.Contains(spec.Files, indexMark) {
		return fmt.Errorf("results.files: %q has no %s: the case has %d points, and each needs a file of its own",
			spec.Files, indexMark, n)
	}
	return nil
}

// PointFile is the file of one point, by the pattern that a recipe gives. The index stands where the last mark is: a
// folder's name may look like one.
func PointFile(pattern string, index int) string {
	at := strings.LastIndex(pattern, indexMark)
	if at < 0 {
		return pattern
	}
	return pattern[:at] + strconv.Itoa(index) + pattern[at+len(indexMark):]
}
