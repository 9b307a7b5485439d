package recipe_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// document reads the YAML of a file of a recipe's benchmark.
func document(t *testing.T, text string) (recipe.File, error) {
	t.Helper()
	files := "files: [{path: f.yaml, yaml: " + text + "}], command: [bench]"
	whole := strings.Replace(goodRecipe, "command: [bench]", files, 1)
	r, err := recipe.Parse("own.yaml", []byte(whole), nil)
	if err != nil {
		return recipe.File{}, err
	}
	return r.Roles[roles.Benchmark].Files[0], nil
}

// A file's structure is made of parts: what the parts give goes before the defaults, and what renders to nothing is
// left out with its key.
func TestDocument(t *testing.T) {
	d := recipe.Data{Host: "n1", Ranks: 8, Values: map[string]string{"more": "{b: [1, 2]}", "none": ""}}
	for text, want := range map[string]string{
		"{merge: [{a: 1}]}": "a: 1\n",
		"{merge: [{a: '{{.Host}}', n: !yaml '{{.Ranks}}'}]}":        "a: \"n1\"\nn: 8\n",
		"{merge: [{a: 1}, !yaml '{{.Values.more}}']}":               "a: 1\nb: [1, 2]\n",
		"{merge: [{a: 1}, !yaml '{{.Values.none}}']}":               "a: 1\n",
		"{merge: [{a: 1, b: !yaml '{{.Values.none}}'}]}":            "a: 1\n",
		"{merge: [{a: 1, b: '{{.Values.none}}'}]}":                  "a: 1\nb: \"\"\n",
		"{defaults: {a: 0, c: {d: 1}}, merge: [{a: 1, c: {e: 2}}]}": "a: 1\nc:\n  e: 2\n  d: 1\n",
		"{defaults: {a: '{{.Host}}'}, merge: [{b: 1}]}":             "b: 1\na: \"n1\"\n",
		"{merge: [{c: {d: 1}}, {c: {e: 2}}]}":                       "c:\n  d: 1\n  e: 2\n",
	} {
		f, err := document(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := f.Render(d); got != want || err != nil {
			t.Errorf("%s is %q (%v), want %q", text, got, err, want)
		}
	}
}

// The same structure as JSON.
func TestJSONFile(t *testing.T) {
	f := recipe.File{Path: "f.json", JSON: &recipe.Document{
		Defaults: "b: [x]", Merge: []string{`{a: "{{.Host}}", n: !yaml "{{.Ranks}}"}`},
	}}
	got, err := f.Render(recipe.Data{Host: `n"1`, Ranks: 8})
	var back map[string]any
	if err == nil {
		err = json.Unmarshal([]byte(got), &back)
	}
	want := map[string]any{"a": `n"1`, "n": 8.0, "b": []any{"x"}}
	if diff := cmp.Diff(want, back); diff != "" || err != nil {
		t.Errorf("%s: %v %s", got, err, diff)
	}
	f.JSON.Merge = append(f.JSON.Merge, "{a: 1}")
	if got, err := f.Render(recipe.Data{}); err == nil || !strings.Contains(err.Error(), "f.json: a: is given by") ||
		got != "" {
		t.Errorf("%q, %v", got, err)
	}
}

// A text file is a template, and a fault of it is told with the file's name.
func TestTextFile(t *testing.T) {
	got, err := recipe.File{Path: "host", Text: "{{.Host}}\n"}.Render(recipe.Data{Host: "n1"})
	if got != "n1\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := (recipe.File{Path: "host", Text: "{{.H}}"}).Render(recipe.Data{}); err == nil ||
		!strings.Contains(err.Error(), `executing "files.host"`) {
		t.Error(err)
	}
}

// What is no document is refused with its line and key, when the recipe is read.
func TestBadDocuments(t *testing.T) {
	for text, want := range map[string]string{
		"{}":                          ": want {merge: [PART, …]}",
		"{merge: []}":                 ": want {merge: [PART, …]}",
		"{defaults: {a: 1}}":          ": want {merge: [PART, …]}",
		"{merge: [{a: 1}], more: {}}": ".more: unknown key: check its spelling, or remove it",
		"{merge: {a: 1}}":             ".merge: keys and values: want a list",
		"text":                        `: "text": want keys and values`,
	} {
		want = "own.yaml:9: roles.BENCHMARK.files[0].yaml" + want
		if f, err := document(t, text); err == nil || err.Error() != want {
			t.Errorf("%s: %+v, %v, want %s", text, f.YAML, err, want)
		}
	}
}

// What cannot be made of a document's parts is told with the file and with whose part it is.
func TestDocumentsThatCannotBeMade(t *testing.T) {
	d := recipe.Data{Values: map[string]string{"text": "no keys", "broken": "a: [", "a": "a: 2"}}
	for want, doc := range map[string]recipe.Document{
		`the recipe is "no keys": want keys and values`: {Merge: []string{"no keys"}},
		`the case ({{.Values.text}}) is "no keys"`:      {Merge: []string{"!yaml '{{.Values.text}}'"}},
		`a: is given by the recipe and by the case ({{.Values.a}}): remove it from one of them`: {
			Merge: []string{"{a: 1}", `!yaml "{{.Values.a}}"`},
		},
		"cannot render template":     {Merge: []string{"{a: '{{.Values.none}}'}"}},
		`executing "files.f.yaml"`:   {Defaults: "{a: '{{.Values.none}}'}", Merge: []string{"{b: 1}"}},
		"f.yaml":                     {Merge: []string{"a: ["}},
		"f.yaml:2: not valid YAML":   {Defaults: "a: [", Merge: []string{"{b: 1}"}},
		"did not find expected node": {Merge: []string{"!yaml '{{.Values.broken}}'"}},
	} {
		got, err := recipe.File{Path: "f.yaml", YAML: &doc}.Render(d)
		if err == nil || !strings.Contains(err.Error(), want) || got != "" {
			t.Errorf("%+v: %q, %v, want %s", doc, got, err, want)
		}
	}
}

// A refusal in a file keeps its own words, and is told with the key that it stands at.
func TestRefusalInADocument(t *testing.T) {
	_, err := file("f.yaml", `{a: {b: '{{fail "it cannot be said"}}'}}`).Render(recipe.Data{})
	if err == nil || err.Error() != "a.b: it cannot be said" {
		t.Error(err)
	}
}
