package supervisor

import "time"

// CountKillsIn has the kernel's counter of kills read from below another folder. It must be called before anything is
// started.
func (s *Supervisor) CountKillsIn(root string) { s.memory = findMemoryGroup(root, []byte("0::/job\n")) }

// KillsBy is how high the counter was known to be at a moment.
func (s *Supervisor) KillsBy(at time.Time) int64 { return s.memory.kills.by(at) }

// NoteKills notes how high the counter was at a moment.
func (s *Supervisor) NoteKills(n int64, at time.Time) { s.memory.kills.enter(n, at) }
