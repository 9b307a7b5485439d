package yamlfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// Keys are taken out at the top only, in whatever order; the block itself keeps them. What has no keys is as it was.
func TestWithout(t *testing.T) {
	b := block(t, "a: 1\nb: {a: 2}\nc: 3\n")
	renders(t, b.Without("c", "a", "none"), "b: {a: 2}\n")
	renders(t, b.Without(), "a: 1\nb: {a: 2}\nc: 3\n")
	renders(t, b, "a: 1\nb: {a: 2}\nc: 3\n")
	renders(t, block(t, "[a, b]\n").Without("a"), "[a, b]\n")
	if got := (yamlfile.Block{}).Without("a"); !got.Absent() {
		t.Error("a block without anything has something")
	}
}

// A key that both have is the block's, as a whole, and comes where the block's keys do; what only the defaults have
// stays. What is absent gives nothing.
func TestOver(t *testing.T) {
	defaults, own := block(t, "a: {x: 1, y: 2}\nb: 3\n"), block(t, "c: 5\na: {x: 9}\n")
	for _, tt := range []struct {
		defaults, own yamlfile.Block
		want          string
	}{
		{defaults, own, "b: 3\nc: 5\na: {x: 9}\n"}, {yamlfile.Block{}, own, "c: 5\na: {x: 9}\n"},
		{defaults, yamlfile.Block{}, "a: {x: 1, y: 2}\nb: 3\n"},
		{defaults, block(t, "null"), "a: {x: 1, y: 2}\nb: 3\n"},
		{defaults, block(t, "{}"), "a: {x: 1, y: 2}\nb: 3\n"},
	} {
		got, err := yamlfile.Over(tt.defaults, tt.own)
		if err != nil {
			t.Fatal(err)
		}
		renders(t, got, tt.want)
	}
	renders(t, defaults, "a: {x: 1, y: 2}\nb: 3\n")
	for _, pair := range [][2]yamlfile.Block{{defaults, block(t, "\n- 1\n")}, {block(t, "\n- 1\n"), own}} {
		_, err := yamlfile.Over(pair[0], pair[1])
		var e *yamlfile.Error
		if !errors.As(err, &e) || e.Line != 2 || e.Problem != "a list: want keys and values" {
			t.Errorf("%v", err)
		}
	}
}

// A block is read as strictly as a file if that is wanted: an unknown key, or a wrong type, is named with its line.
func TestDecodeStrict(t *testing.T) {
	type shape struct {
		A int    `yaml:"a"`
		B string `yaml:"b"`
	}
	var got shape
	if err := block(t, "a: 1\nb: x\n").DecodeStrict("f.yaml", &got); err != nil || got.A != 1 || got.B != "x" {
		t.Errorf("%+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"a: 1\nc: x\n": "f.yaml:2: c: unknown key", "a: x\n": "f.yaml:1: a: ", "- 1\n": "f.yaml:1: ",
	} {
		err := block(t, text).DecodeStrict("f.yaml", &got)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	// Not strictly, an unknown key is another program's, and a fault is named below the block's own key.
	if err := block(t, "a: 2\nc: x\n").Decode("f.yaml", "top", &got); err != nil || got.A != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := block(t, "a: x\n").Decode("f.yaml", "top", &got); err == nil ||
		!strings.HasPrefix(err.Error(), "f.yaml:1: top.a: ") {
		t.Errorf("%v", err)
	}
}

// FuzzOver makes sure that of two mappings each key is there once, with the block's value where it has one.
func FuzzOver(f *testing.F) {
	f.Add("a: 1\nb: 2\n", "b: 3\n")
	f.Add("{a: {b: 1}}", "{a: null}")
	f.Add("? [x]\n: 1\n", "'': 1\n\"a\\nb\": 2\n")
	f.Fuzz(func(t *testing.T, first, second string) {
		a, errA := yamlfile.ParseBlock("a", first)
		b, errB := yamlfile.ParseBlock("b", second)
		if errA != nil || errB != nil || !a.IsMapping() || !b.IsMapping() {
			return
		}
		got, err := yamlfile.Over(a, b)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, path := range got.Paths() {
			if !strings.Contains(path, ".") && seen[path] {
				t.Errorf("%q is there twice", path)
			}
			seen[path] = true
			if text, ok := b.Get(path).Scalar(); ok {
				if over, _ := got.Get(path).Scalar(); over != text {
					t.Errorf("%q is %q, want %q", path, over, text)
				}
			}
		}
	})
}
