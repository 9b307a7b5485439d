package golden

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Every case leads to what somebody has reviewed.
func TestGolden(t *testing.T) {
	files, err := cases("testdata/cases")
	if err != nil {
		t.Fatal(err)
	}
	p := aPlanner(t)
	for _, f := range files {
		t.Run(nameOf(f), func(t *testing.T) {
			got, err := p.describe(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			golden := goldenOf(f)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if string(want) != got || err != nil {
				t.Errorf("run with -update if this is meant: %v\n%s", err, difference(string(want), got))
			}
		})
	}
}

// difference shows how two golden files differ, by section: lines say little without the role that they are of.
func difference(want, got string) string {
	sections := func(text string) map[string]string {
		list := map[string]string{}
		for s := range strings.SplitSeq("\n"+text, "\n== ") {
			title, body, _ := strings.Cut(s, "\n")
			list[title] = body
		}
		return list
	}
	if diff := cmp.Diff(sections(want), sections(got)); diff != "" {
		return diff
	}
	return cmp.Diff(want, got) // the sections are in another order
}

func goldenOf(file string) string { return filepath.Join("testdata", nameOf(file)+".golden") }

func aPlanner(t testing.TB) *planner {
	t.Helper()
	p, err := newPlanner()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A golden file is that of a case: one that nothing is compared with would be believed.
func TestNoGoldenIsLeft(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden file was found: %v", err)
	}
	for _, f := range files {
		of := filepath.Join("testdata", "cases", nameOf(f)+".yaml")
		if _, err := os.Stat(of); errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: there is no %s: remove it", f, of)
		}
	}
}

// A change of what is rendered is seen.
func TestChangeIsSeen(t *testing.T) {
	files, err := cases("testdata/cases")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), filepath.Base(files[0]))
	if err := os.WriteFile(changed, append(data, "    one_more_key: 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := aPlanner(t).describe(t.Context(), changed)
	want, readErr := os.ReadFile(goldenOf(files[0]))
	if err = errors.Join(err, readErr); err != nil || got == string(want) {
		t.Errorf("another case leads to the same golden file: %v", err)
	}
}

// The configs of a folder can be planned and rendered, with every recipe that runs them and for every profile.
func TestRealConfigs(t *testing.T) {
	folder := os.Getenv("DISAGG_TEST_CONFIGS")
	if folder == "" {
		t.Skip("DISAGG_TEST_CONFIGS names no folder of configs")
	}
	files, err := cases(folder)
	if err != nil {
		t.Fatal(err)
	}
	p := aPlanner(t)
	for _, f := range files {
		text, err := p.describe(t.Context(), f)
		if err != nil {
			t.Errorf("%s: %v", f, err)
		}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "== ") && strings.Contains(line, ": refused: ") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
	t.Logf("%d configs of %s, %d recipes, %d profiles", len(files), folder, len(ways()), len(profiles))
}
