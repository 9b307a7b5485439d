package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/disagg/disagg/test/tool"
)

var (
	// inCode is a text in backticks.
	inCode = regexp.MustCompile("`([^`]+)`")
	// ofProject is a path that begins with one of the project's folders.
	ofProject = regexp.MustCompile(`^(pkg|test|cmd|examples|docs)/\S+$`)
	// testName is a function that go test runs.
	testName = regexp.MustCompile(`^(Test|Fuzz|Example)[A-Z]\w*$`)
)

// cells are the cells of a table's row, nil for any other line, and for the one that underlines a header. A bar behind
// a backslash belongs to its cell.
func cells(line string) (list []string) {
	if !strings.HasPrefix(line, "|") || strings.Trim(line, "|- :") == "" {
		return nil
	}
	const bar = "\x00"
	line = strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(line, `\|`, bar), "|"), "|")
	for cell := range strings.SplitSeq(line, "|") {
		list = append(list, strings.TrimSpace(strings.ReplaceAll(cell, bar, "|")))
	}
	return list
}

// codes lists what stands in backticks.
func codes(text string) (list []string) {
	for _, m := range inCode.FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}

// testFuncs are the tests of a project: the folders in which there is one of a name.
type testFuncs map[string][]string

// findTests reads the names of all tests below a folder.
func findTests(root string) (testFuncs, error) {
	tests := testFuncs{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root:
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[f.Name.Name] = append(tests[f.Name.Name], filepath.ToSlash(folder))
			}
		}
		return err
	})
	return tests, err
}

// missing tells which tests a part of a cell names that are not there: "`TestA`, `TestB` in `pkg/y`", or anywhere if it
// names no folder.
func (f testFuncs) missing(part string) (faults []string) {
	folder := ""
	for _, text := range codes(part) {
		if ofProject.MatchString(text) {
			folder = text
		}
	}
	for _, name := range codes(part) {
		switch folders := f[name]; {
		case !testName.MatchString(name):
		case len(folders) == 0:
			faults = append(faults, fmt.Sprintf("there is no %s", name))
		case folder != "" && !slices.Contains(folders, folder):
			faults = append(faults, fmt.Sprintf("there is no %s in %s: it is in %s", name, folder,
				strings.Join(folders, ", ")))
		}
	}
	return faults
}

// lostPaths lists the paths in backticks that lead nowhere in a project.
func lostPaths(root, text string) (faults []string) {
	for _, path := range codes(text) {
		if !ofProject.MatchString(path) && !strings.HasSuffix(path, ".txtar") {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			faults = append(faults, fmt.Sprintf("there is no file %s", path))
		}
	}
	return faults
}

// rowFaults tells what is wrong with a row of a table whose header has so many cells.
func rowFaults(row []string, columns int, tests testFuncs) (faults []string) {
	if len(row) != columns {
		return []string{fmt.Sprintf("it has %d cells, and not %d", len(row), columns)}
	}
	if slices.Contains(row, "") {
		faults = append(faults, "a cell is empty")
	}
	for part := range strings.SplitSeq(row[columns-1], ";") {
		faults = append(faults, tests.missing(part)...)
	}
	return faults
}

// conformanceFaults tells what a page says that is not so in a project, each with its line. A page without rows has
// nothing to say.
func conformanceFaults(root, page string, tests testFuncs) (faults []string) {
	columns, rows := 0, 0
	for i, line := range strings.Split(page, "\n") {
		found := lostPaths(root, line)
		switch row := cells(line); {
		case !strings.HasPrefix(line, "|"):
			columns = 0
		case row == nil:
		case columns == 0: // the header
			columns = len(row)
		default:
			rows++
			found = append(found, rowFaults(row, columns, tests)...)
		}
		for _, fault := range found {
			faults = append(faults, fmt.Sprintf("line %d: %s", i+1, fault))
		}
	}
	if rows == 0 {
		faults = append(faults, "there are no rows")
	}
	return faults
}

// What the pages on conformance and durability name is there: tests in their packages, scripts and other files; and
// they leave no cell empty.
func TestConformance(t *testing.T) {
	tests, err := findTests(tool.Root())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"conformance.md", "durability.md"} {
		page, err := os.ReadFile(filepath.Join(tool.Root(), "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range conformanceFaults(tool.Root(), string(page), tests) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

// The check finds each kind of fault, and none in a page that is right.
func TestConformanceCheck(t *testing.T) {
	root := t.TempDir()
	for file, text := range map[string]string{
		"pkg/a/a_test.go":  "package a\n\nfunc TestOne() {}\nfunc FuzzTwo() {}\n",
		"pkg/b/b_test.go":  "package b\n\nfunc TestOne() {}\nfunc ExampleThree_Do() {}\n",
		"pkg/a/a.go":       "package a\n\nfunc TestNone() {}\n",
		"test/s/one.txtar": "",
	} {
		file = filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests, err := findTests(root)
	if err != nil {
		t.Fatal(err)
	}
	const head = "Text.\n\n| old | new | shown by |\n|---|---|---|\n"
	for name, tt := range map[string]struct{ page, want string }{
		"all is well": {
			head + "| a `x\\|y` | b | `TestOne`, `FuzzTwo` in `pkg/a`; `TestOne` in `pkg/b`; `test/s/one.txtar` |\n" +
				"| a | `tests/else/gone.py` | – |\n| a | b | `ExampleThree_Do` |\n", "",
		},
		"no such test":       {head + "| a | b | `TestGone` in `pkg/a` |\n", "line 5: there is no TestGone"},
		"not a test's file":  {head + "| a | b | `TestNone` |\n", "line 5: there is no TestNone"},
		"in another package": {head + "| a | b | `FuzzTwo` in `pkg/b` |\n", "no FuzzTwo in pkg/b: it is in pkg/a"},
		"no such package":    {head + "| a | b | `TestOne` in `pkg/c` |\n", "line 5: there is no file pkg/c"},
		"the second of two":  {head + "| a | b | `TestOne` in `pkg/b`; `TestTwo` |\n", "there is no TestTwo"},
		"no such script":     {head + "| a | b | `test/s/two.txtar` |\n", "there is no file test/s/two.txtar"},
		"a script's name":    {head + "| a | b | `one.txtar` |\n", "there is no file one.txtar"},
		"a path in the text": {
			"See `docs/gone.md`.\n" + head + "| a | b | – |\n", "line 1: there is no file docs/gone.md",
		},
		"a path in a cell":    {head + "| a | `cmd/gone` | – |\n", "there is no file cmd/gone"},
		"an empty cell":       {head + "| a |  | – |\n", "line 5: a cell is empty"},
		"an empty last cell":  {head + "| a | b ||\n", "line 5: a cell is empty"},
		"a cell too few":      {head + "| a | b |\n", "line 5: it has 2 cells, and not 3"},
		"a bar in a cell":     {head + "| a | b|c | – |\n", "line 5: it has 4 cells, and not 3"},
		"nothing but headers": {head, "there are no rows"},
	} {
		faults := conformanceFaults(root, tt.page, tests)
		if tt.want == "" && len(faults) > 0 ||
			tt.want != "" && !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, tt.want) }) {
			t.Errorf("%s: %q, want %q", name, faults, tt.want)
		}
	}
}
