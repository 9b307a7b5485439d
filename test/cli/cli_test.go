// Package cli runs the command lines of both programs as scripts: testdata/*.txtar, which double as documentation.
package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/disagg/disagg/test/check"
	"github.com/disagg/disagg/test/tool"
)

var bin string // folder of the programs, set once before any test

func TestMain(m *testing.M) { check.Programs(m, &bin) }

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
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waitfor": waitFor, "lines": lines, "schema": schema, "earlier": earlier, "holds": holds,
			"collector": newCollector, "spans": spans, "notices": notices, "away": away,
		},
	})
}

// waitFor FILE: waits until the file is there.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: waitfor FILE")
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s is not there after a minute", args[0])
		}
	}
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

// schema NAME FILE...: each file is valid by docs/schemas/NAME.schema.json; of an .ndjson file each line is.
func schema(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: schema NAME FILE...")
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	sch, err := c.Compile(filepath.Join(tool.Root(), "docs", "schemas", args[0]+".schema.json"))
	ts.Check(err)
	for _, pattern := range args[1:] {
		files, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		if len(files) == 0 {
			ts.Fatalf("no file is called %s", pattern)
		}
		for _, f := range files {
			for _, text := range documents(ts.ReadFile(f), f) {
				v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
				ts.Check(err)
				if err := sch.Validate(v); err != nil {
					ts.Fatalf("%s: %v", f, err)
				}
			}
		}
	}
}

func documents(text, file string) []string {
	if filepath.Ext(file) == ".ndjson" {
		return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	return []string{text}
}
