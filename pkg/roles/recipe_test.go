package roles_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/roles"
)

func TestBuiltinRecipesLoad(t *testing.T) {
	for _, name := range roles.BuiltinRecipes() {
		r, err := roles.LoadRecipe(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.Name != name {
			t.Errorf("recipe %s calls itself %s", name, r.Name)
		}
	}
}

const goodRecipe = `
schema: 1
name: own
about: x
roles:
  GEN: &any {tasks: gpu, command: [serve], stop: {signal: TERM, to: group}}
  CTX: *any
  DISAGG_SERVER: {tasks: one, command: [route], stop: {signal: TERM, to: group}}
  BENCHMARK: {tasks: one, command: [bench], stop: {signal: INT, to: leader}, results: {format: trtllm, files: r.log}}
`

// A recipe's fault is found when it is read, and told with its place.
func TestRecipeFaults(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"unknown key":   {"about: x", "abuot: x", "abuot: unknown key"},
		"schema":        {"schema: 1", "schema: 2", "schema: 2 is not supported"},
		"missing role":  {"  CTX: *any\n", "", "roles.CTX: missing"},
		"unknown kind":  {"  CTX: *any", "  CTX: *any\n  ROUTER: *any", "roles.ROUTER: unknown kind"},
		"bad signal":    {"signal: INT", "signal: KILL", `roles.BENCHMARK.stop.signal: "KILL": want TERM or INT`},
		"bad tasks":     {"{tasks: one, command: [route]", "{tasks: gpu, command: [route]", "roles.DISAGG_SERVER.tasks"},
		"no command":    {"command: [bench], ", "", "roles.BENCHMARK.command: missing"},
		"bad argument":  {"[serve]", "[{word: x}]", "want a text or {words: text}"},
		"bad duration":  {"to: leader", "to: leader, grace: soon", "is not a duration"},
		"no results":    {", results: {format: trtllm, files: r.log}", "", "roles.BENCHMARK.results"},
		"both adresses": {"command: [route]", "command: [route], address: {file: a, text: b}", "roles.DISAGG_SERVER.address: want either file or text"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(goodRecipe, tt.old, tt.new, 1)
			if text == goodRecipe {
				t.Fatal("the test changes nothing")
			}
			file := filepath.Join(t.TempDir(), "own.yaml")
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := roles.LoadRecipe(file)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), file) {
				t.Errorf("got %v, want %s: … %q", err, file, tt.want)
			}
		})
	}
}

func TestRenderArgs(t *testing.T) {
	args := []roles.Arg{
		{Text: "{{.Values.tool}}"}, {Text: "{{if false}}gone{{end}}"}, {Words: `-a "b c" {{.Values.more}}`},
		{Text: `{{join (.Addresses "CTX") ","}}`}, {Text: "{{json .Case.Name}}"}, {Text: "{{port .Address}}/{{host .Address}}"},
	}
	f := roles.Facts{
		Values: map[string]string{"tool": "t l", "more": ""}, Case: roles.Case{Name: `q"x`}, Address: "h:80",
		Peers: map[string]string{"CTX_0": "a:1", "CTX_1": "b:2", "GEN_0": "c:3"},
	}
	got, err := roles.RenderArgs("command", args, f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"t l", "-a", "b c", "a:1,b:2", `"q\"x"`, "80/h"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := roles.RenderArgs("command", []roles.Arg{{Text: "{{.Values.none}}"}}, f); err == nil {
		t.Error("a value that does not exist was accepted")
	}
}
