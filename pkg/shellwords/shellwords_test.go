package shellwords_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/shellwords"
)

// Quotes and backslashes are taken as a shell takes them, and nothing else is special.
func TestSplit(t *testing.T) {
	tests := map[string][]string{
		"":                          nil,
		"  A=1   B=2\n C=3 ":        {"A=1", "B=2", "C=3"},
		`"W=ignore::Dep:a.b" X=1`:   {"W=ignore::Dep:a.b", "X=1"},
		`A='x y' B="p q"r C=\ z`:    {"A=x y", "B=p qr", "C= z"},
		`A="\"\$" B='\$' C=\$HOME`:  {`A="$`, `B=\$`, "C=$HOME"},
		`A={1,2} B=~ C=* D=[x]`:     {"A={1,2}", "B=~", "C=*", "D=[x]"},
		`UCX_TLS=^ib N=1.78 M=1GiB`: {"UCX_TLS=^ib", "N=1.78", "M=1GiB"},
	}
	for text, want := range tests {
		got, err := shellwords.Split(text)
		if err != nil {
			t.Errorf("Split(%q): %v", text, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Split(%q): %s", text, diff)
		}
	}
}

// What a shell would expand means something else on every host.
func TestSplitRefusesExpansion(t *testing.T) {
	for _, text := range []string{
		"A=$HOME", `A="$HOME"`, "A=$(id)", "A=`id`", "A=${X:-1}", "A=$((1+1))", `A=$'\t'`, `A='open`, "A=1; B=2",
		"A=1 | B", "A=<(x)", "A=\x00",
	} {
		if got, err := shellwords.Split(text); err == nil {
			t.Errorf("Split(%q) = %q, want an error", text, got)
		}
	}
}

// What is accepted means what it means to a shell.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{`A=1 "B=2 3"`, `a\ b 'c"d' e\"f`, "a\\\nb", "#c\na", `$'\t'$"a"`} {
		f.Add(s)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		f.Skip("no bash to compare with")
	}
	f.Fuzz(func(t *testing.T, text string) {
		words, err := shellwords.Split(text)
		if err != nil || strings.ContainsAny(text, "~*?[]{}\x00\r\n#!\x01\x7f") {
			return // a shell expands these by what is around; the last two are marks of bash's own, which it doubles
		}
		out, err := exec.Command(bash, "-c", `printf '%s\0' `+text).Output()
		if err != nil {
			return
		}
		want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if len(words) == 0 {
			words = []string{""}
		}
		if diff := cmp.Diff(want, words); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	})
}
