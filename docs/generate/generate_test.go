package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is generated is what is in the repository, and nothing else is there.
func TestGeneratedDocsAreUpToDate(t *testing.T) {
	t.Chdir("../..")
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Errorf("%v: run make docs", err)
			continue
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is out of date: run make docs\n%s", name, diff)
		}
	}
	for _, folder := range []string{"docs/schemas", "docs/reference", "docs/pictures"} {
		there, err := filepath.Glob(filepath.Join(folder, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range there {
			if _, ok := files[name]; !ok {
				t.Errorf("%s is not generated: remove it", name)
			}
		}
	}
}
