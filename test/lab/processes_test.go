package lab

import (
	"os"
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	got, err := parseStat("12 (a (b) c) S 7 12 12 0 -1")
	if want := (Process{PID: 12, PPID: 7, Comm: "a (b) c", State: "S"}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"", "12", "12 (a", "12 (a)", "12 (a) S", "x (a) S 7", "12 (a) S x", ") ("} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestReadProcessKnowsItself(t *testing.T) {
	p, err := readProcess(os.Getpid())
	if err != nil || p.PPID != os.Getppid() || !strings.HasPrefix(p.Cmdline, os.Args[0]) {
		t.Errorf("got %+v, %v", p, err)
	}
}

// An absent pin must not match every process that cannot be looked at.
func TestNoNamespaceHasNoMembers(t *testing.T) {
	if pids := members(namespaceAt("/nowhere")); len(pids) > 0 {
		t.Errorf("got %v", pids)
	}
}
