package yamlfile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A value is replaced or added, and everything else stays as people wrote it.
func TestSet(t *testing.T) {
	const text = `# what it is
x-common: &c {a: 1}
benchmark:
  mode: e2e # decides
  time: 02:00:00
  <<: *c
list: [1, "2"]
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
`},
		"added": {[]string{"other", "mode"}, text + "other:\n  mode: gen_only\n"},
	} {
		got, err := Set("f", []byte(text), "gen_only", tt.keys...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
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
		if _, err := Set("f", []byte(text), "v", "a", "b"); err == nil || err.Error() != want {
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
