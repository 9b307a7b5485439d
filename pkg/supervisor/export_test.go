package supervisor

import "time"

// LookForEnd looks whether the leader is ending, and returns since when it has been seen to; zero: it has not.
func (p *Process) LookForEnd() time.Time {
	p.lookForEnd()
	return p.seenEnding()
}

// Told is how many groups and sessions the guard has been told.
func (s *Supervisor) Told() int { return int(s.guard.told.Load()) }
