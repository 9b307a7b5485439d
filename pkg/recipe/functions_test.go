package recipe_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// theData is what a rank's templates can see.
func theData() recipe.Data {
	return recipe.Data{
		Case: roles.Case{
			Routers:       map[roles.Kind]string{roles.Gen: "type: round_robin"},
			WorkerConfig:  map[roles.Kind]string{roles.Ctx: "a: 1"},
			ServerTimeout: roles.Duration(90*time.Second + 999*time.Millisecond),
		},
		Role: roles.Role{Kind: roles.Ctx, Index: 1}, Values: map[string]string{"port": "8000", "more": "a\nb\n"},
		ModelPath: "/models/m", Environ: map[string]string{"HOME": "/root"}, Address: "[::1]:80",
		Peers: map[string]string{
			"CTX_0": "a:1", "CTX_1": "b:2", "CTX_3": "d:4", "DISAGG_SERVER": "s:9", "BENCHMARK": "",
		},
	}
}

// The functions of templates, which the reference page of recipes describes.
func TestFunctions(t *testing.T) {
	for text, want := range map[string]string{
		`{{seconds .Case.ServerTimeout}}`:       "90",
		`{{indent 2 .Values.more}}`:             "  a\n  b",
		`{{indent 2 ""}}`:                       "  ",
		`{{indent 0 "a"}}`:                      "a",
		`{{default "x" ""}}`:                    "x",
		`{{default "x" "y"}}`:                   "y",
		`{{add .Values.port 1}}`:                "8001",
		`{{add "-1" 1}}`:                        "0",
		`{{pytest "disagg-e2e-a b'%=+(c)"}}`:    "disagg-e2e-a b'%=+(c)",
		`{{model .}}`:                           "/models/m",
		`{{base (model .)}}`:                    "m",
		`{{dir (model .)}}`:                     "/models",
		`{{joinpath "a" "../b" "c"}}`:           "b/c",
		`{{port .Address}} {{host .Address}}`:   "80 [::1]",
		`{{port "no-port"}}|{{host "no-port"}}`: "no-port|",
		`{{port "h:"}}|{{host ":80"}}`:          "|",
		`{{json .Values.more}}`:                 `"a\nb\n"`,
		`{{json (.Addresses "GEN")}}`:           "[]",
		`{{json (.Addresses "CTX")}}`:           `["a:1","b:2"]`, // CTX_3 is not the next
		`{{json (.Addresses "DISAGG_SERVER")}}`: `["s:9"]`,
		`{{json (.Addresses "BENCHMARK")}}`:     `[""]`,
		`{{json (.Addresses "ROUTER")}}`:        "[]",
		`{{.Env "HOME"}}|{{.Env "PATH"}}`:       "/root|",
		`{{.Worker}}`:                           "a: 1",
		`{{.Router "GEN"}}|{{.Router "CTX"}}`:   "type: round_robin|",
		`no template, {} or {`:                  `no template, {} or {`,
		``:                                      "",
	} {
		if got, err := recipe.Render("text", text, theData()); got != want || err != nil {
			t.Errorf("%s is %q (%v), want %q", text, got, err, want)
		}
	}
}

// What cannot be rendered is told with the name of the template, and nothing comes of it.
func TestTemplatesThatFail(t *testing.T) {
	for text, want := range map[string]string{
		`{{add "eighty" 1}}`:   `cannot render template: template: place:1:2: executing "place" at <add "eighty" 1>`,
		`{{add "80a" 1}}`:      `cannot add to "80a": want a number`,
		`{{.Values.none}}`:     `map has no entry for key "none"`,
		`{{.Nothing}}`:         "can't evaluate field Nothing",
		`{{if}}`:               "cannot read template: template: place:1: missing value for if",
		`{{nofunction}}`:       `cannot read template: template: place:1: function "nofunction" not defined`,
		`{{indent -1 "a"}}`:    "error calling indent: strings: negative Repeat count",
		`{{json .Values.a.b}}`: "cannot render template",
		`{{template "x"}}`:     "cannot ",
		`{{pytest "cäse"}}`:    `pytest cannot be asked for test "cäse", because of its 'ä': rename the case's file`,
		`{{pytest "a[b"}}`:     `because of its '['`,
		`{{pytest "a]"}}`:      `because of its ']'`,
		`{{pytest "a\\b"}}`:    `because of its '\\'`,
	} {
		got, err := recipe.Render("place", text, theData())
		if err == nil || !strings.Contains(err.Error(), want) || got != "" {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}

// No program can be given a NUL character, as an argument or as a variable: it is refused when the plan is made.
func TestNULIsRefused(t *testing.T) {
	for _, text := range []string{"a\x00b", `{{"a\x00b"}}`, "{{.Host}}"} {
		_, err := recipe.Render("text", text, recipe.Data{Host: "a\x00b"})
		if err == nil || err.Error() != `"a\x00b" has a NUL character` {
			t.Errorf("%q: %v", text, err)
		}
	}
	_, err := recipe.Render("text", strings.Repeat("\x00", 10_000), recipe.Data{})
	if err == nil || len(err.Error()) > 1000 {
		t.Errorf("a long text is not quoted as a whole: %d bytes", len(err.Error()))
	}
}

// A template that defines another one does not define it for those that are rendered later.
func TestTemplatesKnowNothingOfEachOther(t *testing.T) {
	got, err := recipe.Render("a", `{{define "x"}}mine{{end}}{{template "x"}}`, recipe.Data{})
	if got != "mine" || err != nil {
		t.Fatal(got, err)
	}
	if got, err := recipe.Render("b", `{{template "x"}}`, recipe.Data{}); err == nil {
		t.Errorf("the other template's text is seen: %q", got)
	}
}

// A command's words are split as a shell splits them, after they were rendered; what renders to nothing is no argument,
// and what cannot be split is told with its place.
func TestArgsAreSplit(t *testing.T) {
	d := recipe.Data{Host: "two words"}
	for words, want := range map[string][]string{
		`{{.Host}}`: {"two", "words"}, `"{{.Host}}"`: {"two words"}, `{{""}}`: nil, ` `: nil, `''`: {""},
	} {
		got, err := recipe.RenderArgs("command", []recipe.Arg{{Words: words}}, d)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", words, err, diff)
		}
	}
	for words, want := range map[string]string{`it's`: "command[1]: ", "a {{": "template: command[1]:1"} {
		got, err := recipe.RenderArgs("command", []recipe.Arg{{Text: "fine"}, {Words: words}}, d)
		if err == nil || !strings.Contains(err.Error(), want) || got != nil {
			t.Errorf("%s: %q, %v, want %s", words, got, err, want)
		}
	}
}
