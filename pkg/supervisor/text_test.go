package supervisor

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// memoryFiles makes a cgroup tree of files.
func memoryFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestMemoryGroups(t *testing.T) {
	v1 := memoryFiles(t, map[string]string{
		"memory/job/step/memory.oom_control":    "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
		"memory/job/step/memory.limit_in_bytes": "9223372036854771712\n",
		"memory/job/memory.limit_in_bytes":      "1048576\n",
	})
	g := findMemoryGroup(v1, []byte("4:memory:/job/step\n1:cpu,cpuacct:/\n0::/x\n"))
	if n, ok := g.oomKills(); !ok || n != 2 || g.v2 {
		t.Errorf("version 1: %+v, %d, %v", g, n, ok)
	}
	if l := g.limit(); l != 1<<20 {
		t.Errorf("version 1: limit %d", l)
	}
	v2 := memoryFiles(t, map[string]string{
		"job/memory.events": "low 0\noom 1\noom_kill 1\n", "job/memory.max": "2097152\n",
	})
	g = findMemoryGroup(v2, []byte("0::/job\n"))
	if n, ok := g.oomKills(); !ok || n != 1 || !g.v2 || g.limit() != 2<<20 {
		t.Errorf("version 2: %+v, %d, %v, limit %d", g, n, ok, g.limit())
	}
	none := findMemoryGroup(t.TempDir(), []byte("garbage\n0::/job\n4:memory:/x\n"))
	if n, ok := none.oomKills(); ok || n != 0 || none.limit() != 0 {
		t.Errorf("none: %+v", none)
	}
}

func TestRanOut(t *testing.T) {
	killed := Outcome{Started: true, Code: 137, Signal: "SIGKILL", PeakRSS: 960}
	tests := []struct {
		before, after int64
		counted       bool
		o             Outcome
		limit         int64
		want          bool
	}{
		{1, 2, true, killed, 0, true},
		{1, 1, true, killed, 1000, false},                                // the kernel says that it was not
		{0, 1, true, Outcome{Started: true, Code: 1}, 0, true},           // a part of the tree was ended
		{0, 1, true, Outcome{Started: true, Code: 0}, 0, false},          // and the rest did not mind
		{0, 0, false, killed, 1000, true},                                // at the limit, as far as anybody knows
		{0, 0, false, killed, 2000, false},                               // far from it
		{0, 0, false, killed, 0, false},                                  // no limit is known
		{0, 0, false, Outcome{Started: true, PeakRSS: 999}, 1000, false}, // not killed
	}
	for _, tt := range tests {
		if got := ranOut(tt.before, tt.after, tt.counted, tt.o, tt.limit); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (a) b) S 1 2 3 4"))
	f.Add([]byte("1 (x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, ok := parseStat(data); ok && !bytes.Contains(data, []byte("("+p.comm+")")) {
			t.Errorf("%q gives %+v", data, p)
		}
	})
}
