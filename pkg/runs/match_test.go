package runs

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

func some() []protocol.KnownRun {
	at := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	return []protocol.KnownRun{
		{At: at, ID: "a3f91b00-1111", Dir: "/w/runs/dsr1_con2048-20261127-100000-a3f91b", Job: "14"},
		{At: at.Add(-time.Hour), ID: "9c02e714-1111", Dir: "/w/runs/dsr1_con4096-20261127-090000-9c02e7", Job: "1"},
		{At: at.Add(-2 * time.Hour), ID: "9c02aa14-1111", Dir: "/w/runs/nightly/01-a", Job: "7"},
		{At: at.Add(-2 * time.Hour), ID: "9d000000-1111", Dir: "/w/runs/nightly/02-b", Case: "dsv3 ü", Job: "7"},
	}
}

// A name means a run by its job, its id or the beginning of that, or a part of the name of its folder or case; what is
// meant exactly goes first.
func TestMatch(t *testing.T) {
	for name, want := range map[string]int{
		"": 0, "14": 0, "1": 1, "a3f91b": 0, "a3f9": 0, "a3f91b00-1111": 0, "a3f91b00-1111-0": 0, "9c02e7": 1,
		"con4096": 1, "v3 ü": 3, "090000": 1, "01-a": 2, "02-": 3, "dsr1_con2048-20261127-100000-a3f91b": 0,
	} {
		got, err := Match(name, some())
		if err != nil || got.ID != some()[want].ID {
			t.Errorf("%q: %v, %v, want %d", name, got, err, want)
		}
	}
}

// A name of several runs is refused, with the list of them, and so is that of none.
func TestNoMatch(t *testing.T) {
	for name, want := range map[string][]string{
		"7":    {`"7" matches 2 runs`, "9c02aa  ", "9d0000  ", "/w/runs/nightly/02-b"},
		"dsr1": {"matches 2 runs", "a3f91b  ", "9c02e7  "},
		"9c02": {"matches 2 runs", "9c02e7  ", "9c02aa  "},
		"x":    {`cannot find run "x"`, "disagg-submit runs lists"},
	} {
		got, err := Match(name, some())
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %v, %v, want %q", name, got, err, w)
			}
		}
	}
	if _, err := Match("", nil); err == nil || strings.Contains(err.Error(), `""`) {
		t.Error("a run of none")
	}
	many := some()
	for range 20 {
		many = append(many, some()...)
	}
	if _, err := Match("dsr1", many); strings.Count(err.Error(), "\n") != mostListed+1 {
		t.Errorf("the list is not cut: %v", err)
	}
}
