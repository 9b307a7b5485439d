package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs"
	"github.com/disagg/disagg/pkg/runs/catalog"
)

// showEndpoints prints where the agents of a run answer /status and /metrics, for Prometheus (file_sd), and says on
// stderr where the key is. Of a run that has not begun, or is over, there are none.
func showEndpoints(c *cli.Context) error {
	dir, err := oneRun(c)
	if err != nil {
		return err
	}
	a := catalog.AttemptOf(dir)
	p, err := rundir.ReadPlan(a.Dir().Plan())
	if err != nil {
		return err
	}
	if !p.Cluster.Endpoints {
		return fmt.Errorf("cannot list endpoints: the agents of %s have none: start a run with --endpoints, or say "+
			"endpoints: true in the profile", command.ShortPath(dir))
	}
	result, err := rundir.ReadResult(a)
	if over := err == nil && !result.Kept; over {
		return printJSON(c.App.Writer, []runs.Target{})
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	targets := runs.Targets(p, rundir.PublishedIn(a))
	if err := printJSON(c.App.Writer, targets); err != nil || len(targets) == 0 {
		return err
	}
	key, err := filepath.Abs(a.StatusKey())
	if err != nil {
		return fmt.Errorf("cannot tell where the key is: %w", err)
	}
	fmt.Fprintf(c.App.ErrWriter, "disagg-submit: the key, which only you can read, is in %s: name that file as "+
		"authorization.credentials_file to Prometheus, or send the key as a bearer key\n", key)
	return nil
}
