package main

import (
	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/version"
)

func app() *cli.App {
	a := &cli.App{
		Name:    "disagg-submit",
		Usage:   "plan, submit and watch disaggregated serving tests",
		Version: version.Text(),
		Description: `CASE is a YAML path, a config's base name, a test id, or a line of a test list.
Flags may stand before or after it.
RUN is a run directory, the id of a job or of a run, or a part of a run's name; without it, where that is
allowed, the newest run is meant.

Exit codes: 0 passed; 1 a role or the test failed; 3 the test passed, but --gate found it worse than
earlier runs; 64 usage or
configuration; 69 the scheduler refused, or cannot be reached, and there is no job; 70 disagg-submit or
disagg-agent itself failed; 75 left, the
job goes on, or uploads are pending; 124 a deadline or the time limit; 130 cancelled.

  disagg-submit run --profile my-cluster.yaml --trtllm-dir ~/TensorRT-LLM CASE.yaml
  disagg-submit help run`,
		Commands: []*cli.Command{
			planCommand(), renderCommand(), runCommand(), watchCommand(), statusCommand(), logsCommand(),
			cancelCommand(), benchCommand(), restartCommand(), stopCommand(), runsCommand(), reportCommand(),
			exportCommand(), uploadCommand(), judgeCommand(), compareCommand(), stepsCommand(), doctorCommand(),
			profileCommand(),
		},
		Action: command.Unknown,
	}
	command.Complete(a, completions)
	return a
}
