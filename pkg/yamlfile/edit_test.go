package yamlfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// value is a value as it is written.
func value(t *testing.T, text string) Block {
	t.Helper()
	b, err := ParseBlock("value", text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A value is replaced or added, and everything else stays as people wrote it.
func TestSet(t *testing.T) {
	const text = `# what it is
x-common: &c {a: 1}
benchmark:
  mode: e2e # decides
  time: 02:00:00
  <<: *c
list: [1, "2"]
none: null
`
	for name, tt := range map[string]struct {
		keys []string
		want string
	}{
		"replaced": {[]string{"benchmark", "mode"}, `# what it is
x-common: &c {a: 1}
benchmark:
  mode: gen_only # decides
  time: 02:00:00
  <<: *c
list: [1, "2"]
none: null
`},
		"added": {[]string{"other", "mode"}, text + "other:\n  mode: gen_only\n"},
		"added where there was nothing": {
			[]string{"none", "mode"}, strings.Replace(text, "none: null\n", "none:\n  mode: gen_only\n", 1),
		},
	} {
		got, err := Set("f", []byte(text), value(t, "gen_only"), tt.keys...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Where other places share what is changed, they keep what they have.
func TestSetOfShared(t *testing.T) {
	const text = `x-common: &common {graph: {on: true, size: 8}, batch: 4}
gen: # decode
  <<: *common
  cache: &cache {part: 0.8, type: auto}
ctx:
  cache: *cache
`
	for name, tt := range map[string]struct {
		value, keys string
		want        [4]string // gen.cache.part, ctx.cache.part, gen.graph.size, gen.batch
	}{
		"what others refer to":          {"0.5", "gen.cache.part", [4]string{"0.5", "0.8", "8", "4"}},
		"what refers to others":         {"0.5", "ctx.cache.part", [4]string{"0.8", "0.5", "8", "4"}},
		"the whole that is referred to": {"{part: 1}", "gen.cache", [4]string{"1", "0.8", "8", "4"}},
		"a part of what is merged":      {"9", "gen.graph.size", [4]string{"0.8", "0.8", "9", "4"}},
		"what is merged":                {"null", "gen.batch", [4]string{"0.8", "0.8", "8", "null"}},
	} {
		data, err := Set("f", []byte(text), value(t, tt.value), strings.Split(tt.keys, ".")...)
		if err != nil {
			t.Fatal(err)
		}
		var doc Block
		if err := Decode("f", data, &doc); err != nil {
			t.Fatal(err)
		}
		var got [4]string
		for i, path := range []string{"gen.cache.part", "ctx.cache.part", "gen.graph.size", "gen.batch"} {
			got[i], _ = doc.At(path).Scalar()
		}
		if got != tt.want {
			t.Errorf("%s: %v, want %v in\n%s", name, got, tt.want, data)
		}
	}
}

// What cannot be changed is named.
func TestSetFaults(t *testing.T) {
	for text, want := range map[string]string{
		"a: [":         "f: yaml: line 1: did not find expected node content",
		"":             "f: it is empty",
		"a: [1]":       "f:1: a.b: want keys and values above it",
		"a: 'x'\nb: 1": "f:1: a.b: want keys and values above it",
	} {
		if _, err := Set("f", []byte(text), value(t, "v"), "a", "b"); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// A top-level key that begins with x- holds what others refer to, and is nobody's.
func TestKeysForAnchors(t *testing.T) {
	var v struct {
		A map[string]int `yaml:"a"`
	}
	if err := Decode("f", []byte("x-common: &c {b: 1}\na: {<<: *c}"), &v); err != nil || v.A["b"] != 1 {
		t.Errorf("%v, %v", v, err)
	}
	var w struct {
		A struct{} `yaml:"a"`
	}
	if err := Decode("f", []byte("a: {x-b: 1}"), &w); err == nil {
		t.Error("below the top it is as unknown as others")
	}
}
