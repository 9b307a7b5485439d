package yamlfile_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// A fault has the line of the key that it begins with, if the file has that key; keys of lists have none.
func TestIn(t *testing.T) {
	const text = "a:\n  b: 1\n  c:\n\n    d: 2\nlist: [{e: 1}]\n"
	for fault, want := range map[string]string{
		"a: odd":           "f.yaml:1: a: odd",
		"a.b: 1: odd":      "f.yaml:2: a.b: 1: odd",
		"a.c: odd":         "f.yaml:3: a.c: odd",
		"a.c.d: odd":       "f.yaml:5: a.c.d: odd",
		"a.x: missing":     "f.yaml: a.x: missing",
		"x.y: missing":     "f.yaml: x.y: missing",
		"list[0].e: odd":   "f.yaml: list[0].e: odd",
		"a, list: missing": "f.yaml: a, list: missing",
		"nothing":          "f.yaml: nothing",
		"":                 "f.yaml: ",
	} {
		err := yamlfile.In("f.yaml", []byte(text), []error{errors.New(fault)})
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Error(diff)
		}
	}
	if err := yamlfile.In("f.yaml", []byte("a: [\n"), []error{errors.New("a: odd")}); err.Error() != "f.yaml: a: odd" {
		t.Error(err)
	}
	if err := yamlfile.In("f.yaml", []byte(text), nil); err != nil {
		t.Error(err)
	}
}
