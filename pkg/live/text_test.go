package live

import (
	"slices"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// Names of hosts are written as schedulers do.
func TestCompress(t *testing.T) {
	for want, names := range map[string][]string{
		"":                    nil,
		"n1":                  {"n1", "n1"},
		"n[05-08,10]":         {"n08", "n05", "n06", "n10", "n07"},
		"n9,n[10-11]":         {"n9", "n10", "n11"},
		"rack[1-2]":           {"rack1", "rack2"},
		"login,gpu-a[98-99]":  {"login", "gpu-a98", "gpu-a99"},
		"n[098-101]":          {"n098", "n099", "n100", "n101"},
		"n[1-2],m[1-2],n.x,k": {"n1", "m1", "n2", "m2", "n.x", "k"},
	} {
		if got := compress(names); got != want {
			t.Errorf("%v: %q, want %q", names, got, want)
		}
	}
}

// Times are written as clocks show them, and in words.
func TestTimes(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0: {"0:00", "0 s"}, 59900 * time.Millisecond: {"0:59", "59 s"}, 662 * time.Second: {"11:02", "11 min"},
		7320 * time.Second: {"2:02:00", "2 h 2 min"}, time.Hour: {"1:00:00", "60 min"},
	} {
		if got := [2]string{clock(d), span(d)}; got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// A bar is as wide as it is to be, and grows.
func TestGauge(t *testing.T) {
	var seen []string
	for percent := range 101 {
		g := gauge(percent, 10)
		if ansi.StringWidth(g) != 10 {
			t.Fatalf("%d %%: %q", percent, g)
		}
		seen = append(seen, g)
	}
	if seen[0] != "░░░░░░░░░░" || seen[100] != "██████████" || len(slices.Compact(seen)) < 80 {
		t.Errorf("%q", seen)
	}
}

// A line is cut to a width, and keeps its styles.
func TestCut(t *testing.T) {
	l := Line{{"abc", Good}, {"defg", Bad}}
	for width, want := range map[int]string{0: "", 1: "…", 3: "abc", 5: "abcd…", 7: "abcdefg", 9: "abcdefg"} {
		if got := l.cut(width).String(); got != want {
			t.Errorf("%d: %q, want %q", width, got, want)
		}
	}
}
