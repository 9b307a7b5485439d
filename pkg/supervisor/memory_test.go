package supervisor

import (
	"os"
	"path/filepath"
	"testing"
)

// writeGroups makes a cgroup tree of files.
func writeGroups(t *testing.T, files map[string]string) string {
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
	v1 := writeGroups(t, map[string]string{
		"memory/job/step/memory.oom_control":    "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
		"memory/job/step/memory.limit_in_bytes": "9223372036854771712\n",
		"memory/job/memory.limit_in_bytes":      "1048576\n",
	})
	g := findMemoryGroup(v1, []byte("4:memory:/job/step\n1:cpu,cpuacct:/\n0::/x\n"))
	if n, counted := g.oomKills(); counted == nil || n != 2 || g.files != memoryV1 {
		t.Errorf("version 1: %+v, %d, %v", g, n, counted)
	}
	if l := g.limit(); l != 1<<20 {
		t.Errorf("version 1: limit %d", l)
	}
	v2 := writeGroups(t, map[string]string{
		"job/memory.events": "low 0\noom 1\noom_kill 1\n", "job/memory.max": "2097152\n",
	})
	g = findMemoryGroup(v2, []byte("0::/job\n"))
	if n, counted := g.oomKills(); counted == nil || n != 1 || g.files != memoryV2 || g.limit() != 2<<20 {
		t.Errorf("version 2: %+v, %d, %v, limit %d", g, n, counted, g.limit())
	}
	none := findMemoryGroup(t.TempDir(), []byte("garbage\n0::/job\n4:memory:/x\n"))
	if n, counted := none.oomKills(); counted != nil || n != 0 || none.limit() != 0 {
		t.Errorf("none: %+v", none)
	}
}

// In a container the path may be the host's, or lead out of what is mounted: the group that is mounted counts.
func TestMemoryGroupOfContainer(t *testing.T) {
	t.Parallel()
	v1 := map[string]string{
		"memory/memory.oom_control": "oom_kill 3\n", "memory/memory.limit_in_bytes": "1000\n",
		"memory/other/memory.oom_control": "oom_kill 9\n",
	}
	v2 := map[string]string{"memory.events": "oom_kill 3\n", "memory.max": "1000\n"}
	host := map[string]string{"job/memory.events": "oom_kill 9\n", "cgroup.procs": "1\n"}
	tests := map[string]struct {
		files  map[string]string
		groups string
		dir    string
	}{
		"version 1, the host's path":      {v1, "4:memory:/docker/0123abc\n0::/docker/0123abc\n", "memory"},
		"version 1, a way out":            {v1, "4:cpu,memory:/../..\n0::/\n", "memory"},
		"version 2, the host's path":      {v2, "0::/system.slice/docker-0123abc.scope\n", "."},
		"version 2, a way out":            {v2, "0::/../..\n", "."},
		"version 2, the root":             {v2, "0::/\n", "."},
		"version 2, the whole host":       {host, "0::/gone\n", ""},
		"version 2, out of the hierarchy": {host, "0::/../job\n", ""},
	}
	for name, tt := range tests {
		root := writeGroups(t, tt.files)
		g := findMemoryGroup(root, []byte(tt.groups))
		switch n, counted := g.oomKills(); {
		case tt.dir == "":
			if g.dir != "" {
				t.Errorf("%s: %+v", name, g)
			}
		case g.dir != filepath.Join(root, tt.dir) || counted == nil || n != 3 || g.limit() != 1000:
			t.Errorf("%s: %+v, %d, limit %d", name, g, n, g.limit())
		}
	}
}
