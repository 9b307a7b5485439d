package supervisor

import (
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
	if n, counted := g.oomKills(); counted == nil || n != 2 || g.v2 {
		t.Errorf("version 1: %+v, %d, %v", g, n, counted)
	}
	if l := g.limit(); l != 1<<20 {
		t.Errorf("version 1: limit %d", l)
	}
	v2 := memoryFiles(t, map[string]string{
		"job/memory.events": "low 0\noom 1\noom_kill 1\n", "job/memory.max": "2097152\n",
	})
	g = findMemoryGroup(v2, []byte("0::/job\n"))
	if n, counted := g.oomKills(); counted == nil || n != 1 || !g.v2 || g.limit() != 2<<20 {
		t.Errorf("version 2: %+v, %d, %v, limit %d", g, n, counted, g.limit())
	}
	none := findMemoryGroup(t.TempDir(), []byte("garbage\n0::/job\n4:memory:/x\n"))
	if n, counted := none.oomKills(); counted != nil || n != 0 || none.limit() != 0 {
		t.Errorf("none: %+v", none)
	}
}
