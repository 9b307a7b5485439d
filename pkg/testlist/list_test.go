package testlist_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/testlist"
)

const ours = "perf/test_perf_sanity.py::test_e2e"

const twoBlocks = `# a list with two blocks
version: 0.0.1
l0_x200_ctx1:
- condition:
    ranges:
      system_gpu_count: {gte: 12, lte: 12}
    wildcards:
      gpu: ['*x200*']
      linux_distribution_name: ubuntu*
      cpu: aarch64
    terms: {stage: pre_merge, backend: pytorch}
  tests:
  - ` + ours + `[disagg_upload-e2e-a] TIMEOUT (90)
- condition:
    wildcards:
      gpu: x300
    terms: {stage: post_merge, supports_fp8: true}
  tests:
  - ` + ours + `[disagg_upload-e2e-a] TIMEOUT (90)
  - ` + ours + `[disagg_upload-gen_only-a] TIMEOUT(180)# behind its marker
  # - ` + ours + `[disagg_upload-e2e-other]
  - ` + ours + `[disagg-e2e-b]  # a comment
other:
  tests:
  - unittest/some/test_other.py -k "not slow"
  - ` + ours + `[disagg-e2e-c] SKIP (https://example.invalid/1) TIMEOUT (60)
`

// A YAML list has blocks with conditions; its lines have markers and comments.
func TestYAML(t *testing.T) {
	tests, err := testlist.Parse("l.yml", []byte(twoBlocks))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range tests {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %v %s %s", x.Place, strings.TrimPrefix(x.ID, ours),
			x.Limit.Std(), x.Marker, x.Reason)))
	}
	want := []string{
		"l.yml:13 [disagg_upload-e2e-a] 1h30m0s", "l.yml:19 [disagg_upload-e2e-a] 1h30m0s",
		"l.yml:20 [disagg_upload-gen_only-a] 3h0m0s", "l.yml:22 [disagg-e2e-b] 0s",
		`l.yml:25 unittest/some/test_other.py -k "not slow" 0s`,
		"l.yml:26 [disagg-e2e-c] 1h0m0s SKIP https://example.invalid/1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := tests[0].GPUs(); n != 12 || tests[1].GPUs() != 0 {
		t.Errorf("%d GPUs", n)
	}
}

