package slurm_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/disagg/disagg/pkg/slurm"
)

// pretend puts a command of Slurm's into the way that prints or says something.
func pretend(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// What Slurm prints is read as it is meant, and what it refuses is told with its own words.
func TestSubmit(t *testing.T) {
	pretend(t, "sbatch", `[ "$2" != bad ] || { echo "sbatch: error: no such partition" >&2; exit 1; }; echo "17;east"`)
	if id, err := (slurm.Client{}).Submit(t.Context(), "", "good"); id != "17" || err != nil {
		t.Errorf("job %q, %v", id, err)
	}
	if _, err := (slurm.Client{}).Submit(t.Context(), "", "bad"); !errors.Is(err, slurm.ErrAway) {
		t.Errorf("%v", err)
	}
	pretend(t, "sbatch", "echo Submitted")
	if _, err := (slurm.Client{}).Submit(t.Context(), "", "odd"); !errors.Is(err, slurm.ErrAway) {
		t.Errorf("%v", err)
	}
}

// A job's end is what the queue, or else accounting, still knows of it; without a verdict it is never success.
func TestJobStates(t *testing.T) {
	tests := map[string]struct {
		squeue, sacct string
		ended         bool
		state         string
		code          int
	}{
		"it waits":             {`echo "PENDING|Resources"`, "", false, "PENDING", 1},
		"it is requeued":       {`echo "REQUEUED|None"`, "", false, "REQUEUED", 1},
		"it was cancelled":     {`echo "CANCELLED|None"`, "", true, "CANCELLED", 130},
		"its time was over":    {`echo "TIMEOUT|TimeLimit"`, "", true, "TIMEOUT", 124},
		"it seems well":        {`echo "COMPLETED|None"`, "", true, "COMPLETED", 1},
		"the queue forgot it":  {`echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1`, `echo "CANCELLED by 1000"`, true, "CANCELLED", 130},
		"everybody forgot it":  {`exit 0`, `exit 0`, true, "", 1},
		"nobody keeps account": {`exit 0`, `echo "Slurm accounting storage is disabled" >&2; exit 1`, true, "", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pretend(t, "squeue", tt.squeue)
			pretend(t, "sacct", tt.sacct)
			s, err := slurm.Client{}.InQueue(t.Context(), "17")
			if err != nil || s.Ended() != tt.ended {
				t.Fatalf("%+v, %v", s, err)
			}
			if s.State == "" {
				if s, err = (slurm.Client{}).Accounted(t.Context(), "17"); err != nil {
					t.Fatal(err)
				}
			}
			if s.State != tt.state || s.ExitCode() != tt.code {
				t.Errorf("state %q, code %d", s.State, s.ExitCode())
			}
		})
	}
	pretend(t, "squeue", `echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1`)
	if _, err := (slurm.Client{}).InQueue(t.Context(), "17"); !errors.Is(err, slurm.ErrAway) {
		t.Errorf("%v", err)
	}
}
