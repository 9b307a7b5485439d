package recipe_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

func TestBuiltinRecipesLoad(t *testing.T) {
	for _, name := range recipe.Builtin() {
		r, ok, err := recipe.Load(name)
		if err != nil || !ok {
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
		"unknown key":  {"about: x", "abuot: x", "abuot: unknown key"},
		"schema":       {"schema: 1", "schema: 2", "schema: 2 is not supported"},
		"missing role": {"  CTX: *any\n", "", "roles.CTX: missing"},
		"unknown kind": {"  CTX: *any", "  CTX: *any\n  ROUTER: *any", "roles.ROUTER: unknown kind"},
		"bad signal":   {"signal: INT", "signal: KILL", `roles.BENCHMARK.stop.signal: "KILL": want TERM or INT`},
		"bad tasks": {
			"{tasks: one, command: [route]", "{tasks: gpu, command: [route]", "roles.DISAGG_SERVER.tasks",
		},
		"no command":   {"command: [bench], ", "", "roles.BENCHMARK.command: missing"},
		"bad argument": {"[serve]", "[{word: x}]", "own.yaml:6: roles.GEN.command[0]: want a text or {words: text}"},
		"bad duration": {"to: leader", "to: leader, grace: soon", "is not a duration"},
		"no results":   {", results: {format: trtllm, files: r.log}", "", "roles.BENCHMARK.results"},
		"version without key": {
			"command: [serve]", "command: [serve], version: {url: u}",
			"roles.GEN.version: want {url: URL, key: PATH}",
		},
		"version of another": {
			"command: [route]", "command: [route], version: {url: u, key: k}",
			"roles.DISAGG_SERVER.version: only of GEN and CTX",
		},
		"busy without an end": {
			"command: [route]", "command: [route], live: {url: u, busy: {line: '('}}",
			"roles.DISAGG_SERVER.live: busy: line: error parsing",
		},
		"busy while it loads": {
			"command: [route]", "command: [route], ready: {url: u, busy: {line: x}}",
			"roles.DISAGG_SERVER.ready: busy only goes with a live probe",
		},
		"busy in two ways": {
			"command: [route]", "command: [route], live: {url: u, busy: {line: x, cpu: 0.1}}",
			"roles.DISAGG_SERVER.live: busy: want either line or cpu",
		},
		"busy with less than nothing": {
			"command: [route]", "command: [route], live: {url: u, busy: {cpu: -1}}",
			"roles.DISAGG_SERVER.live: busy: cpu cannot be negative",
		},
		"a status of a connection": {
			"command: [route]", "command: [route], live: {tcp: u, any_status: true}",
			"roles.DISAGG_SERVER.live: method, body, expect and any_status only go with url",
		},
		"both adresses": {
			"command: [route]", "command: [route], address: {file: a, text: b}",
			"roles.DISAGG_SERVER.address: want either file or text",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(goodRecipe, tt.old, tt.new, 1)
			if text == goodRecipe {
				t.Fatal("the test changes nothing")
			}
			_, err := recipe.Parse("own.yaml", []byte(text), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "own.yaml") {
				t.Errorf("got %v, want own.yaml: … %q", err, tt.want)
			}
		})
	}
}

func TestRenderArgs(t *testing.T) {
	args := []recipe.Arg{
		{Text: "{{.Values.tool}}"}, {Text: "{{if false}}gone{{end}}"}, {Words: `-a "b c" {{.Values.more}}`},
		{
			Text: `{{join (.Addresses "CTX") ","}}`,
		}, {Text: "{{json .Case.Name}}"}, {Text: "{{port .Address}}/{{host .Address}}"},
	}
	f := recipe.Data{
		Values: map[string]string{"tool": "t l", "more": ""}, Case: roles.Case{Name: `q"x`}, Address: "h:80",
		Peers: map[string]string{"CTX_0": "a:1", "CTX_1": "b:2", "GEN_0": "c:3"},
	}
	got, err := recipe.RenderArgs("command", args, f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"t l", "-a", "b c", "a:1,b:2", `"q\"x"`, "80/h"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := recipe.RenderArgs("command", []recipe.Arg{{Text: "{{.Values.none}}"}}, f); err == nil {
		t.Error("a value that does not exist was accepted")
	}
}

// A file that lies beside the recipe is written as it is, also where it looks like a template; other places are
// refused.
func TestFileBeside(t *testing.T) {
	with := func(from string) string {
		return strings.Replace(goodRecipe, "command: [bench]",
			"files: [{path: in/load.py, from: "+from+"}], command: [bench]", 1)
	}
	read := func(name string) ([]byte, error) {
		if name == "none.py" {
			return nil, fs.ErrNotExist
		}
		return []byte("{{not a template}}"), nil
	}
	r, err := recipe.Parse("own.yaml", []byte(with("load.py")), read)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Roles[roles.Benchmark].Files[0].Render(recipe.Data{}); got != "{{not a template}}" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for from, want := range map[string]string{
		"none.py":    "from: file does not exist",
		"../load.py": `from: "../load.py": want the name of a file beside the recipe`,
		"/load.py":   `from: "/load.py": want the name`,
		"a/load.py":  `from: "a/load.py": want the name`,
	} {
		if _, err := recipe.Parse("own.yaml", []byte(with(from)), read); err == nil ||
			!strings.Contains(err.Error(), "roles.BENCHMARK.files: in/load.py: "+want) {
			t.Errorf("%s: %v, want %s", from, err, want)
		}
	}
}
