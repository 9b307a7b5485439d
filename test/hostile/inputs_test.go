package hostile

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
)

// bomb is a mapping of a few lines of aliases of aliases that stand for a billion values.
func bomb() string {
	var b strings.Builder
	b.WriteString("profiling:\n  x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n")
	for i := 1; i < 9; i++ {
		fmt.Fprintf(&b, "  x%d: &x%d [%s*x%d]\n", i, i, strings.Repeat(fmt.Sprintf("*x%d, ", i-1), 9), i-1)
	}
	return b.String()
}

// A case made to harm is refused in one line, with little time and memory, and nothing is left behind.
func TestHarmfulCases(t *testing.T) {
	t.Parallel()
	env := func(text string) string { return goodCase + "environment: {worker_env_var: " + text + "}\n" }
	for name, tt := range map[string]struct{ file, text, want string }{
		"alias bomb":         {"", goodCase + bomb(), "more than 100000 values once aliases are resolved"},
		"alias of itself":    {"", goodCase + "profiling: &a [*a]\n", "the anchor contains an alias of itself"},
		"100 MB":             {"", goodCase, "it is too large: want at most 1024 KiB"},
		"deep nesting":       {"", goodCase + "profiling: " + strings.Repeat("[", 200_000), "exceeded max depth"},
		"no text":            {"", "\x00\x01\xff", "not valid YAML"},
		"NUL":                {"", env(`"A=b\0c"`), "has a NUL character"},
		"no name":            {"", env(`"'A B'=1"`), "is not NAME=VALUE"},
		"the tool's own":     {"", env("DISAGG_GUARD=1"), "DISAGG_GUARD is set by the tool"},
		"command":            {"", env("A=$(id)"), "would be expanded by a shell"},
		"long text":          {"", env("A=$(" + strings.Repeat("x", 900_000) + ")"), "environment.worker_env_var"},
		"control characters": {"", strings.Replace(goodCase, "none", `"a\e[2Jb"`, 1), "has a control character"},
		"a billion servers": {
			"", strings.Replace(goodCase, "gen_servers: 1", "gen_servers: 1000000000", 1), "at most 99999",
		},
		"a billion GPUs": {
			"", strings.Replace(goodCase, "_size: 2", "_size: 1000000000", 1), "more than 100000 GPUs",
		},
		"name with a line":  {"a\nb.yaml", goodCase, "has a control character"},
		"name that colours": {"a\x1b[31m.yaml", goodCase, "has a control character"},
		"no name at all":    {".yaml", goodCase, "is not a plain name"},
		"long name":         {strings.Repeat("n", 240) + ".yaml", goodCase, "want at most 200"},
		"path in a test id": {"disagg-e2e-../../case", goodCase, "has no folders"},
		"a device":          {"/dev/zero.yaml", "", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			if tt.file == "" {
				tt.file = "harm.yaml"
			}
			if !strings.Contains(tt.file, "/") {
				p.write(tt.file, tt.text)
			}
			if name == "100 MB" {
				p.must(os.Truncate(p.path(tt.file), 100<<20))
			}
			p.cheap(p.runArgs(tt.file)...).oneLine(t, protocol.ExitUsage, tt.want)
			if entries, err := os.ReadDir(p.path("runs")); err != nil || len(entries) > 0 {
				t.Errorf("left: %v, %v", entries, err)
			}
		})
	}
}

// Profiles and recipes that have no end, or no writer, are refused in the same way.
func TestEndlessFiles(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.must(syscall.Mkfifo(p.path("pipe.yaml"), 0o644))
	for _, tt := range []struct{ flag, file, want string }{
		{"--profile", "/dev/zero", "it is too large"}, {"--recipe", "/dev/zero", "it is too large"},
		{"--profile", "./pipe.yaml", "the file is empty"}, {"--recipe", "./pipe.yaml", "the file is empty"},
		{"--recipe", "pipe.yaml", "the file is empty"},
	} {
		p.cheap(p.runArgs(tt.flag, tt.file, "case.yaml")...).oneLine(t, protocol.ExitUsage, tt.want)
	}
}

// Variables that change how programs are loaded reach the roles that the case gives them to, and nobody else: the
// agents work as ever.
func TestVariablesOfACase(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("case.yaml", goodCase+`environment:
  worker_env_var: LD_PRELOAD=/nowhere/x.so BASH_ENV=/nowhere ENV=/nowhere PYTHONPATH=/nowhere SLURM_JOB_ID=9 PMIX_RANK=x
`)
	p.passes(p.see(p.runArgs()...))
}

// A name that a shell, a scheduler or an option parser would take for something else is only a name.
func TestOddNames(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	name := "-rf $(id) `id` %j ;'\"[x]*.yaml"
	p.write(name, goodCase)
	p.passes(p.see(p.runArgs("./" + name)...))
}