// A filter chooses blocks by stage and GPU, tests by a part of their id, and one of several groups; an id that a list
// has twice is run once.
func TestSelect(t *testing.T) {
	tests, err := testlist.Parse("l.yml", []byte(twoBlocks))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		f    testlist.Filter
		want string
	}{
		"all":                   {testlist.Filter{}, "13 20 22 25 26"},
		"a stage":               {testlist.Filter{Stage: "post_merge"}, "19 20 22 25 26"},
		"a GPU by stars":        {testlist.Filter{GPU: "GX200"}, "13 25 26"},
		"a GPU by its name":     {testlist.Filter{GPU: "X300"}, "19 20 22 25 26"},
		"a name is the whole":   {testlist.Filter{GPU: "gx300"}, "25 26"},
		"a part of the id":      {testlist.Filter{Contains: "gen_only"}, "20"},
		"the first of two":      {testlist.Filter{Group: 1, Groups: 2}, "13 22 26"},
		"the second of two":     {testlist.Filter{Group: 2, Groups: 2}, "20 25"},
		"more groups than that": {testlist.Filter{Group: 9, Groups: 9}, ""},
	} {
		var lines []string
		for _, x := range testlist.Select(tests, tt.f) {
			lines = append(lines, strings.TrimPrefix(x.Place, "l.yml:"))
		}
		if got := strings.Join(lines, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// A stage that is in no block, and is none of upstream's, is refused; so is any of a list without blocks.
func TestCheckStage(t *testing.T) {
	blocks, err := testlist.Parse("l.yml", []byte(strings.ReplaceAll(twoBlocks, "stage: pre_merge", "stage: nightly")))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := testlist.Parse("l.txt", []byte(ours+"[x]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		tests []testlist.Test
		stage string
		want  string
	}{
		"none":             {blocks, "", ""},
		"a block's":        {blocks, "nightly", ""},
		"upstream's":       {blocks, "pre_merge", ""},
		"another":          {blocks, "pre_merg", `stage "pre_merg": want one of pre_merge, post_merge, nightly`},
		"none, by lines":   {lines, "", ""},
		"one, without any": {lines, "pre_merge", `stage "pre_merge": a list with one test a line has none`},
	} {
		err := testlist.Filter{Stage: tt.stage}.Check(tt.tests)
		if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %q", name, got, tt.want)
		}
	}
}

// A text list has one test a line; comments are sections. A waive may be for one platform alone.
func TestTextAndWaives(t *testing.T) {
	text := "# a section\n\n" + ours + "[disagg-e2e-a]\n" + ours + "[disagg-e2e-b] XFAIL\n"
	list, err := testlist.Parse("q.txt", []byte(text))
	if err != nil || len(list) != 2 || list[1].Marker != testlist.XFail || list[0].GPUs() != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	waives, err := testlist.Parse("waives.txt", []byte(ours+"[disagg-e2e-a] SKIP (why)\nfull:GB200/"+ours+
		"[disagg-e2e-b] SKIP\n"+ours+"[disagg-e2e-c] UNSTABLE\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		id, platform, want string
	}{
		"waived":              {"a", "", "why (waives.txt:1)"},
		"on its platform":     {"b", "gb200", "without a reason (waives.txt:2)"},
		"on another platform": {"b", "b200", ""},
		"only unstable":       {"c", "", ""},
	} {
		reason, ok := testlist.Waived(waives, testlist.Test{ID: ours + "[disagg-e2e-" + tt.id + "]"}, tt.platform)
		if reason != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %q, %t", name, reason, ok)
		}
	}
}

// What cannot be read is named with its place.
func TestFaults(t *testing.T) {
	for file, tt := range map[string]struct{ text, want string }{
		"a.txt": {"\n" + ours + "[x] TIMEOUT (soon)", "a.txt:2: TIMEOUT (soon): want whole minutes"},
		"b.txt": {ours + "[x] PERHAPS", `b.txt:1: cannot read "PERHAPS" after the test: want TIMEOUT`},
		"c.csv": {"", "cannot read list c.csv: want a file that ends in"},
		"d.yml": {"version: 1\nl:\n- tests:\n  - a TIMEOUT (0)\n", "d.yml:4: TIMEOUT (0): want whole minutes"},
		"e.yml": {"version: 1\nl:\n- test: []\n", "e.yml:3: l[0].test: unknown key"},
		"f.yml": {"version: 1\nl:\n- tests: [{a: b}]\n", "want the text of a test"},
		"g.yml": {"l: 3\n", "g.yml:1: l: "},
	} {
		if _, err := testlist.Parse(file, []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", file, err, tt.want)
		}
	}
	for text, want := range map[string][2]int{"1/4": {1, 4}, "4/4": {4, 4}} {
		if n, m, err := testlist.ParseSplit(text); err != nil || [2]int{n, m} != want {
			t.Errorf("%s: %d/%d, %v", text, n, m, err)
		}
	}
	for _, text := range []string{"", "1", "0/4", "5/4", "a/b", "1/4/4"} {
		want := fmt.Sprintf("cannot read %q: want N/M, such as 1/4", text)
		if _, _, err := testlist.ParseSplit(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A line of a list may be passed for a case; every other name stays as it is.
func TestPasted(t *testing.T) {
	const id = ours + "[disagg-e2e-a]"
	for text, want := range map[string]testlist.Test{
		id:                                     {ID: id},
		"  " + id + " TIMEOUT (90)":            {ID: id, Limit: roles.Duration(90 * time.Minute)},
		id + " TIMEOUT(60) # slow":             {ID: id, Limit: roles.Duration(time.Hour)},
		id + " # a comment":                    {ID: id},
		id + " SKIP (https://x.invalid)":       {ID: id, Marker: testlist.Skip, Reason: "https://x.invalid"},
		"full:GB200/" + id + " XFAIL":          {ID: id, Marker: testlist.XFail, Scope: "GB200"},
		"disagg-e2e-a TIMEOUT (120) ISOLATION": {ID: "disagg-e2e-a", Limit: roles.Duration(2 * time.Hour)},
		"disagg-e2e-a ISOLATION SKIP (slow)":   {ID: "disagg-e2e-a", Marker: testlist.Skip, Reason: "slow"},
		"disagg-e2e-a UNSTABLE":                {ID: "disagg-e2e-a", Marker: testlist.Unstable},
		"my cases/a TIMEOUT.yaml":              {ID: "my cases/a TIMEOUT.yaml"},
		"cases[1] a/b.yaml":                    {ID: "cases[1] a/b.yaml"},
		"cases/a#b.yaml":                       {ID: "cases/a#b.yaml"},
		"unittest/other.py -k \"TIMEOUT\"":     {ID: "unittest/other.py -k \"TIMEOUT\""},
		"":                                     {},
	} {
		got, err := testlist.Pasted(text)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(testlist.Test{})); diff != "" || err != nil {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
	for text, want := range map[string]string{
		"TIMEOUT (soon)": "cannot read the line: TIMEOUT (soon): want whole minutes, 1 to 43200",
		"PERHAPS":        `cannot read the line: cannot read "PERHAPS" after the test: want TIMEOUT (MINUTES)`,
	} {
		if _, err := testlist.Pasted(id + " " + text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("l.yml", twoBlocks)
	f.Add("l.txt", ours+"[a-b] TIMEOUT (90) SKIP (x) # c\nfull:x/a[b]\n")
	f.Fuzz(func(t *testing.T, file, text string) {
		tests, err := testlist.Parse(file, []byte(text))
		if err != nil {
			return
		}
		for _, x := range tests {
			if x.ID == "" || x.Place == "" || x.Limit < 0 || x.Limit > roles.Duration(60*24*time.Hour) {
				t.Errorf("%+v", x)
			}
		}
		if n := len(testlist.Select(tests, testlist.Filter{})); n > len(tests) {
			t.Errorf("%d of %d", n, len(tests))
		}
	})
}
