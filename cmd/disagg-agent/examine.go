package main

import (
	"fmt"
	"os"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/agent"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/version"
)

// examineCommand looks at this node for a plan.
func examineCommand() *cli.Command {
	return &cli.Command{
		Name:  "examine",
		Usage: "look at this node for a plan, and print what is found",
		Description: `disagg-submit doctor --nodes does this.

  disagg-agent examine --plan runs/RUN/plan.json --id ID
  srun --nodes 2 disagg-agent examine --plan runs/RUN/plan.json --id ID --nodes 2`,
		Flags: []cli.Flag{
			planFlag(),
			&cli.StringFlag{Name: "id", Usage: "`ID` that the plan must have"},
			&cli.IntFlag{Name: "nodes", Value: 1, Usage: "`N` nodes that are looked at together"},
		},
		Action: examine,
	}
}

func examine(c *cli.Context) error {
	file, err := command.Value(c, "plan")
	if err != nil {
		return err
	}
	id, err := command.Value(c, "id")
	if err != nil {
		return err
	}
	node, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("cannot read the host's name: %w", err)
	}
	ctx, stop := command.UntilSignal(c.Context, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	x := agent.Examiner{
		PlanFile: file, PlanID: id, Nodes: c.Int("nodes"), Node: node,
		Version: version.Text(), Environ: os.Environ(),
		Identify: func(p plan.Plan) (scheduler.Identity, error) { return visitor(p, c.Int("nodes")) },
	}
	x.LauncherVars.Patterns, x.LauncherVars.Kept = launch.TaskVars()
	e, err := x.Run(ctx)
	if err != nil {
		return command.Exit(protocol.ExitInternal, err)
	}
	lines, err := e.Lines()
	if err != nil {
		return command.Exit(protocol.ExitInternal, err)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(c.App.Writer, line); err != nil {
			return err
		}
	}
	return nil
}

// visitor is who this task of a visit is: one per node.
func visitor(p plan.Plan, nodes int) (scheduler.Identity, error) {
	s, err := launch.SchedulerNamed(p.Launcher)
	if err != nil {
		return scheduler.Identity{}, err
	}
	return s.Identify(os.Getenv, roles.Placement{Role: roles.Hub().Role, Nodes: nodes, Ranks: nodes, RanksPerNode: 1})
}
