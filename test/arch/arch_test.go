package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// project is the source of everything that is shipped: commands and packages, without tests.
func project(t *testing.T) []file {
	t.Helper()
	root := os.DirFS("../..")
	var files []file
	for _, top := range []string{"cmd", "pkg"} {
		err := fs.WalkDir(root, top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			src, err := fs.ReadFile(root, path)
			if err == nil {
				files = append(files, source(t, path, string(src)))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func source(t *testing.T, path, text string) file {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	folder, name := filepath.Split(path)
	return file{
		folder: strings.TrimSuffix(folder, "/"), name: name, lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n"),
		ast: f, set: set,
	}
}

// The project keeps every rule of its architecture.
func TestArchitecture(t *testing.T) {
	files := project(t)
	if len(files) < 100 {
		t.Fatalf("only %d files were found", len(files))
	}
	for name, r := range rules {
		for _, b := range r(files) {
			t.Errorf("%s: %s", name, b)
		}
	}
}

// Every rule is broken by a mutation of the project, and names the file that broke it.
func TestRulesCanFail(t *testing.T) {
	mutations := []struct{ rule, path, text string }{
		{"every package is known", "pkg/misc/a.go", "package misc\n"},
		{"imports", "pkg/decide/a.go", "package decide\nimport _ \"github.com/disagg/disagg/pkg/hub\"\n"},
		{"imports", "pkg/protocol/a.go", "package protocol\nimport _ \"github.com/disagg/disagg/pkg/plan\"\n"},
		{"imports", "pkg/roles/a.go", "package roles\nimport _ \"github.com/disagg/disagg/pkg/protocol\"\n"},
		{"imports", "pkg/supervisor/a.go", "package supervisor\nimport _ \"github.com/disagg/disagg/pkg/roles\"\n"},
		{"imports", "pkg/hub/a.go", "package hub\nimport _ \"github.com/disagg/disagg/cmd/internal/command\"\n"},
		{"what decides is pure", "pkg/decide/a.go", "package decide\nimport _ \"os\"\n"},
		{"what decides is pure", "pkg/decide/rank/a.go", "package rank\nimport _ \"net\"\n"},
		{"what decides is pure", "pkg/plan/a.go", "package plan\nimport _ \"go.uber.org/zap\"\n"},
		{"what decides is pure", "pkg/decide/a.go", "package decide\nimport \"time\"\nvar x = time.Now()\n"},
		{"what decides is pure", "pkg/decide/a.go", "package decide\nfunc f() { go f() }\n"},
		{"one writer", "pkg/hub/a.go", "package hub\nimport \"os\"\nvar _ = os.WriteFile\n"},
		{"regular files", "pkg/hub/a.go", "package hub\nimport \"os\"\nvar _ = os.ReadFile\n"},
		{"names of schedulers", "pkg/agent/a.go", "package agent\nconst v = \"SLURM_JOB_ID\"\n"},
		{"one importer of yaml", "pkg/recipe/a.go", "package recipe\nimport _ \"gopkg.in/yaml.v3\"\n"},
		{"documentation", "pkg/hub/a.go", "package hub\nfunc New2() {}\n"},
		{"documentation", "pkg/hub/a.go", "package hub\ntype T struct{}\n"},
		{"documentation", "pkg/hub/a.go", "package hub\nconst C = 1\n"},
		{"documentation", "cmd/other/main.go", "package main\n"},
		{"size", "pkg/hub/a.go", "package hub\n// " + strings.Repeat("x", 130) + "\n"},
		{"size", "pkg/hub/a.go", "package hub\nfunc f() {\n" + strings.Repeat("\tf()\n", 90) + "}\n"},
		{"what agents link", "pkg/hub/a.go", "package hub\nimport _ \"go.opentelemetry.io/otel\"\n"},
		{"size", "pkg/hub/a.go", "package hub\n" + strings.Repeat("\n", 600)},
	}
	files := project(t)
	tried := map[string]bool{}
	for _, m := range mutations {
		tried[m.rule] = true
		found := false
		for _, b := range rules[m.rule](append(files[:len(files):len(files)], source(t, m.path, m.text))) {
			found = found || strings.Contains(b, filepath.Dir(m.path))
		}
		if !found {
			t.Errorf("%s: not broken by %s:\n%s", m.rule, m.path, m.text)
		}
	}
	for name := range rules {
		if !tried[name] {
			t.Errorf("no mutation breaks the rule %q", name)
		}
	}
}
