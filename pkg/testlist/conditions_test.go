package testlist_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/testlist"
)

// oneBlock is a list of one test below a condition.
func oneBlock(condition string) string {
	return "l:\n- condition: " + condition + "\n  tests:\n  - a\n"
}

// A test is for a GPU, and a stage, that its block does not exclude: a block that says nothing is for all.
func TestConditions(t *testing.T) {
	for _, tt := range []struct {
		condition string
		f         testlist.Filter
		want      bool
	}{
		{"{}", testlist.Filter{GPU: "x", Stage: "y"}, true},
		{"{wildcards: {cpu: z}}", testlist.Filter{GPU: "x"}, true},
		{"{wildcards: {gpu: 'GB*'}}", testlist.Filter{}, true},
		{"{wildcards: {gpu: 'GB*'}}", testlist.Filter{GPU: "gb200"}, true},
		{"{wildcards: {gpu: 'GB*'}}", testlist.Filter{GPU: "b200"}, false},
		{"{wildcards: {gpu: [b100, '*b2?0']}}", testlist.Filter{GPU: "GB200"}, true},
		{"{wildcards: {gpu: []}}", testlist.Filter{GPU: "GB200"}, true},
		{"{terms: {stage: pre_merge}}", testlist.Filter{Stage: "pre_merge"}, true},
		{"{terms: {stage: pre_merge}}", testlist.Filter{Stage: "post_merge"}, false},
		{"{terms: {stage: pre_merge}}", testlist.Filter{}, true},
		{"{terms: {backend: x}}", testlist.Filter{Stage: "post_merge"}, true},
		{"{terms: {stage: [a]}}", testlist.Filter{Stage: "a"}, false},
		{"{terms: {stage: a}, wildcards: {gpu: b}}", testlist.Filter{Stage: "a", GPU: "c"}, false},
	} {
		tests, err := testlist.Parse("l.yml", []byte(oneBlock(tt.condition)))
		if got := testlist.Select(tests, tt.f); err != nil || (len(got) == 1) != tt.want {
			t.Errorf("%s with %+v: %v, %v", tt.condition, tt.f, got, err)
		}
	}
}

