package rundir

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
)

// nodes is the folder in which nodes that are examined tell each other where they listen.
func (d Dir) nodes() string { return filepath.Join(string(d), "nodes") }

// PublishVisitor tells the other nodes of this one. What it said before is replaced.
func PublishVisitor(d Dir, v protocol.Visitor) error {
	v.Schema = 1
	data, err := json.Marshal(v)
	if err == nil {
		err = ownFolder(d.nodes())
	}
	if err == nil {
		err = atomicfile.Show(filepath.Join(d.nodes(), plan.Plain(v.Node)+".json"), append(data, '\n'), sharedMode)
	}
	if err != nil {
		return fmt.Errorf("cannot tell the other nodes of %s: %w", v.Node, err)
	}
	return nil
}

// Visitors are the nodes that have told of themselves.
func Visitors(d Dir) (list []protocol.Visitor) {
	for _, file := range filesIn(d.nodes(), "", ".json") {
		var v protocol.Visitor
		if readJSON(file, &v, &v.Schema) == nil {
			list = append(list, v)
		}
	}
	return list
}

// RemoveVisit removes the run directory of a visit. One that holds another plan, or a run, is left alone.
func RemoveVisit(p plan.Plan) error {
	d := Dir(p.RunDir)
	there, err := ReadOwnPlan(d.Plan())
	if err != nil {
		return fmt.Errorf("cannot remove the visit's folder: %w", err)
	}
	if _, err := os.Lstat(d.Current()); err == nil || there.ID != p.ID {
		return fmt.Errorf("cannot remove the visit's folder: %s holds a run", d)
	}
	return os.RemoveAll(string(d))
}
