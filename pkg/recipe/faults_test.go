package recipe_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// faultsOf reads the good recipe with keys put into one of its roles, in place of what they replace.
func faultsOf(t *testing.T, from, to string) error {
	t.Helper()
	text := strings.Replace(goodRecipe, from, to, 1)
	if text == goodRecipe {
		t.Fatalf("%s: the test changes nothing", to)
	}
	r, err := recipe.Parse("own.yaml", []byte(text), nil)
	if err != nil && r.Name != "" {
		t.Errorf("%s: a recipe came with the error %v", to, err)
	}
	return err
}

// fault is what is put into a role, and what is said of it; "" if it is good.
type fault map[string]string

// in checks the faults of keys that are put before the command of a role.
func (list fault) in(t *testing.T, command, role string) {
	t.Helper()
	for keys, want := range list {
		switch err := faultsOf(t, command, keys+", "+command); {
		case want == "" && err != nil:
			t.Errorf("%s: %v", keys, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), ": roles."+role+"."+want)):
			t.Errorf("%s: %v, want %s", keys, err, want)
		}
	}
}

// A probe asks in one way, and has only what goes with that way.
func TestFaultsOfProbes(t *testing.T) {
	const alone = "method, body, expect and any_status only go with url"
	fault{
		"ready: {period: 1s}":                            "ready: want exactly one of url, tcp, command",
		"ready: {url: u, tcp: a}":                        "ready: want exactly one of url, tcp, command",
		"startup: {command: [a], line: x}":               "startup: want exactly one of url, tcp, command",
		"ready: {command: [a]}":                          "",
		"ready: {tcp: a, method: GET}":                   "ready: " + alone,
		"ready: {tcp: a, body: '{}'}":                    "ready: " + alone,
		"ready: {tcp: a, expect: {a: b}}":                "ready: " + alone,
		"ready: {line: '('}":                             "ready: line: error parsing regexp",
		"ready: {url: u, expect: {a.b: '('}}":            "ready: expect.a.b: error parsing regexp",
		"ready: {url: u, expect: {a.b: '.'}, body: '1'}": "",
		"live: {line: x, busy: {line: y}}":               "live: busy only goes with a live probe that asks",
		"live: {url: u, busy: {line: y}}":                "",
		"live: {tcp: u, busy: {}}":                       "live: busy: want either line or cpu",
		"live: {url: u, successes: -1}":                  "live: successes and failures cannot be negative",
		"live: {url: u, failures: -1}":                   "live: successes and failures cannot be negative",
	}.in(t, "command: [route]", "DISAGG_SERVER")
}

// The questions of a live probe must not overlap; those to a service that loads wait for each other.
func TestTimeoutsBelowThePeriod(t *testing.T) {
	const overlap = "live: timeout must be below period"
	fault{
		"live: {url: u, timeout: 10s}":             overlap, // that is the default period
		"live: {url: u, timeout: 9999ms}":          "",
		"live: {url: u, period: 2s, timeout: 2s}":  overlap,
		"live: {url: u, period: 2s}":               "",
		"ready: {url: u, period: 2s, timeout: 2s}": "",
	}.in(t, "command: [route]", "DISAGG_SERVER")
}

// Variables of a role have names that every shell takes, and are not those that the tool sets.
func TestFaultsOfVariables(t *testing.T) {
	fault{
		"env: {A: x, B_1: y, DISAGG_CONFIG_FOLDER: z}": "",
		"env: {DISAGG_PLAN: x}":                        `env: "DISAGG_PLAN" is set by the tool`,
		"env: {'A=B': x}":                              `env: "A=B" is not a name of a variable`,
	}.in(t, "command: [route]", "DISAGG_SERVER")
}

// A role is placed, prepared and stopped in the ways that there are.
func TestFaultsOfRoles(t *testing.T) {
	const below = "want a path below the rank's own folder"
	fault{
		"placement: last":                                  "",
		"placement: middle":                                `placement: "middle": want first, last or own`,
		"again: true":                                      "again: only BENCHMARK can be run again",
		"peers: [GEN, CTX]":                                "",
		"peers: [GEN, ROUTER]":                             "peers: unknown kind ROUTER: want one of [",
		"needs: {address: [ROUTER]}":                       "needs.address: unknown kind ROUTER",
		"needs: {ready: [ROUTER]}":                         "needs.ready: unknown kind ROUTER",
		"needs: {early: true}":                             "needs.early: it needs nothing that it could wait for",
		"needs: {early: true, ready: [GEN]}":               "",
		"needs: {early: true, address: [GEN]}":             "",
		"needs: {address: [DISAGG_SERVER]}":                "needs: it needs a role that waits for it",
		"needs: {ready: [BENCHMARK]}":                      "needs: it needs a role that waits for it",
		"needs: {ready: [GEN, CTX]}":                       "",
		"stall: {within: 1m}":                              "",
		"stall: {line: x}":                                 "stall: within: missing",
		"stall: {line: '(', within: 1m}":                   "stall: line: error parsing regexp",
		"address: {text: a, keys: [h, p]}":                 "address: keys: want those of host and port in the file",
		"address: {file: a, keys: [h]}":                    "address: keys: want those of host and port in the file",
		"address: {file: a, keys: [h, p]}":                 "",
		"address: {}":                                      "address: want either file or text",
		"files: [{path: a/b, text: x}]":                    "",
		"files: [{path: ..a, text: x}]":                    "",
		"files: [{path: a, text: x}, {path: b}]":           "files[1]: want one of text, from, yaml and json",
		"files: [{path: a, text: x, yaml: {merge: [{}]}}]": "files[0]: want one of text, from, yaml and json",
		"files: [{text: x}]":                               `files[0]: path "": ` + below,
		"files: [{path: /a, text: x}]":                     `files[0]: path "/a": ` + below,
		"files: [{path: .., text: x}]":                     `files[0]: path "..": ` + below,
		"files: [{path: a/../.., text: x}]":                `files[0]: path "a/../..": ` + below,
		"files: [{path: a/../../b, text: x}]":              `files[0]: path "a/../../b": ` + below,
		"files: [{path: ., text: x}]":                      `files[0]: path ".": ` + below,
		"files: [{path: a/.., text: x}]":                   `files[0]: path "a/..": ` + below,
	}.in(t, "command: [route]", "DISAGG_SERVER")
	fault{
		"placement: first":                   `placement: "first": only DISAGG_SERVER and BENCHMARK can be placed`,
		"version: {key: k}":                  "version: want {url: URL, key: PATH}",
		"version: {url: u, key: k}":          "",
		"needs: {early: true, ready: [CTX]}": "",
	}.in(t, "command: [serve]", "GEN")
	fault{
		"again: true":                        "",
		"needs: {early: true, ready: [GEN]}": "needs.early: the benchmark would begin before every server is",
		"needs: {ready: [BENCHMARK]}":        "needs: it needs a role that waits for it",
		"needs: {ready: [GEN]}":              "",
	}.in(t, "command: [bench]", "BENCHMARK")
}

