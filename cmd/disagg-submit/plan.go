package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// planCommand prints what would run where.
func planCommand() *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "print what would run where; nothing is written",
		ArgsUsage: "CASE… | --testlist LIST",
		Description: `Nodes are counted from 1, in the order in which the job gets them. What the command line says in
the place of profile, recipe or case is told.

  disagg-submit plan --trtllm-dir ~/TensorRT-LLM --profile my-cluster.yaml disagg_upload-e2e-CONFIG
  disagg-submit plan --commands examples/cases/CASE.yaml`,
		Flags: slices.Concat(caseFlags(), listFlags(), []cli.Flag{
			varyFlag(),
			&cli.BoolFlag{Name: "json", Usage: "print JSON, with upstream's keys and the roles"},
			&cli.BoolFlag{
				Name: "commands", Usage: "print what each role runs, too: variables, folder and command line",
			},
			&cli.IntFlag{Name: "check-nodes", Usage: "exit with 1 unless the case needs `N` nodes"},
		}),
		Action: func(c *cli.Context) error {
			if c.Bool("commands") && (c.Bool("json") || several(c)) {
				return errors.New("cannot print commands (--commands) so: pass one CASE, without --json")
			}
			if several(c) {
				return planSeveral(c)
			}
			if err := withoutList(c); err != nil {
				return err
			}
			job, err := makeJob(c.Context, c, nil)
			if err != nil {
				return err
			}
			s := summarize(job.Plan)
			if c.Bool("json") {
				err = printJSON(c.App.Writer, s)
			} else {
				err = printPlan(c.App.Writer, job)
			}
			if err == nil && c.Bool("commands") {
				err = printCommands(c.App.Writer, job)
			}
			if err != nil {
				return err
			}
			if want := c.Int("check-nodes"); c.IsSet("check-nodes") && want != s.TotalNodes {
				return command.Exit(protocol.ExitFailed,
					fmt.Errorf("the case needs %d %s, not %d", s.TotalNodes,
						plural(s.TotalNodes, "node", "nodes"), want))
			}
			return nil
		},
	}
}

// summary has upstream's keys, and the roles.
type summary struct {
	NumCtxServers int               `json:"num_ctx_servers"`
	NumGenServers int               `json:"num_gen_servers"`
	CtxWorldSize  int               `json:"ctx_world_size"`
	GenWorldSize  int               `json:"gen_world_size"`
	CtxNodes      int               `json:"ctx_nodes"`
	GenNodes      int               `json:"gen_nodes"`
	TotalNodes    int               `json:"total_nodes"`
	TotalGPUs     int               `json:"total_gpus"` // asked for
	UsedGPUs      int               `json:"used_gpus"`
	GPUsPerNode   int               `json:"gpus_per_node"`
	TestID        string            `json:"test_id"`
	Origin        roles.Origin      `json:"origin"`
	Model         []string          `json:"model"` // where it may be
	Recipe        string            `json:"recipe"`
	Settings      []roles.Setting   `json:"settings,omitempty"`
	Notes         []string          `json:"notes,omitempty"`
	Roles         []roles.Placement `json:"roles"`
}

func summarize(p plan.Plan) summary {
	gen, ctx := p.Case.Servers[roles.Gen], p.Case.Servers[roles.Ctx]
	nodes := func(k roles.Kind) int {
		used := map[int]bool{}
		for _, pl := range p.Layout.OfKind(k) {
			for i := range pl.Nodes {
				used[pl.FirstNode+i] = true
			}
		}
		return len(used)
	}
	return summary{
		NumCtxServers: ctx.Count, NumGenServers: gen.Count, CtxWorldSize: ctx.GPUs, GenWorldSize: gen.GPUs,
		CtxNodes: nodes(roles.Ctx), GenNodes: nodes(roles.Gen), TotalNodes: p.Layout.TotalNodes,
		TotalGPUs: p.Layout.TotalGPUs(), UsedGPUs: p.Provenance.UsedGPUs, GPUsPerNode: p.Layout.GPUsPerNode,
		TestID: p.Case.TestID, Origin: p.Case.Origin, Model: p.ModelFolders(), Recipe: p.Recipe.Name,
		Settings: p.Case.Settings, Notes: p.Case.Notes, Roles: p.Layout.Placements,
	}
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
