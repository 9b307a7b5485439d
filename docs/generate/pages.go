package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/disagg/disagg/pkg/known"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/upload/parquet"
)

// generated begins every page.
const generated = "<!-- Made by docs/generate from the comments beside the code: change them, then run make docs. -->\n"

// pages makes the reference pages.
func pages(files map[string][]byte) error {
	for name, page := range map[string]func() (string, error){
		"environment": environment, "exit-codes": exitCodes, "causes": causes, "profile": profileFields,
		"recipe": recipeFields, "parquet": parquetColumns, "case": caseFields,
	} {
		text, err := page()
		if err != nil {
			return fmt.Errorf("cannot make page %s: %w", name, err)
		}
		files[filepath.Join("docs", "reference", name+".md")] = []byte(generated + text)
	}
	return nil
}

// table is a Markdown table.
type table struct{ strings.Builder }

func newTable(title, intro string, columns ...string) *table {
	t := &table{}
	fmt.Fprintf(t, "# %s\n\n%s\n\n", title, intro)
	t.columns(columns...)
	return t
}

func (t *table) columns(names ...string) {
	t.row(names...)
	t.WriteString(strings.Repeat("|---", len(names)) + "|\n")
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(strings.Join(strings.Fields(c), " "), "|", `\|`)
	}
	t.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func environment() (string, error) {
	t := newTable("Environment variables", "What the two programs read, and what the tool sets for its own parts.",
		"variable", "set by", "read by", "meaning")
	for _, v := range protocol.Variables() {
		t.row("`"+v.Name+"`", v.SetBy, v.ReadBy, v.Doc)
	}
	t.WriteString("\n## Variables of others\n\nWhat is not this project's, and is respected. A URL of `--upload` or " +
		"`--notify` may name more, such as\n`?password_env=DB_PASSWORD`.\n\n")
	t.columns("variable", "meaning")
	for _, v := range [][2]string{
		{"XDG_DATA_HOME", "where the list of runs and the default database are, in a folder disagg; ~/.local/share"},
		{"HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "the way to a sink, a notified URL or a collector"},
		{"SLURM_CONF, SLURM_CONF_SERVER, SLURM_JWT", "passed to Slurm's commands; the rest of the submitting shell's " +
			"SLURM_, SBATCH_ and SRUN_ variables is left out"},
		{"OTEL_…", "OpenTelemetry's own: see [telemetry](../howto/telemetry.md)"},
		{"GITHUB_ACTIONS, GITLAB_CI, BUILDKITE", "how a failure is marked in the output of a CI job"},
		{"TERM, COLUMNS, NO_COLOR", "how a terminal is written to; none is drawn on if TERM is dumb or missing"},
		{"SPT_NOENV", "1 for every child, unless it is given: " +
			"Python's setproctitle leaves the environment alone, and titles are shorter"},
		{"SHELL", "the shell that disagg-agent --shell starts"},
	} {
		t.row("`"+strings.ReplaceAll(v[0], ", ", "`, `")+"`", v[1])
	}
	return t.String(), nil
}

func parquetColumns() (string, error) {
	t := newTable("Parquet columns", "The columns of every file of the sink `parquet://`, in their order. What a "+
		"record does not say is null, in a column that may be. Newer versions only add columns.",
		"column", "type", "may be null", "meaning")
	for _, c := range parquet.Columns() {
		null := ""
		if c.Null {
			null = "yes"
		}
		t.row("`"+c.Name+"`", c.Type, null, c.About)
	}
	return t.String(), nil
}

func exitCodes() (string, error) {
	t := newTable("Exit codes",
		"A child's own code from 2 to 63 is passed through by its agent; 128+n says that signal n ended the child.\n"+
			"Of a step Slurm reports the highest code of its tasks, and `sacct` shows a code from 128 up less 128.",
		"code", "name", "meaning")
	list, err := constants("pkg/protocol", "")
	if err != nil {
		return "", err
	}
	for _, c := range list {
		if strings.HasPrefix(c.name, "Exit") {
			t.row(c.value, "`"+c.name+"`", c.doc)
		}
	}
	return t.String(), nil
}

func causes() (string, error) {
	t := newTable("Causes", "Why a job did not pass: `first_cause.kind` and `secondary[].kind` of result.json.", "kind",
		"meaning")
	list, err := constants("pkg/protocol", "CauseKind")
	if err != nil {
		return "", err
	}
	for _, c := range list {
		t.row("`"+strings.Trim(c.value, `"`)+"`", c.doc)
	}
	return t.String() + knownCauses(), nil
}

// knownCauses is the catalogue of what lines of a log mean.
func knownCauses() string {
	t := &table{}
	t.WriteString("\n## Known causes\n\nWhat the line that explains a failure may mean, and what mostly helps: " +
		"`failure.known` of report/data.json. Braces stand for a\npart of the line, or for what is known of the " +
		"run.\n\n")
	t.columns("said by", "the rank or host …", "try", "name")
	for _, c := range known.All() {
		t.row(c.Of, c.Words, c.Hint, "`"+c.ID+"`")
	}
	return t.String()
}

func profileFields() (string, error) {
	return fieldPage("Cluster profile",
		"A YAML file; every field but `schema` and `name` may be left out. The how-to is howto/cluster.md.",
		"pkg/profile", "Profile", "Container", "Preflight")
}

func recipeFields() (string, error) {
	return fieldPage("Recipe", "A YAML file. The how-to is howto/recipe.md.",
		"pkg/recipe", "Recipe", "RoleSpec", "Needs", "Arg", "File", "Document", "Address", "Probe", "Stall", "Stop",
		"Results", "Data", "Dirs")
}

func caseFields() (string, error) {
	return fieldPage("Case",
		"A YAML file in the form of TensorRT-LLM's disaggregated perf-sanity tests, such as those in examples/cases.\n"+
			"A key that is not on this page is refused where it would be read. `--set KEY=VALUE` gives any of them\n"+
			"another value for one run; see howto/several.md.",
		"pkg/perfsanity", "config", "metadata", "hardware", "worker", "parallel", "benchmark", "environment", "slurm",
		"accuracy")
}

// fieldPage lists the fields of types.
func fieldPage(title, intro, folder string, types ...string) (string, error) {
	all, err := structs(folder)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", title, intro)
	for _, name := range types {
		s, ok := all[name]
		if !ok {
			return "", fmt.Errorf("%s has no type %s", folder, name)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", name, strings.Join(strings.Fields(s.doc), " "))
		t := &table{}
		t.columns("field", "type", "meaning")
		for _, f := range s.fields {
			t.row("`"+f.name+"`", f.typ, f.doc)
		}
		b.WriteString(t.String())
	}
	return b.String(), nil
}
