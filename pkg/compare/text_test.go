package compare_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/compare"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
)

// printed is a comparison as people see it, without spaces at the ends of lines.
func printed(t *testing.T, c compare.Comparison) string {
	t.Helper()
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// The whole of what is printed: who is compared, what differs, what is missing, a table with a row a concurrency, and
// what its marks mean. A metric that one side lacks is a dash.
func TestWholeText(t *testing.T) {
	c := compare.Comparison{
		A: compare.Label{Name: "a"}, B: compare.Label{Name: "b", Verdict: protocol.Failed},
		Unknown: []string{"GPU", "checkout"}, Missing: []string{"b has no concurrency 8"},
		Rows: []compare.Row{{Concurrency: 4, Cells: []compare.Cell{
			{Metric: "tok_per_gpu", A: 250, B: 200, Change: -0.2, Mark: compare.Worse, Past: 9},
			{Metric: "median_ttft", A: 20, B: 30.04, Change: 0.502, Mark: compare.Unclear, Past: 2},
		}}, {Concurrency: 16, Cells: []compare.Cell{
			{Metric: "tok_per_gpu", A: 1, B: 2, Change: 1, Mark: compare.Better, Past: 8},
			{Metric: "p99_tpot", A: 1, B: 1, Mark: compare.Within, Past: 7},
		}}},
	}
	want := `A a
B b failed
differs: nothing known
not recorded for both: GPU, checkout
b has no concurrency 8

conc tok/s/GPU tok/s/user median TTFT ms P99 TTFT ms median TPOT ms P99 TPOT ms
4 250 -> 200 -20.0 % ▼ – 20.0 -> 30.0 +50.2 % ? – – –
16 1.00 -> 2.00 +100.0 % ▲ – – – – 1.00 -> 1.00 +0.0 %
? whether this is usual cannot be told: there are 2 earlier runs of this case
▼ worse, ▲ better than what the last 9 runs of this case span
`
	squeeze := func(text string) string { // how wide columns are is the library's affair
		var lines []string
		for line := range strings.SplitSeq(text, "\n") {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return strings.Join(lines, "\n")
	}
	if diff := cmp.Diff(want, squeeze(printed(t, c))); diff != "" {
		t.Error(diff)
	}
}

// What the marks mean is said of those that are there: that nothing can be told of some must not hide that of others
// it can.
func TestLegend(t *testing.T) {
	const unclear, judged = "? whether this is usual cannot be told: there are 3", "than what the last 30 runs"
	sure, other := compare.Cell{Mark: compare.Within, Past: 30}, compare.Cell{Mark: compare.Unclear, Past: 3}
	for name, tt := range map[string]struct {
		cells           []compare.Cell
		unclear, judged bool
	}{
		"only clear ones":   {[]compare.Cell{sure, sure}, false, true},
		"only unclear ones": {[]compare.Cell{other}, true, false},
		"both":              {[]compare.Cell{other, sure, other}, true, true},
		"none":              {nil, false, false},
	} {
		got := printed(t, compare.Comparison{Rows: []compare.Row{{Cells: tt.cells}}})
		if strings.Contains(got, unclear) != tt.unclear || strings.Contains(got, judged) != tt.judged {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// Without a row there is no table, and the reason stands alone.
func TestNoRows(t *testing.T) {
	want := "A  a\nB  b\ndiffers: nothing known\nmissing\n\nno concurrency was measured by both\n"
	got := printed(t, compare.Comparison{
		A: compare.Label{Name: "a"}, B: compare.Label{Name: "b"}, Missing: []string{"missing"},
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Of many differences the first are listed, and the others counted.
func TestManyDifferences(t *testing.T) {
	for n, want := range map[int]string{
		2: "\n  p0 0 -> none\n  p1 0 -> none\n", 12: "\n  p11 0 -> none\n", 13: "\n  p11 0 -> none\n  and 1 more\n",
		40: "\n  p11 0 -> none\n  and 28 more\n",
	} {
		var c compare.Comparison
		for i := range n {
			c.Differs = append(c.Differs, plan.Difference{Path: fmt.Sprint("p", i), A: 0})
		}
		var out strings.Builder
		c.PrintSides(&out)
		head := fmt.Sprintf("differs in %d things: which one did it cannot be told\n  p0 0 -> none\n", n)
		if got := out.String(); !strings.Contains(got, head) || !strings.HasSuffix(got, want) {
			t.Errorf("%d:\n%s", n, got)
		}
	}
}

// A number has about three digits.
func TestShort(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.126: "0.13", 9.99: "9.99", 10: "10.0", 99.94: "99.9", 100: "100", 123456.7: "123457",
	} {
		if got := compare.Short(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

// A heading has the unit where the label does not say it.
func TestHeading(t *testing.T) {
	var got []string
	for _, m := range compare.Metrics() {
		got = append(got, compare.Heading(m))
	}
	want := []string{"tok/s/GPU", "tok/s/user", "median TTFT ms", "P99 TTFT ms", "median TPOT ms", "P99 TPOT ms"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A side is named by what is known of it, its time in UTC.
func TestLabel(t *testing.T) {
	at := time.Date(2026, 11, 26, 1, 15, 0, 0, time.FixedZone("", 2*3600))
	for want, l := range map[string]compare.Label{
		"a": {Name: "a"}, "a  passed": {Name: "a", Verdict: protocol.Passed},
		"a  2026-11-25 23:15":         {Name: "a", At: at},
		"a  2026-11-25 23:15  failed": {Name: "a", At: at, Verdict: protocol.Failed},
	} {
		if got := l.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// full is where nothing can be written.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// A table that cannot be written is an error.
func TestNoSpace(t *testing.T) {
	c := compare.Comparison{Rows: []compare.Row{{Concurrency: 4}}}
	if err := c.Print(full{}); err == nil || err.Error() != "no space left" {
		t.Errorf("%v", err)
	}
}
