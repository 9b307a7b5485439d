package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler/slurm"
)

// renderCommand writes plan and batch script, and submits nothing.
func renderCommand() *cli.Command {
	return &cli.Command{
		Name:      "render",
		Usage:     "write plan.json and job.sbatch into the run directory; submit nothing",
		ArgsUsage: "CASE",
		Description: `Both are for people to read, and for sbatch. They stay where they are; what a run leaves is in the
same folder.

  disagg-submit render --profile my-cluster.yaml --trtllm-dir ~/TensorRT-LLM CASE.yaml
  disagg-submit render CASE.yaml --run-dir runs/try --trtllm-dir ~/TensorRT-LLM && sbatch runs/try/job.sbatch`,
		Flags: caseFlags(),
		Action: func(c *cli.Context) error {
			job, err := makeJob(c.Context, c, slurm.Slurm{})
			if err != nil {
				return err
			}
			return render(c, job)
		},
	}
}

func render(c *cli.Context, job launch.Job) error {
	if err := job.Prepare(); err != nil {
		return err
	}
	d := rundir.Dir(job.Plan.RunDir)
	fmt.Fprintf(c.App.Writer, "%s\n%s\n", command.ShortPath(d.Plan()), command.ShortPath(d.Script()))
	return nil
}
