package main

import (
	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/caseflags"
	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/version"
)

func app() *cli.App {
	a := &cli.App{
		Name:    "disagg-agent",
		Usage:   "run one rank of one role, inside a Slurm step or by hand in an allocation",
		Version: version.Text(),
		Description: `Inside a step it is the task: its role and plan come from the environment.
In an allocation's shell, "disagg-agent --role GEN_0 --config CASE.yaml" makes the plan from this allocation, starts
the role's srun and joins the allocation's run. Roles may be started in any order; Ctrl-C stops one.

Exit codes: 0 done; 1 stopped because of a peer or on request; 2-63 the child's own; 64 usage or configuration;
70 a fault of the agent; 124 a deadline; 125, 126, 127 the child was never started, not executable, not found;
128+n killed by signal n.

  disagg-agent --role GEN_0 --config CASE.yaml --trtllm-dir ~/TensorRT-LLM --profile my-cluster.yaml
  disagg-agent --role all --config CASE.yaml --launcher local`,
		Flags:    runFlags(),
		Commands: []*cli.Command{batchCommand(), installCommand(), examineCommand(), guardCommand()},
		Action:   runRole,
	}
	command.Complete(a, completions)
	return a
}

// completions are the values that a shell can offer.
func completions() command.Completions {
	c := caseflags.Completions()
	c["role"] = command.OneOf("GEN_0", "CTX_0", "DISAGG_SERVER", "BENCHMARK", "all")
	return c
}
