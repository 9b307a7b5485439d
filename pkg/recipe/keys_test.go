package recipe_test

import (
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

const block = `
size: 4
on: Yes
off: False
name: "true enough"
none: ~
cache: {dtype: fp8, reuse: false, more: {a: 1}}
own: {x-y: [1, 2]}
`

// A block of the case is asked for its keys, and for those that a recipe does not know.
func TestKeys(t *testing.T) {
	d := recipe.Data{
		Role: roles.Role{Kind: roles.Gen}, Case: roles.Case{WorkerConfig: map[roles.Kind]string{roles.Gen: block}},
	}
	for text, want := range map[string]string{
		`{{key .Worker "size"}}`:               "4",
		`{{key .Worker "on"}}`:                 "true",
		`{{key .Worker "off"}}`:                "false",
		`{{key .Worker "name"}}`:               "true enough",
		`{{key .Worker "none"}}`:               "",
		`{{key .Worker "gone.further"}}`:       "",
		`{{key .Worker "size.further"}}`:       "",
		`{{key .Worker "cache.dtype"}}`:        "fp8",
		`{{key .Worker "cache.more"}}`:         "{a: 1}\n",
		`{{key "" "size"}}`:                    "",
		`{{key "a: 'true'" "a"}}`:              "true",
		`{{others "a: 1" "a.b"}}`:              "[a]", // there is nothing below it
		`{{others "a: {b: 1}" "a"}}`:           "[]",
		`{{others .Worker "size" "own"}}`:      "[cache name none off on]",
		`{{others "" "size"}}`:                 "[]",
		`{{with others "{a: 1}" "a"}}x{{end}}`: "",
		`{{others .Worker "size" "on" "off" "name" "none" "own" "cache.dtype" "cache.more.a"}}`: "[cache.reuse]",
	} {
		if got, err := recipe.Render("text", text, d); got != want || err != nil {
			t.Errorf("%s is %q (%v), want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		`{{key "a: [" "a"}}`:                 "a:",
		`{{others "text" "a"}}`:              "want keys and values",
		`{{others "a: 1\na: 2"}}`:            "a",
		`{{others "a: {b: 1, b: 2}" "a.c"}}`: "b",
		`{{fail (printf "no %s" "way")}}`:    "no way",
	} {
		if _, err := recipe.Render("text", text, d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := recipe.Render("text", `{{fail "no way"}}`, d); err == nil || err.Error() != "no way" {
		t.Errorf("a Refusal is told as %v, want it in its own words", err)
	}
}