const everyTrait = "accuracy-only, address-files, aggregated, frontends, id-without-mode, sa-client, time-breakdown"

// What a recipe must say of its roles is not left out, and not said in words that there are not.
func TestFaultsOfWhatMustBe(t *testing.T) {
	for change, want := range map[[2]string]string{
		{"schema: 1\n", ""}:                  "own.yaml: schema: missing: add schema: 1",
		{"name: own\n", ""}:                  "own.yaml: name: missing",
		{"tasks: gpu", "tasks: many"}:        `roles.GEN.tasks: "many": want gpu, node or one`,
		{"to: leader", "to: nobody"}:         `roles.BENCHMARK.stop.to: "nobody": want leader, group or command`,
		{"format: trtllm, ", ""}:             "roles.BENCHMARK.results: want {format: NAME, files: PATH}",
		{", files: r.log", ""}:               "roles.BENCHMARK.results: want {format: NAME, files: PATH}",
		{"[serve]", "[{words: ''}]"}:         "roles.GEN.command[0]: want a text or {words: text}",
		{"[serve]", "[{words: a, more: b}]"}: "want a text or {words: text}",
		{"[serve]", "[{words: [a]}]"}:        "want a text or {words: text}",
		{"about: x", "does: [flying]"}: `does, only, instead: unknown trait "flying": want some of ` +
			everyTrait,
		{"about: x", "only: [flying]"}:         `unknown trait "flying": want some of `,
		{"about: x", "instead: {flying: own}"}: `unknown trait "flying": want some of `,
	} {
		if err := faultsOf(t, change[0], change[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", change[1], err, want)
		}
	}
}

// All faults are told at once, so that nobody mends them one by one.
func TestEveryFaultIsTold(t *testing.T) {
	text := strings.NewReplacer("schema: 1", "schema: 3", "signal: INT", "signal: HUP", "[route]", "[]").
		Replace(goodRecipe)
	_, err := recipe.Parse("own.yaml", []byte(text), nil)
	for _, want := range []string{
		"schema: 3 is not supported", "roles.BENCHMARK.stop.signal", "roles.DISAGG_SERVER.command: missing",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want also %s", err, want)
		}
	}
}

// A coordinator may be missing, as some engines route by themselves.
func TestRecipeWithoutCoordinator(t *testing.T) {
	const coordinator = "  DISAGG_SERVER: {tasks: one, command: [route], stop: {signal: TERM, to: group}}\n"
	if err := faultsOf(t, coordinator, ""); err != nil {
		t.Error(err)
	}
}

// What is no recipe of the tool's is none, and no error: it may be a file.
func TestUnknownRecipe(t *testing.T) {
	for _, name := range []string{"", "nobody", "../builtin/sglang", "sglang.yaml", "openai_load.py"} {
		if r, ok, err := recipe.Load(name); ok || err != nil || r.Name != "" {
			t.Errorf("Load(%q): %v, %v", name, ok, err)
		}
		if text, ok := recipe.Text(name); ok || text != nil {
			t.Errorf("Text(%q): %q", name, text)
		}
	}
}

// Without anything to read them with, files beside the recipe are refused instead of being written empty.
func TestFileBesideNothing(t *testing.T) {
	err := faultsOf(t, "command: [bench]", "files: [{path: x, from: load.py}], command: [bench]")
	const want = `own.yaml: roles.BENCHMARK.files: x: from: "load.py": want the name of a file beside the recipe`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// An element of a command is a text, also one that looks like a number, or words; a text of words is not split before
// it is rendered.
func TestCommandsAreRead(t *testing.T) {
	text := strings.Replace(goodRecipe, "[serve]", "[serve, 8, true, '', {words: '-a {{.Host}}'}]", 1)
	r, err := recipe.Parse("own.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []recipe.Arg{{Text: "serve"}, {Text: "8"}, {Text: "true"}, {}, {Words: "-a {{.Host}}"}}
	if diff := cmp.Diff(want, r.Roles[roles.Gen].Command); diff != "" {
		t.Error(diff)
	}
}
