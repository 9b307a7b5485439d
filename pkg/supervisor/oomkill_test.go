package supervisor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/check"
)

// counter is a supervisor that reads how many processes the kernel has ended from a file, and what writes that.
func counter(t *testing.T) (s *supervisor.Supervisor, write func(kills int)) {
	t.Helper()
	root := t.TempDir()
	file := filepath.Join(root, "job", "memory.events")
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	write = func(kills int) {
		if err := os.WriteFile(file, fmt.Appendf(nil, "oom_kill %d\n", kills), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(0)
	s = check.Supervise(t)
	s.CountKillsIn(root)
	return s, write
}

// A process that ends by itself ran out of memory if a part of its tree did so shortly before its end, not long before.
func TestOutOfMemoryShortlyBefore(t *testing.T) {
	for ago, want := range map[time.Duration]bool{time.Second: true, time.Minute: false} {
		s, write := counter(t)
		c := startHeld(t, s, "7")
		write(1)
		s.NoteKills(1, time.Now().Add(-ago))
		c.end()
		if o := c.outcome(); o.Code != 7 || o.OOM != want {
			t.Errorf("a part was killed %v before: %+v", ago, o)
		}
	}
}

// When the kernel ends a part of a tree is noted while that runs.
func TestKillsAreNoted(t *testing.T) {
	s, write := counter(t)
	c := run(t, s, nil, "wait")
	c.awaitReady()
	write(1)
	check.Eventually(t, "the kill is noted", func() bool { return s.KillsBy(time.Now()) == 1 })
	c.Kill("enough")
	c.outcome()
}
