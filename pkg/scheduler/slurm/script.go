package slurm

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
)

//go:embed job.sbatch.tmpl
var scriptTemplate string

// quote quotes a text for bash.
func quote(s string) (string, error) {
	q, err := syntax.Quote(s, syntax.LangBash)
	if err != nil {
		return "", fmt.Errorf("cannot quote %q for a shell: %w", s, err)
	}
	return q, nil
}

// Script renders the batch script of a plan. It is small on purpose: what needs judgement is done by the agent.
func (Slurm) Script(p plan.Plan) (string, error) {
	t, err := template.New("job.sbatch").Funcs(template.FuncMap{"q": quote}).Parse(scriptTemplate)
	if err != nil {
		return "", fmt.Errorf("cannot render batch script: %w", err)
	}
	if err := checkArgs(p); err != nil {
		return "", fmt.Errorf("cannot render batch script: %w", err)
	}
	options, err := directives(batchOptions(p))
	if err != nil {
		return "", fmt.Errorf("cannot render batch script: %w", err)
	}
	steps, err := stepComments(p)
	if err != nil {
		return "", fmt.Errorf("cannot render batch script: %w", err)
	}
	about := fmt.Sprintf("%s on %d nodes, recipe %s, run %s", p.Case.TestID, p.Layout.TotalNodes, p.Recipe.Name, p.ID)
	if p.Series != nil {
		about += fmt.Sprintf(", and %d more runs after it", len(p.Series.Runs))
	}
	for _, text := range append([]string{about, p.Cluster.Bash}, steps...) {
		if profile.HasControl(text) {
			return "", fmt.Errorf("cannot render batch script: %q has a control character", text)
		}
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{
		"Bash": p.Cluster.Bash, "Options": options, "RunDir": p.RunDir, "Agent": p.Agent, "About": about,
		"Steps": steps,
	})
	if err != nil {
		return "", fmt.Errorf("cannot render batch script: %w", err)
	}
	return b.String(), nil
}

// option is one option of sbatch; the value is quoted for the directive if it needs to be.
type option struct{ name, value string }

// directives writes options as sbatch reads them from a script: its reader splits a line at blanks and understands
// double quotes and backslashes.
func directives(options []option) ([]string, error) {
	var lines []string
	for _, o := range options {
		if profile.HasControl(o.name + o.value) {
			return nil, fmt.Errorf("%s=%q has a control character", o.name, o.value)
		}
		line := o.name
		if o.value != "" {
			line += "=" + directiveValue(o.value)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// plain tells whether every reader agrees what a text is, so that it needs no quotes.
func plain(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("-_.,:/=@%+",
			r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// directiveValue quotes a value if it needs to be.
func directiveValue(v string) string {
	if plain(v) {
		return v
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
}

// batchOptions are the options of the job.
func batchOptions(p plan.Plan) []option {
	l, prof := p.Layout, p.Cluster
	opts := []option{
		{"--job-name", p.JobName()}, {"--nodes", strconv.Itoa(p.JobNodes())}, {"--output", outputPattern(p.RunDir)},
		{"--open-mode", "append"}, // a requeued job goes on in the same file
		{"--time", clock(p.JobTime())},
	}
	add := func(name, value string) { opts = append(opts, option{name, value}) }
	if warn := warning(p); warn > 0 {
		add("--signal", fmt.Sprintf("USR1@%d", warn))
	}
	if prof.Exclusive == nil || *prof.Exclusive {
		add("--exclusive", "")
	}
	switch prof.GPUs {
	case "gpus-per-node":
		add("--gpus-per-node", strconv.Itoa(l.GPUsPerNode))
	case "gres":
		add("--gres", "gpu:"+strconv.Itoa(l.GPUsPerNode))
	}
	if prof.Segment {
		add("--segment", strconv.Itoa(p.JobNodes()))
	}
	if prof.Partition != "" {
		add("--partition", prof.Partition)
	}
	if prof.Account != "" {
		add("--account", prof.Account)
	}
	for _, o := range []option{
		{"--qos", prof.QOS}, {"--constraint", prof.Constraint}, {"--reservation", prof.Reservation},
		{"--licenses", prof.Licenses}, {"--comment", comment(p)}, {"--exclude", prof.Exclude},
	} {
		if o.value != "" {
			add(o.name, o.value)
		}
	}
	for _, a := range prof.SbatchArgs {
		name, value, _ := strings.Cut(a, "=")
		add(name, value)
	}
	return opts
}

// comment is the job's comment: the profile's, which other tools may read, else the run's short id.
func comment(p plan.Plan) string {
	isComment := func(arg string) bool { return strings.HasPrefix(arg, "--comment") }
	if p.Cluster.Comment != "" || slices.ContainsFunc(p.Cluster.SbatchArgs, isComment) {
		return p.Cluster.Comment
	}
	return "disagg:" + plan.ShortID(p.ID)
}

// warning is how many seconds before the end of its time a job wants to be warned, so that it can finish in order; 0 if
// it is too short for that. Slurm may warn up to a minute earlier.
func warning(p plan.Plan) int {
	t := p.Timeouts
	need := (t.Stop + t.Settle + t.Upload).Std() + 10*time.Second
	if p.JobTime() < need+5*time.Minute {
		return 0
	}
	return int(need / time.Second)
}

// outputPattern is the file of the job's output, with Slurm's own patterns off but for the job id.
func outputPattern(dir string) string {
	return strings.ReplaceAll(filepath.Join(dir, "slurm"), "%", "%%") + "-%j.out"
}

// clock is Slurm's form of a time limit, rounded up to a second.
func clock(d time.Duration) string {
	s := int((d + time.Second - 1) / time.Second)
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// stepComments are the steps of a job for people, one line for all servers of a kind: they differ in where they begin.
func stepComments(p plan.Plan) ([]string, error) {
	var lines []string
	for _, pl := range p.Layout.Placements {
		if pl.Role.Index > 0 {
			continue
		}
		args := append([]string{"srun"}, StepArgs(p, pl, "JOB")...)
		quoted := make([]string, len(args))
		for i, a := range args {
			if quoted[i] = a; plain(a) {
				continue
			}
			var err error
			if quoted[i], err = quote(a); err != nil {
				return nil, err
			}
		}
		line := strings.Join(quoted, " ")
		if n := len(p.Layout.OfKind(pl.Role.Kind)); n > 1 {
			line += fmt.Sprintf("   (and %d more, each %d nodes further on)", n-1, pl.Nodes)
		}
		lines = append(lines, line)
	}
	return lines, nil
}
