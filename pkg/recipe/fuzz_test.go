package recipe_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/recipe"
)

// Whatever a recipe is made of: it is refused with its file's name, or all of it can be looked at, completed and
// rehearsed without harm.
func FuzzParse(f *testing.F) {
	f.Add([]byte(goodRecipe))
	for _, name := range recipe.Builtin() {
		text, _ := recipe.Text(name)
		f.Add(text)
	}
	f.Add([]byte(strings.Replace(goodRecipe, "[bench]", `["{{indent -1 .Host}}", {words: "{{add .Host 1}}"}]`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := recipe.Parse("own.yaml", data, func(string) ([]byte, error) { return []byte("x"), nil })
		if err != nil {
			if !strings.HasPrefix(err.Error(), "own.yaml") {
				t.Errorf("%v does not name the file", err)
			}
			return
		}
		for _, s := range r.Roles {
			_ = s.Complete(seconds(5)).Rehearse(theData())
		}
	})
}

// Whatever a block of a case holds: what a key gives stands under a key that counts as another one while nothing is
// known, and no longer once it is known.
func FuzzKeys(f *testing.F) {
	f.Add(block, "size")
	f.Add(block, "cache")
	f.Add("a: 1\nb: {c: 2}", "b")
	f.Add("? [a]\n: 1", "a")
	f.Fuzz(func(t *testing.T, text, name string) {
		if strings.Contains(name, ".") {
			return // a path: it is not listed by itself
		}
		d := recipe.Data{Values: map[string]string{"text": text, "name": name}}
		list := func(template string) (names []string) {
			out, err := recipe.Render("x", template, d)
			if err != nil || json.Unmarshal([]byte(out), &names) != nil {
				t.Skip(err)
			}
			return names
		}
		all := list("{{json (others .Values.text)}}")
		found, err := recipe.Render("x", "{{key .Values.text .Values.name}}", d)
		if err == nil && found != "" && !slices.Contains(all, name) {
			t.Errorf("%q has %q (%q), which is not among %q", text, name, found, all)
		}
		left := slices.DeleteFunc(all, func(other string) bool { return other == name })
		if rest := list("{{json (others .Values.text .Values.name)}}"); !slices.Equal(rest, left) {
			t.Errorf("%q: once %q is known, %q are others, want %q", text, name, rest, left)
		}
	})
}
