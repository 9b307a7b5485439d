package launch

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Rerun is the plan of an earlier run once more, with nothing changed but its name, its time and its run directory ("":
// a new one below runs/).
func Rerun(earlier rundir.Dir, runDir, version string, s scheduler.Scheduler) (Job, error) {
	p, err := rundir.ReadPlan(earlier.Plan())
	if err != nil {
		return Job{}, fmt.Errorf("cannot run %s again: it is not a run directory, or not yours: %w", earlier, err)
	}
	switch {
	case p.Policy.Interactive:
		err = errors.New("its roles were started by hand")
	case p.Series != nil:
		err = errors.New("it is a part of several runs")
	}
	if err != nil {
		return Job{}, fmt.Errorf("cannot run %s again: %w", earlier, err)
	}
	kept, err := rundir.ReadRegular(filepath.Join(string(earlier), "case", filepath.Base(p.Case.File)))
	if err != nil {
		return Job{}, fmt.Errorf("cannot run %s again: %w", earlier, err)
	}
	r := Request{RunDir: runDir, Version: version, Scheduler: s}
	p.ID, p.CreatedAt, p.Tool = uuid.NewString(), time.Now().UTC(), version
	if p.RunDir, err = r.runDir(filepath.Dir(p.RunDir), folderName(p.Case.Name, p.CreatedAt, p.ID)); err != nil {
		return Job{}, err
	}
	p.Case.File = filepath.Join(p.RunDir, "case", filepath.Base(p.Case.File))
	p.Provenance.RunDir, p.Provenance.Tool = p.RunDir, version
	return Job{Plan: p, Kept: kept, Scheduler: s, Request: r}, nil
}
