package golden

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"mvdan.cc/sh/v3/syntax"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler/slurm"
)

// describe is the text of a golden file: all that a case leads to. What a recipe refuses is part of it; any other fault
// is an error, and so is a case that the standard recipe refuses.
func (p *planner) describe(ctx context.Context, file string) (string, error) {
	b := &strings.Builder{}
	job, err := p.job(ctx, file, way{recipe: standard, checkout: sim}, "default")
	if err != nil {
		return "", err
	}
	writeLayout(b, job)
	for _, w := range ways() {
		if err := p.writeRecipe(ctx, b, file, w); err != nil {
			return "", fmt.Errorf("recipe %s: %w", w.recipe, err)
		}
	}
	for _, name := range profiles {
		job, err := p.job(ctx, file, way{recipe: standard, checkout: sim}, name)
		if err == nil {
			err = writeProfile(b, name, job.Plan)
		}
		if err != nil {
			return "", fmt.Errorf("profile %s: %w", name, err)
		}
	}
	return p.stable(b.String()), nil
}

// writeLayout writes what is measured, and what runs where.
func writeLayout(b *strings.Builder, job launch.Job) {
	c, l := job.Plan.Case, job.Plan.Layout
	fmt.Fprintf(b, "== layout\n%s\n", c.TestID)
	fmt.Fprintf(b, "model %s, in %s\n", c.Model, strings.Join(c.ModelDirs, " or "))
	fmt.Fprintf(b, "on %s, recipe %s, at most %v\n", strings.Join(c.SupportedGPUs, " or "), job.Plan.Recipe.Name,
		job.Plan.Timeouts.Job)
	writeLoad(b, c.Load)
	for _, note := range c.Notes {
		fmt.Fprintf(b, "note: %s\n", note)
	}
	fmt.Fprintf(b, "%d nodes of %d GPUs\n", l.TotalNodes, l.GPUsPerNode)
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROLE\tNODES\tRANKS\tA NODE\tGPUS")
	for _, pl := range l.Placements {
		nodes := strconv.Itoa(pl.FirstNode)
		if pl.Nodes > 1 {
			nodes += fmt.Sprintf("-%d", pl.FirstNode+pl.Nodes-1)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\n", pl.Role, nodes, pl.Ranks, pl.RanksPerNode, pl.GPUs)
	}
	_ = w.Flush() // into memory
}

func writeLoad(b *strings.Builder, l roles.Load) {
	what := "random requests"
	if l.Dataset != "" {
		what = "requests of " + l.Dataset
	}
	if l.Streaming {
		what += ", streamed"
	}
	if l.Client != "" {
		what += ", client " + l.Client
	}
	if l.StepTime {
		what += ", with the time of a decode step"
	}
	fmt.Fprintf(b, "%s, %d to %d tokens, ratio %v\n", what, l.InputLength, l.OutputLength, l.RangeRatio)
	for i, n := range l.Points() {
		fmt.Fprintf(b, "point %d: concurrency %d, %d requests\n", i, n, n*l.Of(i).Rounds)
	}
}

// writeRecipe writes what each kind of role gets of a recipe.
func (p *planner) writeRecipe(ctx context.Context, b *strings.Builder, file string, w way) error {
	job, err := p.job(ctx, file, w, profiles[0])
	_, refused := errors.AsType[recipe.Refusal](err)
	switch {
	case refused || err != nil && strings.HasPrefix(err.Error(), "cannot run "):
		fmt.Fprintf(b, "\n== recipe %s: refused: %v\n", w.recipe, err)
		return nil
	case err != nil:
		return err
	case job.Plan.Recipe.Name != w.recipe:
		fmt.Fprintf(b, "\n== recipe %s: handed to another: %s\n", w.recipe, handedOver(job.Plan))
		return nil
	}
	for _, pl := range leaders(job.Plan) {
		out, err := render(job.Plan, pl)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "\n== recipe %s: %s", w.recipe, pl.Role)
		if w.mode != "" {
			fmt.Fprintf(b, ", %s", w.mode)
		}
		fmt.Fprintln(b)
		if err := out.write(b); err != nil {
			return err
		}
	}
	return nil
}

// handedOver is the note that says why another recipe is taken.
func handedOver(p plan.Plan) string {
	i := slices.IndexFunc(p.Case.Notes, func(n string) bool { return strings.HasPrefix(n, "recipe "+p.Recipe.Name) })
	if i < 0 {
		return "nobody says why"
	}
	return p.Case.Notes[i]
}

func (r process) write(b *strings.Builder) error {
	command, err := shellLine(r.argv)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "in %s\n$ %s\n", r.dir, command)
	for _, kv := range r.set {
		fmt.Fprintf(b, "%s\n", kv)
	}
	if len(r.removed) > 0 {
		fmt.Fprintf(b, "without %s\n", strings.Join(r.removed, " "))
	}
	for _, f := range r.files {
		if f.from != "" {
			fmt.Fprintf(b, "file %s: a copy of %s\n", f.name, f.from)
			continue
		}
		fmt.Fprintf(b, "file %s:\n", f.name)
		for line := range strings.Lines(f.text) {
			fmt.Fprintf(b, "    %s", line)
		}
	}
	return nil
}

// writeProfile writes what is asked of Slurm, and what the profile does to the variables of decode.
func writeProfile(b *strings.Builder, name string, p plan.Plan) error {
	fmt.Fprintf(b, "\n== profile %s\n", name)
	script, err := slurm.Slurm{}.Script(p)
	if err != nil {
		return err
	}
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "#SBATCH ") {
			b.WriteString(line)
		}
	}
	for _, pl := range leaders(p) {
		steps, err := slurm.Slurm{Environ: []string{"SLURM_JOB_ID=JOB"}}.Steps(p, pl.Role, nil)
		if err != nil {
			return err
		}
		for _, s := range steps {
			line, err := shellLine(s.Args)
			if err != nil {
				return err
			}
			fmt.Fprintf(b, "$ %s\n", line)
		}
	}
	return writeClusterEnv(b, p)
}

// writeClusterEnv writes what a profile sets, and takes away, in the environment of the first worker.
func writeClusterEnv(b *strings.Builder, p plan.Plan) error {
	pl := p.Layout.Placements[0]
	set, removed, err := environment(p, madeUp(p, pl))
	if err != nil {
		return err
	}
	set = slices.DeleteFunc(set, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		_, ofCluster := p.Cluster.Env[name]
		return !ofCluster
	})
	for _, kv := range set {
		fmt.Fprintf(b, "%s of %s\n", kv, pl.Role)
	}
	if len(removed) > 0 {
		fmt.Fprintf(b, "%s without %s\n", pl.Role, strings.Join(removed, " "))
	}
	return nil
}

// needsQuotes matches what a shell would not take as it is.
var needsQuotes = regexp.MustCompile(`[^-\w.,:/=@%+]|^$`)

// shellLine is a command as one would type it.
func shellLine(argv []string) (string, error) {
	quoted := slices.Clone(argv)
	for i, a := range argv {
		if !needsQuotes.MatchString(a) {
			continue
		}
		var err error
		if quoted[i], err = syntax.Quote(a, syntax.LangBash); err != nil {
			return "", fmt.Errorf("cannot quote %q: %w", a, err)
		}
	}
	return strings.Join(quoted, " "), nil
}
