package live

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// loadingRow is the row of a server that loads.
func loadingRow(name string, percent int) row {
	return row{
		name: name, roles: 1, kind: roles.Ctx, state: loading, alive: 2, ranks: 2, spent: time.Minute,
		note: name + "'s", percent: percent, quiet: 3 * time.Second, hosts: []string{"h" + name},
	}
}

// Rows of one kind that are equally far are one, which tells of the slowest; others stay in their order.
func TestFold(t *testing.T) {
	slow, old, other, quiet := loadingRow("2", 10), loadingRow("3", 50), loadingRow("4", 5), loadingRow("5", 60)
	old.spent, old.alive, other.kind, quiet.quiet, quiet.lost = time.Hour, 1, roles.Gen, time.Minute, true
	far := loadingRow("6", 1)
	far.state = ready
	got := fold([]row{loadingRow("1", 30), far, slow, other, old, quiet})
	want := row{
		name: "1", roles: 4, kind: roles.Ctx, state: loading, alive: 7, ranks: 8, spent: time.Hour, note: "2's",
		percent: 10, quiet: time.Minute, hosts: []string{"h1", "h2", "h3", "h5"}, lost: true,
	}
	if diff := cmp.Diff([]row{want, far, other}, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Error(diff)
	}
	if got[0].title() != "4 × CTX" || got[1].title() != "6" {
		t.Errorf("%s, %s", got[0].title(), got[1].title())
	}
	if fold(nil) != nil {
		t.Error("nothing is something")
	}
}

// Folding writes into none of the rows that were given: their hosts stay their own.
func TestFoldCopies(t *testing.T) {
	hosts := make([]string, 1, 4)
	hosts[0] = "h1"
	a, b := loadingRow("1", 1), loadingRow("2", 2)
	a.hosts = hosts
	fold([]row{a, b})
	if spare := hosts[:2][1]; spare != "" {
		t.Errorf("behind the hosts of a row stands %q", spare)
	}
}

// As long as every role has room it has a row; one line less, and equal ones share theirs.
func TestRowsFold(t *testing.T) {
	v := small()
	if got := v.rows(at(0), 5); len(got) != 5 {
		t.Errorf("%d rows in 5 lines", len(got))
	}
	if got := v.rows(at(0), 4); len(got) != 4 || got[0].roles != 2 || got[0].ranks != 4 {
		t.Errorf("%+v", got)
	}
}

// A row has a bar while its server loads and has told how far it is, and is marked when a rank is lost.
func TestRow(t *testing.T) {
	v := small()
	r := v.find(&ctx0)
	v.Entry(protocol.Entry{
		Kind: progress, Role: &ctx0, At: at(1),
		Progress: &protocol.Progress{What: "weights", Percent: 7, Output: at(1)},
	})
	if got := v.row(r, at(2)); got.percent != -1 || got.quiet != -1 || got.note != "" {
		t.Errorf("before it loads: %+v", got)
	}
	tell(v, protocol.EntryAttached, ctx0, 0, 0)
	tell(v, started, ctx0, 0, 0)
	want := row{
		name: "CTX_0", roles: 1, kind: roles.Ctx, state: loading, alive: 1, ranks: 2, spent: 2 * time.Second,
		note: "weights 7 %", percent: 7, quiet: time.Second, hosts: []string{"n1"},
	}
	if diff := cmp.Diff(want, v.row(r, at(2)), cmp.AllowUnexported(row{})); diff != "" {
		t.Error(diff)
	}
	tell(v, protocol.EntryLost, ctx0, 1, 2)
	if got := v.row(r, at(2)); !got.lost || got.style() != Bad {
		t.Errorf("%+v", got)
	}
}

// A style says how a row stands; a lost rank outdoes all else.
func TestStyleOfRow(t *testing.T) {
	for s, want := range map[state]Style{
		absent: Faint, arriving: Faint, waiting: Faint, loading: Busy, ready: Good, running: Busy,
		ending: Faint, ended: Faint,
	} {
		if got := (row{state: s}).style(); got != want {
			t.Errorf("%s: %d, want %d", s, got, want)
		}
		if got := (row{state: s, lost: true}).style(); got != Bad {
			t.Errorf("%s with a lost rank: %d", s, got)
		}
	}
}

