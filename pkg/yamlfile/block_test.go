package yamlfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// rest is the block of a sample with this text, indented or in flow style.
func rest(t *testing.T, text string) yamlfile.Block {
	t.Helper()
	var v sample
	if err := yamlfile.Decode("f.yaml", []byte("group:\n  rest:"+text+"\n"), &v); err != nil {
		t.Fatal(err)
	}
	return v.Group.Rest
}

// block is one that must be valid.
func block(t *testing.T, text string) yamlfile.Block {
	t.Helper()
	b, err := yamlfile.ParseBlock("b.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// renders checks what a block is written as.
func renders(t *testing.T, b yamlfile.Block, want string) {
	t.Helper()
	got, err := b.Text()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A block keeps the spelling of its values: its reader decides what they mean. Aliases are resolved, so that the block
// stands alone.
func TestBlockPassesThrough(t *testing.T) {
	b := rest(t, `
    first: &shared
      on: yes
      small: 1e-3
      time: 12:00:00
    second: *shared
    list: [1, 0.90, "1GiB"]
    nothing: null`)
	renders(t, b, `first:
  on: yes
  small: 1e-3
  time: 12:00:00
second:
  on: yes
  small: 1e-3
  time: 12:00:00
list: [1, 0.90, "1GiB"]
nothing: null
`)
}

// What the library itself would write so that it reads differently is written in another way: no value in flow style,
// and texts that begin with an empty line.
func TestBlockIsNotChanged(t *testing.T) {
	b := rest(t, " {a: , b}")
	renders(t, b, "{a: null, b: null}\n")
	renders(t, rest(t, "\n    a: |\n\n      x\n    b: >-\n\n      y\n      z"), `a: "\nx\n"
b: "\ny z"
`)
}

// Merge keys are resolved. A mapping's own keys win, and of several merged mappings the first.
func TestBlockMergeKeys(t *testing.T) {
	b := rest(t, `
    one: &one {a: 1, b: 1}
    two: &two {b: 2, c: 2, <<: {d: 2}}
    single: {<<: *one, a: 0}
    several:
      b: 0
      <<: [*two, *one, {e: 3}]
    "<<": a plain key`)
	renders(t, b, `one: {a: 1, b: 1}
two: {b: 2, c: 2, d: 2}
single: {a: 0, b: 1}
several:
  b: 0
  c: 2
  d: 2
  a: 1
  e: 3
"<<": a plain key
`)
}

// An alias can stand for a key too.
func TestBlockAliasedKey(t *testing.T) {
	renders(t, rest(t, "\n    name: &n x\n    *n : 1"), "name: x\nx: 1\n")
}

// A block tells what it is, and gives out its parts.
func TestBlockParts(t *testing.T) {
	b := rest(t, "\n    a: {b: x}\n    c: [1]\n    d: null")
	if !b.IsMapping() || b.Line() != 3 || b.Get("c").Line() != 4 {
		t.Errorf("a mapping: %v, in line %d, c in line %d", b.IsMapping(), b.Line(), b.Get("c").Line())
	}
	if text, ok := b.Get("a").Get("b").Scalar(); text != "x" || !ok {
		t.Errorf("a.b is %q, %v", text, ok)
	}
	for name, part := range map[string]yamlfile.Block{"a mapping": b.Get("a"), "a list": b.Get("c"), "nothing": {}} {
		if text, ok := part.Scalar(); ok || part.Get("x").Line() != 0 {
			t.Errorf("%s is the text %q, or has a part x", name, text)
		}
	}
	if b.Get("c").IsMapping() || b.Get("e").IsMapping() {
		t.Error("what is no mapping is one")
	}
}

// A block tells which paths lead into it, and what is there; a struct tells which it has fields for.
func TestPaths(t *testing.T) {
	b := block(t, "a: {b: {c: 1}, d: [{e: 1}]}\nf: null\ng: 1.5\nh: yes\ni: true\n")
	want := []string{"a", "a.b", "a.b.c", "a.d", "f", "g", "h", "i"}
	if diff := cmp.Diff(want, b.Paths()); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]yamlfile.Kind{
		"a": yamlfile.Mapping, "a.b.c": yamlfile.Number, "a.d": yamlfile.List, "f": yamlfile.Nothing,
		"g": yamlfile.Number, "h": yamlfile.Text, "i": yamlfile.Truth, "a.x": yamlfile.Nothing, "g.x": yamlfile.Nothing,
	} {
		if got := b.At(path).Kind(); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	type inner struct {
		A      int            `yaml:"a"`
		Block  yamlfile.Block `yaml:"block"`
		Others map[string]any `yaml:",inline"`
		hidden int
	}
	type outer struct {
		Inner inner  `yaml:"inner"`
		Text  string `yaml:"text"`
		No    string `yaml:"-"`
	}
	_ = inner{}.hidden
	if diff := cmp.Diff([]string{"inner", "inner.a", "inner.block", "text"}, yamlfile.Paths(outer{})); diff != "" {
		t.Error(diff)
	}
}

// A block that is missing or null is absent, and is written as nothing.
func TestBlockAbsent(t *testing.T) {
	for name, b := range map[string]yamlfile.Block{
		"null": rest(t, " null"), "~": rest(t, " ~"), "no value": rest(t, ""),
		"an alias of null": rest(t, " {x: &n null, y: *n}").Get("y"),
		"a missing key":    rest(t, " {}").Get("x"), "an empty text": block(t, " \n"), "zero": {},
	} {
		text, err := b.Text()
		json, jerr := b.JSON()
		if !b.Absent() || text != "" || json != "" || err != nil || jerr != nil {
			t.Errorf("%s: absent %v, %q, %q, %v, %v", name, b.Absent(), text, json, err, jerr)
		}
		v := 7
		if err := b.Decode("f.yaml", "x", &v); err != nil || v != 7 {
			t.Errorf("%s: decoded as %d, %v", name, v, err)
		}
	}
	if rest(t, " {}").Absent() || rest(t, ` ""`).Absent() {
		t.Error("what is empty is absent")
	}
}

// A block is read by who knows it: keys of others are fine, faults name the key in the whole file.
func TestBlockDecode(t *testing.T) {
	b := rest(t, "\n    size: 4\n    others: {x: 1}\n    list: [{size: many}]")
	var v struct {
		Size int `yaml:"size"`
		List []struct {
			Size int `yaml:"size"`
		} `yaml:"list"`
	}
	refuses(t, b.Decode("f.yaml", "group.rest", &v), `f.yaml:5: group.rest.list[0].size: "many": want a whole number`)
	if v.Size != 4 {
		t.Errorf("size is %d", v.Size)
	}
}

// A text that is no block says where.
func TestParseBlockFaults(t *testing.T) {
	_, err := yamlfile.ParseBlock("b.yaml", "a: 1\na: 2\n")
	refuses(t, err, "b.yaml:2: a: is given twice, first in line 1: keep one")
	_, err = yamlfile.ParseBlock("b.yaml", "{")
	refuses(t, err, "b.yaml:2: not valid YAML: did not find expected node content")
}

// A relative path under some keys is joined to a folder; what is none, or is not there, stays as it is. The block that
// was given stays too.
func TestBlockJoinPath(t *testing.T) {
	text := "moe: {balancer: a/b.yaml}\nother: {balancer: {slots: 1}}\nabs: /x\nnone: null\n"
	b := block(t, text)
	joined := b
	for _, keys := range [][]string{
		{"moe", "balancer"}, {"other", "balancer"}, {"abs"}, {"none"}, {"missing", "x"}, {"abs", "x"},
	} {
		joined = joined.JoinPath("/root", keys...)
	}
	renders(t, joined, strings.Replace(text, "a/b.yaml", `"/root/a/b.yaml"`, 1))
	renders(t, b, text)
}

// A block as JSON has its keys in order and its numbers as they are written, where JSON has such numbers.
func TestBlockJSON(t *testing.T) {
	got, err := block(t, `
z: {b: 1.0, a: 1e-3, c: -0}
numbers: [0x10, 012, +5, .5, 1_000, 123456789012345678901234567890]
words: [yes, "1", 12:00:00, 2026-01-02, True, ~, "a\"b\né"]
1: [[], {}]
text: |
  two
  lines
`).JSON()
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "z": {
    "b": 1.0,
    "a": 1e-3,
    "c": -0
  },
  "numbers": [
    16,
    10,
    5,
    0.5,
    1000,
    123456789012345678901234567890
  ],
  "words": [
    "yes",
    "1",
    "12:00:00",
    "2026-01-02",
    true,
    null,
    "a\"b\né"
  ],
  "1": [
    [],
    {}
  ],
  "text": "two\nlines\n"
}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err = block(t, "a: [{b: 1}, {b: .inf}]").JSON()
	refuses(t, err, "a.b: cannot be written as JSON: json: unsupported value: +Inf")
}
