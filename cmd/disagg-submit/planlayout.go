package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/disagg/disagg/cmd/internal/caseflags"
	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
)

// printPlan prints what would run where, for people.
func printPlan(out io.Writer, job launch.Job) error {
	p := job.Plan
	fmt.Fprintln(out, p.Case.TestID)
	say := func(label, format string, args ...any) {
		fmt.Fprintf(out, "%-8s %s\n", label+":", fmt.Sprintf(format, args...))
	}
	say("case", "%s", command.ShortPath(p.Case.Origin.Path))
	say("needs", "%s: %d asked for, %d used", nodesOf(p.Layout), p.Provenance.AskedGPUs, p.Provenance.UsedGPUs)
	say("recipe", "%s, with profile %s", p.Recipe.Name, p.Cluster.Name)
	say("model", "%s", modelPlace(p))
	say("points", "%s", pointsOf(p.Case.Load))
	say("limits", "%s", limitsOf(p.Timeouts))
	overrides, err := job.Overrides()
	if err != nil {
		return err
	}
	for _, o := range overrides {
		say("given", "%s", o)
	}
	for _, note := range p.Case.Notes {
		say("note", "%s", note)
	}
	fmt.Fprintln(out)
	return printLayout(out, p.Layout)
}

// nodesOf is what the job asks for: 3 nodes of 4 GPUs.
func nodesOf(l roles.Layout) string {
	return fmt.Sprintf("%d %s of %d %s", l.TotalNodes, plural(l.TotalNodes, "node", "nodes"), l.GPUsPerNode,
		plural(l.GPUsPerNode, "GPU", "GPUs"))
}

// modelPlace is where the engine will look for the model.
func modelPlace(p plan.Plan) string {
	if dirs := p.ModelFolders(); len(dirs) > 0 {
		return strings.Join(dirs, ", or ")
	}
	return cmp.Or(p.Case.Model, "none") + ", by its bare name: the profile has no models_root"
}

// pointsOf is what is measured.
func pointsOf(l roles.Load) string {
	list := l.Points()
	if len(list) == 0 {
		return "none: accuracy alone"
	}
	var at []string
	for _, concurrency := range list {
		at = append(at, fmt.Sprint(concurrency))
	}
	text := fmt.Sprintf("%d %s, at concurrency %s", len(list), plural(len(list), "point", "points"),
		strings.Join(at, ", "))
	if len(l.Each) > 0 {
		return text + "; their loads differ"
	}
	return fmt.Sprintf("%s; %d tokens in, %d out, %d %s", text, l.InputLength, l.OutputLength, l.Rounds,
		plural(l.Rounds, "round", "rounds"))
}

// limitsOf are the limits that a run may meet.
func limitsOf(t roles.Timeouts) string {
	return fmt.Sprintf("job %s; servers ready within %s, then the benchmark within %s", t.Job.Clock(), t.Ready.Clock(),
		t.Benchmark.Clock())
}

// printLayout prints where each role runs. The nodes of a job are counted from 1.
func printLayout(out io.Writer, l roles.Layout) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROLE\tNODES\tWHICH\tRANKS\tGPUS")
	for _, pl := range l.Placements {
		which := fmt.Sprintf("node %d", pl.FirstNode+1)
		if pl.Nodes > 1 {
			which = fmt.Sprintf("nodes %d-%d", pl.FirstNode+1, pl.FirstNode+pl.Nodes)
		}
		gpus := fmt.Sprint(pl.GPUs)
		if l.Packed && pl.Role.Kind.Worker() && pl.Nodes == 1 {
			gpus += fmt.Sprintf(" (%d-%d)", pl.FirstGPU, pl.FirstGPU+pl.GPUs-1)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%s\n", pl.Role, pl.Nodes, which, pl.Ranks, gpus)
	}
	return w.Flush()
}

// printCommands prints what the first rank of a role of each kind would run. The others of a kind differ in their
// number, and in addresses.
func printCommands(out io.Writer, job launch.Job) error {
	var last roles.Kind
	for _, pl := range job.Plan.Layout.Placements {
		if pl.Role.Kind == last {
			continue
		}
		last = pl.Role.Kind
		child, err := job.Preview(pl.Role, os.Environ())
		if err != nil {
			return fmt.Errorf("cannot tell what %s runs: %w", pl.Role, err)
		}
		more := ""
		if n := len(job.Plan.Layout.OfKind(last)); n > 1 {
			more = fmt.Sprintf(", and %d like it", n-1)
		}
		fmt.Fprintf(out, "\n# %s.0%s\n", pl.Role, more)
		if err := caseflags.PrintChild(out, child, os.Environ()); err != nil {
			return err
		}
	}
	return nil
}