// A pattern that takes no name would leave its tests out in silence: it is refused where it stands.
func TestBadPatterns(t *testing.T) {
	for condition, want := range map[string]string{
		"{wildcards: {gpu: '[x'}}": "l.yml:2: l[0].condition.wildcards.gpu: \"[x\" is no pattern: syntax error " +
			"in pattern",
		"{wildcards: {gpu: [a, 'b[']}}": `"b[" is no pattern`,
		`{wildcards: {gpu: 'a\'}}`:      `"a\\" is no pattern`,
		"{wildcards: {gpu: {a: b}}}":    "l.yml:2: l[0].condition.wildcards.gpu: want a pattern, or a list of them",
		"{wildcards: {gpu: [[a]]}}":     "want a pattern, or a list of them",
		"{wildcards: a}":                "l.yml:2: l[0].condition.wildcards: ",
		"{ranges: {x: {gte: many}}}":    "l.yml:2: l[0].condition.ranges.x.gte: ",
		"{terms: [a]}":                  "l.yml:2: l[0].condition.terms: ",
	} {
		_, err := testlist.Parse("l.yml", []byte(oneBlock(condition)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", condition, err, want)
		}
	}
}

// Groups have every test once between them, in the list's order, and differ by one test at most.
func TestGroups(t *testing.T) {
	var text strings.Builder
	for i := range 10 {
		fmt.Fprintf(&text, "t%d\nt%d\n", i, i) // each twice
	}
	tests, err := testlist.Parse("l.txt", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	for groups := 1; groups <= 12; groups++ {
		seen := map[string]int{}
		for group := 1; group <= groups; group++ {
			chosen := testlist.Select(tests, testlist.Filter{Group: group, Groups: groups})
			if n := len(chosen); n < 10/groups || n > (10+groups-1)/groups {
				t.Errorf("group %d of %d has %d tests", group, groups, n)
			}
			for i, x := range chosen {
				seen[x.ID]++
				if i > 0 && chosen[i-1].ID >= x.ID {
					t.Errorf("group %d of %d: %s comes before %s", group, groups, chosen[i-1].ID, x.ID)
				}
			}
		}
		if len(seen) != 10 {
			t.Errorf("%d groups have %v", groups, seen)
		}
	}
}

// A waive counts for its own test and platform, the first of several by its reason; only SKIP leaves a test out.
func TestWaivesOfTests(t *testing.T) {
	waives := []testlist.Test{
		{ID: "a", Marker: testlist.Skip, Scope: "GB200", Place: "w:1"}, {ID: "a", Marker: testlist.XFail, Place: "w:2"},
		{ID: "a", Marker: testlist.Skip, Reason: "r", Place: "w:3"}, {ID: "a", Marker: testlist.Skip, Reason: "s"},
		{ID: "b", Marker: testlist.Skip, Scope: "GB200", Place: "w:5"},
	}
	for _, tt := range []struct{ id, platform, want string }{
		{"a", "gb200", "without a reason (w:1)"}, {"a", "b200", "r (w:3)"}, {"a", "", "r (w:3)"}, {"b", "", ""},
		{"b", "Gb200", "without a reason (w:5)"}, {"c", "gb200", ""},
	} {
		reason, ok := testlist.Waived(waives, testlist.Test{ID: tt.id}, tt.platform)
		if reason != tt.want || ok != (tt.want != "") {
			t.Errorf("%s on %q: %q, %v", tt.id, tt.platform, reason, ok)
		}
	}
}

// A single block may stand without a list around it; lists of one file keep the order of its lines.
func TestBlocks(t *testing.T) {
	tests, err := testlist.Parse("dir/l.yaml", []byte("z:\n"+
		"  condition: {ranges: {system_gpu_count: {lte: 4}}}\n  tests: [a]\n"+
		"b: []\na:\n- tests: [b, '# nothing', c]\n- {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range tests {
		got = append(got, fmt.Sprintf("%s %s %d", x.Place, x.ID, x.GPUs()))
	}
	if want := "dir/l.yaml:3 a 4, dir/l.yaml:6 b 0, dir/l.yaml:6 c 0"; strings.Join(got, ", ") != want {
		t.Errorf("%q", got)
	}
}

// A line is read in every order of its markers; what is none is refused with its place.
func TestLines(t *testing.T) {
	const behind = " after the test: want TIMEOUT (MINUTES), SKIP, XFAIL, UNSTABLE or ISOLATION"
	for text, want := range map[string]string{
		"a SKIP (x) TIMEOUT (5)": "a 5m0s SKIP x", "a TIMEOUT (5) SKIP(x)": "a 5m0s SKIP x", "a SKIP": "a 0s SKIP",
		"a SKIP ( x y )": "a 0s SKIP x y", "a TIMEOUT (43200)": "a 720h0m0s",
		"a TIMEOUT (1)": "a 1m0s", "a TIMEOUT (0)": "l.txt:1: TIMEOUT (0): want whole minutes, 1 to 43200",
		"a[b c]  UNSTABLE": "a[b c] 0s UNSTABLE",
		"\ta \r":           "a 0s", "a -k 'b c' -m d XFAIL": "a -k 'b c' -m d 0s XFAIL", "full:P/a[b]": "a[b] 0s of P",
		"#":                 "",
		"a TIMEOUT (43201)": `l.txt:1: TIMEOUT (43201): want whole minutes, 1 to 43200`,
		"a TIMEOUT":         `l.txt:1: TIMEOUT (): want whole minutes, 1 to 43200`,
		"a TIMEOUT (1.5)":   `l.txt:1: TIMEOUT (1.5): want whole minutes, 1 to 43200`,
		"a TIMEOUT (5":      `l.txt:1: TIMEOUT (): want whole minutes, 1 to 43200`,
		"a b":               `l.txt:1: cannot read "b"` + behind,
		"a SKIPPED":         `l.txt:1: cannot read "PED"` + behind,
		"full:P/":           `l.txt:1: cannot read "": want a test id`,
	} {
		tests, err := testlist.Parse("l.txt", []byte(text))
		got := ""
		for _, x := range tests {
			got = strings.TrimSpace(fmt.Sprintf("%s %v %s %s", x.ID, x.Limit.Std(), x.Marker, x.Reason))
			if x.Scope != "" {
				got += " of " + x.Scope
			}
		}
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
