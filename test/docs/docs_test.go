package docs

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/test/check"
	"github.com/disagg/disagg/test/tool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prose are the pages, and folders of pages, that have nothing to follow.
var prose = []string{
	"CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/sim/README.md", "docs/howto/README.md",
	"docs/architecture.md", "docs/conformance.md", "docs/durability.md", "docs/glossary.md", "docs/hostile.md",
	"docs/signals.md", "docs/trust.md", "docs/adr/", "docs/reference/",
}

// pages lists every page of the project, by its path in it.
func pages(t *testing.T) (list []string) {
	t.Helper()
	root := tool.Root()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		hidden := strings.HasPrefix(d.Name(), ".") || d.Name() == "runs" || d.Name() == "dist" ||
			d.Name() == "testdata"
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden && path != root:
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			name, err := filepath.Rel(root, path)
			list = append(list, name)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// copied are the parts of the project that pages need.
var copied = []string{
	"cmd", "docs", "examples", "pkg", "test/arch", "test/check", "test/tool", "test/python",
	"Makefile", "go.mod", "go.sum",
}

// project copies the project into a folder that ends with the test.
func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range copied {
		from, to := filepath.Join(tool.Root(), name), filepath.Join(dir, name)
		info, err := os.Stat(from)
		if err == nil && info.IsDir() {
			err = os.CopyFS(to, os.DirFS(from))
		} else if err == nil {
			err = copyFile(to, from, info.Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tool.Build(filepath.Join(dir, "bin")); err != nil { // make builds anew for pages that change code
		t.Fatal(err)
	}
	if venv := filepath.Join(tool.Root(), ".venv"); check.Exists(venv) { // made once, not for every page
		if err := os.Symlink(venv, filepath.Join(dir, ".venv")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func copyFile(to, from string, mode os.FileMode) error {
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, data, mode)
	}
	return err
}

// python is the folder of a Python that has what the simulated engine needs; "" if this machine has none.
func python(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(tool.Root(), "test", "python")).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// environment is that of a reader who has set up nothing but Go and, if it is needed, Python. Programs are built
// without the paths of their sources, so that every copy of the project shares what was built.
func environment(t *testing.T, python string) (env []string) {
	t.Helper()
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "DISAGG_") && !strings.HasPrefix(kv, "SLURM_") {
			env = append(env, kv)
		}
	}
	if python != "" {
		env = append(env, "PATH="+python+":"+os.Getenv("PATH"))
	}
	return append(env, "GOFLAGS="+os.Getenv("GOFLAGS")+" -trimpath", "XDG_DATA_HOME="+t.TempDir())
}

// follow follows a page, and fails with what went wrong.
func follow(ctx context.Context, t *testing.T, page, dir string, env []string) (int, error) {
	t.Helper()
	r, err := newReader(ctx, dir, env)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	return r.follow(page)
}

// Whoever does literally what a page says sees what it says.
func TestPages(t *testing.T) {
	python := python(t)
	for _, name := range pages(t) {
		text, err := os.ReadFile(filepath.Join(tool.Root(), name))
		if err != nil {
			t.Fatal(err)
		}
		page := string(text)
		if slices.ContainsFunc(prose, func(p string) bool { return strings.HasPrefix(name, p) }) {
			if list, err := blocks(page); err != nil || slices.ContainsFunc(list, block.followed) {
				t.Errorf("%s has something to follow, but is listed as prose: %v", name, err)
			}
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(page, "test/python") && python == "" {
				t.Skip("this page runs the simulated engine, which needs python3 >= 3.11 with pytest and PyYAML")
			}
			n, err := follow(t.Context(), t, page, project(t), environment(t, python))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if n == 0 {
				t.Errorf("%s has nothing to follow: add an example, or list it as prose", name)
			}
		})
	}
}
