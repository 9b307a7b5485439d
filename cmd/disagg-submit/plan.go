package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

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
		Flags: slices.Concat(caseFlags(), listFlags(), []cli.Flag{
			varyFlag(),
			&cli.BoolFlag{Name: "json", Usage: "print JSON, with upstream's keys and the roles"},
			&cli.IntFlag{Name: "check-nodes", Usage: "exit with 1 unless the case needs `N` nodes"},
		}),
		Action: func(c *cli.Context) error {
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
				err = printLayout(c.App.Writer, job.Plan)
			}
			if err != nil {
				return err
			}
			if want := c.Int("check-nodes"); c.IsSet("check-nodes") && want != s.TotalNodes {
				return command.Exit(protocol.ExitFailed,
					fmt.Errorf("the case needs %d nodes, not %d", s.TotalNodes, want))
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
	TotalGPUs     int               `json:"total_gpus"`
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
		TotalGPUs: p.Layout.TotalGPUs(), GPUsPerNode: p.Layout.GPUsPerNode, TestID: p.Case.TestID,
		Origin: p.Case.Origin, Model: p.ModelFolders(), Recipe: p.Recipe.Name, Settings: p.Case.Settings,
		Notes: p.Case.Notes, Roles: p.Layout.Placements,
	}
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printLayout(out io.Writer, p plan.Plan) error {
	fmt.Fprintf(out, "%s\nof %s\n%d nodes of %d GPUs, recipe %s, %d points\n", p.Case.TestID, p.Case.Origin.Path,
		p.Layout.TotalNodes, p.Layout.GPUsPerNode, p.Recipe.Name, len(p.Case.Load.Points()))
	if dirs := p.ModelFolders(); len(dirs) > 0 {
		fmt.Fprintf(out, "model %s\n", strings.Join(dirs, ", or "))
	}
	for _, s := range p.Case.Settings {
		fmt.Fprintf(out, "with %s\n", s)
	}
	for _, note := range p.Case.Notes {
		fmt.Fprintf(out, "note: %s\n", note)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROLE\tNODES\tRANKS\tGPUS")
	for _, pl := range p.Layout.Placements {
		nodes := fmt.Sprintf("%d", pl.FirstNode)
		if pl.Nodes > 1 {
			nodes += fmt.Sprintf("-%d", pl.FirstNode+pl.Nodes-1)
		}
		gpus := fmt.Sprint(pl.GPUs)
		if p.Layout.Packed && pl.Role.Kind.Worker() && pl.Nodes == 1 {
			gpus += fmt.Sprintf(" (%d-%d)", pl.FirstGPU, pl.FirstGPU+pl.GPUs-1)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", pl.Role, nodes, pl.Ranks, gpus)
	}
	return w.Flush()
}
