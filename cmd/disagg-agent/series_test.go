package main

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/disagg/disagg/pkg/batch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// A job that the scheduler starts again makes those runs of its series that have not passed, and ends as they do.
func TestRequeuedSeries(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	passed := `{"schema":1,"verdict":"passed","exit_code":0,"run_id":"a-0"}`
	for verdict, again := range map[string]bool{
		passed: false,
		`{"schema":1,"verdict":"failed","exit_code":1,"run_id":"b-0",` +
			`"first_cause":{"role":"GEN_0","rank":0,"kind":"host_lost","detail":"x"}}`: true,
	} {
		var plans []plan.Plan
		for i, d := range dirs {
			p := plan.Plan{
				Schema: 1, ID: string(rune('a' + i)), RunDir: d, Case: roles.Case{Name: "c", TestID: "t"},
			}
			if i == 0 {
				p.Series = &plan.Series{Runs: dirs[1:]}
			}
			plans = append(plans, p)
			a := rundir.Dir(d).Attempt(0)
			_ = os.RemoveAll(string(a))
			_, err := rundir.OpenAttempt(a, "t")
			must(t, err)
			must(t, rundir.SetCurrent(rundir.Dir(d), 0))
			data, err := json.Marshal(p)
			must(t, err)
			must(t, os.WriteFile(rundir.Dir(d).Plan(), data, 0o600))
		}
		must(t, os.WriteFile(rundir.Dir(dirs[0]).Attempt(0).Result(), []byte(passed), 0o600))
		must(t, os.WriteFile(rundir.Dir(dirs[1]).Attempt(0).Result(), []byte(verdict), 0o600))
		var made []string
		run := func(_ context.Context, o batch.Options) (int, error) {
			made = append(made, o.Plan.ID)
			return protocol.ExitFailed, nil
		}
		code := runSeries(t.Context(), batch.Options{Plan: plans[0], Attempt: 1, Say: func(string) {}}, run)
		if again != slices.Equal(made, []string{"b"}) || again != (code == protocol.ExitFailed) {
			t.Errorf("%s: made again %v, and ends with %d", verdict, made, code)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
