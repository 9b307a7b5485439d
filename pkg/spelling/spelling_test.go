package spelling_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/disagg/disagg/pkg/spelling"
)

// What people mistype is found, and what is something else is not.
func TestNearest(t *testing.T) {
	commands := []string{"plan", "render", "run", "watch", "status", "logs", "cancel", "compare", "runs", "doctor"}
	for typed, want := range map[string]string{
		"runn": "run", "rum": "run", "urn": "run", "watsh": "watch", "wathc": "watch", "stauts": "status",
		"stat": "status", "comp": "compare", "RUN": "run", "dotcor": "doctor", "lgos": "logs",
		"frob": "", "": "", "r": "", "x": "", "list": "", "nothing": "", "re": "", "submit": "",
	} {
		if got := spelling.Nearest(typed, commands); got != want {
			t.Errorf("%q is near %q, want %q", typed, got, want)
		}
	}
	if got := spelling.Nearest("partitoin", []string{"partition", "account"}); got != "partition" {
		t.Errorf("a key: %q", got)
	}
	if got := spelling.Nearest(strings.Repeat("x", 1<<20), []string{"x", strings.Repeat("x", 1<<20-1)}); got != "" {
		t.Error("a long text is near something")
	}
}

// A name with one slip of a finger is found again among names that are not like it.
func TestOneSlip(t *testing.T) {
	known := []string{"partition", "account", "container", "models_root", "kill_wait", "segment"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(known).Draw(t, "name")
		at := rapid.IntRange(0, len(name)-2).Draw(t, "at")
		typed := rapid.SampledFrom([]string{
			name[:at] + name[at+1:], name[:at] + "x" + name[at+1:], name[:at] + "x" + name[at:],
			name[:at] + name[at+1:at+2] + name[at:at+1] + name[at+2:],
		}).Draw(t, "typed")
		if got := spelling.Nearest(typed, known); got != name {
			t.Fatalf("%q is near %q, want %q", typed, got, name)
		}
	})
}

// Any text may be typed; a guess is one of the known names.
func FuzzNearest(f *testing.F) {
	f.Add("runn", "run")
	f.Add("", "x")
	f.Add("GEN_O", "GEN_0")
	f.Fuzz(func(t *testing.T, typed, known string) {
		got := spelling.Nearest(typed, []string{known, "watch"})
		if got != "" && got != known && got != "watch" {
			t.Errorf("%q is near %q", typed, got)
		}
		if utf8.ValidString(known) && len(known) > 2 && len(known) < 64 && strings.ToLower(known) == known {
			if got := spelling.Nearest(known, []string{known}); got != known {
				t.Errorf("%q is not near itself but %q", known, got)
			}
		}
	})
}

func ExampleHint() {
	fmt.Println("unknown command runn:", spelling.Hint("runn", []string{"plan", "run", "watch"}))
	// Output: unknown command runn: did you mean run?
}