// In less room a row tells less: words go first, then the length of the bar, hosts, the bar, when it
// spoke, and its note.
func TestForms(t *testing.T) {
	r := loadingRow("7", 50)
	r.note, r.quiet, r.hosts, r.spent = "weights 50 %", 3*time.Second, []string{"n1", "n2"}, 90*time.Second
	want := []string{
		"  7  2/2 ranks  loading  1:30  weights 50 % ██████████░░░░░░░░░░  last line 3 s ago  n[1-2]",
		"  7  2/2 ranks  loading  1:30  weights 50 % █████░░░░░  last line 3 s ago  n[1-2]",
		"  7  2/2  loading  1:30  weights 50 % █████░░░░░  3 s  n[1-2]",
		"  7  2/2  loading  1:30  weights 50 % ███░░░  3 s  n[1-2]",
		"  7  2/2  loading  1:30  weights 50 % ███░░░  3 s",
		"  7  2/2  loading  1:30  weights 50 %  3 s",
		"  7  2/2  loading  1:30  weights 50 %",
		"  7  2/2  loading  1:30",
	}
	for i, line := range want {
		width := ansi.StringWidth(line)
		if got := table([]row{r}, width)[0].String(); got != line {
			t.Errorf("%d columns: %q, want %q", width, got, line)
		}
		next := want[min(i+1, len(want)-1)]
		if got := table([]row{r}, width-1)[0].String(); i < len(want)-1 && got != next {
			t.Errorf("%d columns: %q, want %q", width-1, got, next)
		}
	}
	if got := table([]row{r}, 12)[0].String(); got != "  7  2/2  l…" {
		t.Errorf("%q", got)
	}
}

// Columns are as wide as their widest cell, numbers stand to the right, bars below each other, and nobody's note is a
// bar who has none.
func TestTable(t *testing.T) {
	short, long, plain := loadingRow("1", 0), loadingRow("longer", 100), loadingRow("x", -1)
	short.note, long.note, plain.note = "a", "bcd", "a note that is longer than any of a bar"
	plain.spent, plain.quiet, long.spent, plain.hosts = 0, -1, 2*time.Hour, nil
	plain.alive, plain.ranks, plain.state = 10, 20, waiting
	var got []string
	for _, l := range table([]row{short, long, plain}, 200) {
		got = append(got, l.String())
	}
	want := []string{
		"  1         2/2 ranks  loading     1:00  a   ░░░░░░░░░░░░░░░░░░░░                 last line 3 s ago  h1",
		"  longer    2/2 ranks  loading  2:00:00  bcd ████████████████████                 last line 3 s ago  hlonger",
		"  x       10/20 ranks  waits             a note that is longer than any of a bar",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A column that nobody has anything in takes no room, and neither do blanks at an end.
func TestEmptyColumns(t *testing.T) {
	r := row{name: "a", roles: 1, ranks: 1, percent: -1, quiet: -1}
	if got := table([]row{r}, 80)[0].String(); got != "  a  0/1 ranks  absent" {
		t.Errorf("%q", got)
	}
	if got := (Line{{"a", Good}, {"  ", Plain}, {"", Bad}}).trim(); len(got) != 1 {
		t.Errorf("%q", got)
	}
	if got := (Line{{" ", Plain}}).trim(); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// What a child or a host calls itself cannot act upon the terminal.
func TestCellsArePrintable(t *testing.T) {
	r := loadingRow("1", 5)
	r.note, r.hosts = "a\x1b[2J", []string{"n\x07"}
	for _, width := range []int{200, 60} {
		got := table([]row{r}, width)[0].String()
		if strings.ContainsAny(got, "\x1b\x07") || !strings.Contains(got, "a·[2J") {
			t.Errorf("%q", got)
		}
	}
}

// A bar never leaves its width, whatever a damaged journal tells.
func TestGaugeBounds(t *testing.T) {
	for percent, want := range map[int]string{
		0: "░░░░", 1: "░░░░", 4: "▏░░░", 25: "█░░░", 99: "███▉", 100: "████", 101: "████", 1 << 40: "████",
	} {
		if got := gauge(percent, 4); got != want {
			t.Errorf("%d %%: %q, want %q", percent, got, want)
		}
	}
}
