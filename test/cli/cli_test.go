// Package cli runs the command lines of both programs as scripts: testdata/*.txtar, which double as documentation.
package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/disagg/disagg/test/tool"
)

var bin string // folder of the programs, set once before any test

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if bin, err = tool.Build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	return m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("ROOT", tool.Root())
			env.Setenv("SIM", filepath.Join(tool.Root(), "examples", "sim"))
			env.Setenv("CASES", filepath.Join(tool.Root(), "examples", "cases"))
			env.Setenv("PROFILE", filepath.Join(tool.Root(), "examples", "profiles", "sim.yaml"))
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "sim" {
				return tool.MissingForSim() == "", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"lines": lines},
	})
}

// lines FILE N: the file has N lines.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: lines FILE N")
	}
	n := 0
	for _, b := range []byte(ts.ReadFile(args[0])) {
		if b == '\n' {
			n++
		}
	}
	if fmt.Sprint(n) != args[1] {
		ts.Fatalf("%s has %d lines, want %s:\n%s", args[0], n, args[1], ts.ReadFile(args[0]))
	}
}
