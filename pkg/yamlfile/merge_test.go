package yamlfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// Blocks are merged deeply, in order, and the defaults give way to all of them.
func TestMerge(t *testing.T) {
	const (
		low    = "a: {x: 0, deep: {y: 0}}\nonly: {deep: {y: 0}}\nlist: [0]\nb: 0\nnothing: 0\n"
		first  = "a: {x: 1, deep: {z: 1}}\nonly: {deep: {z: 1}}\nlist: [1]\n"
		second = "c: 2\na: {deep: {v: 2}, w: 2}\nnothing: null\n"
	)
	defaults, parts := block(t, low), []yamlfile.Block{block(t, first), {}, block(t, second), block(t, "null")}
	got, err := yamlfile.Merge(defaults, parts, []string{"first", "second", "third", "fourth"})
	if err != nil {
		t.Fatal(err)
	}
	renders(t, got, "a: {x: 1, deep: {z: 1, v: 2, y: 0}, w: 2}\nonly: {deep: {z: 1, y: 0}}\nlist: [1]\nc: 2\n"+
		"nothing: null\nb: 0\n")
	renders(t, parts[0], first) // what went in stays as it was
	renders(t, parts[2], second)
	renders(t, defaults, low)
}

// Of nothing comes an empty mapping.
func TestMergeOfNothing(t *testing.T) {
	got, err := yamlfile.Merge(yamlfile.Block{}, nil, nil)
	if err != nil || got.Absent() {
		t.Errorf("absent: %v, %v", got.Absent(), err)
	}
	renders(t, got, "{}\n")
}

// A key that two parts give is refused by name, with who gives it: neither would know that it does not count.
func TestMergeFaults(t *testing.T) {
	const both = " is given by the case and by the recipe: remove it from one of them"
	for name, tt := range map[string]struct{ defaults, first, second, want string }{
		"twice":           {"", "a: 1", "a: 1", "a:" + both},
		"twice, deeper":   {"", "a: {b: {c: 1}}", "a: {b: {c: 2}}", "a.b.c:" + both},
		"one is a list":   {"", "a: {b: 1}", "a: [1]", "a:" + both},
		"one is null":     {"", "a: null", "a: {b: 1}", "a:" + both},
		"no mapping":      {"", "a: 1", "[1]", "the recipe is a list: want keys and values"},
		"a text":          {"", "a", "b: 1", `the case is "a": want keys and values`},
		"a default list":  {"[b, 1]", "a: 1", "", "the defaults are a list: want keys and values"},
		"a default value": {"7", "a: 1", "", `the defaults are "7": want keys and values`},
	} {
		t.Run(name, func(t *testing.T) {
			parts := []yamlfile.Block{block(t, tt.first), block(t, tt.second)}
			_, err := yamlfile.Merge(block(t, tt.defaults), parts, []string{"the case", "the recipe"})
			refuses(t, err, tt.want)
		})
	}
}

// A key under one that an earlier merge brought is told by who gave that.
func TestMergeNamesTheGiver(t *testing.T) {
	parts := []yamlfile.Block{block(t, "a: {b: 1}"), block(t, "a: {c: 1}"), block(t, "a: {c: 2}")}
	_, err := yamlfile.Merge(yamlfile.Block{}, parts, []string{"one", "two", "three"})
	refuses(t, err, "a.c: is given by two and by three: remove it from one of them")
}

// upper renders a text as a template would: in upper case, and what follows "raw:" as it stands.
func upper(text string) (string, error) {
	if raw, ok := strings.CutPrefix(text, "raw:"); ok {
		return raw, nil
	}
	if text == "bad" {
		return "", errors.New("no such field")
	}
	return strings.ToUpper(text), nil
}

// Every text is rendered and stays a text, whatever it looks like; a tagged one is put in as data, and left out with
// its key if there is none. Numbers and keys stay as they are.
func TestExpand(t *testing.T) {
	b := block(t, `
text: abc
number-like: raw:5
data: !yaml "raw:{x: [1, 1.0]}"
json: !yaml 'raw:{"y": "5"}'
none: !yaml "raw:"
"null": !yaml "raw:null"
list: [a, !yaml "raw:", !yaml "raw:b", 7, true, null]
1: {deep: a}
`)
	got, err := b.Expand("f", upper)
	if err != nil {
		t.Fatal(err)
	}
	renders(t, got, `text: "ABC"
number-like: "5"
data: {x: [1, 1.0]}
json: {"y": "5"}
list:
  - "A"
  - b
  - 7
  - true
  - null
1:
  deep: "A"
`)
	for _, text := range []string{"", `!yaml "raw:"`} {
		if b, err := block(t, text).Expand("f", upper); err != nil || !b.Absent() {
			t.Errorf("%q: absent %v, %v", text, b.Absent(), err)
		}
	}
}

// A text that cannot be rendered, or whose result is not YAML, is told by its key.
func TestExpandFaults(t *testing.T) {
	for text, want := range map[string]string{
		"a: {b: [x, bad]}":          "f.a.b[1]: no such field",
		`a: !yaml "raw:{x: 1,"`:     "f.a:2: not valid YAML: did not find expected node content",
		`a: !yaml "raw:x: 1\nx: 2"`: "f.a:2: x: is given twice, first in line 1: keep one",
	} {
		_, err := block(t, text).Expand("f", upper)
		refuses(t, err, want)
	}
}
