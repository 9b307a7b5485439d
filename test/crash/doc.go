// Package crash kills a process that records and sends results at every step that has an effect, or lets the disk be
// full from there on, and checks that nothing is lost and nothing is doubled: whatever was on the disk at that moment,
// running again leaves every record in every sink exactly once.
//
// Rules:
//   - A step is a system call that changes a file or talks to a server. The process is stopped before it, and killed
//     with SIGKILL there, which no code of its own can see: what is tested is what was built, without a hook in it.
//   - On a disk that is full every later step that takes room fails with ENOSPC, or that one step alone.
//   - A seed decides at which step, and whether what runs again is disturbed too. A failure names its seed.
//
// Terms: a victim is the process that is disturbed. A point is a kind of step, such as the renaming of a record's file.
package crash

import "golang.org/x/sys/unix"

// disturbance is what happens to a victim at a step.
type disturbance struct {
	step  int        // from 1; 0: nothing happens
	fail  unix.Errno // that the step fails with; 0: the victim is killed before it
	stays bool       // every later step fails, too
}

// hits tells whether the n-th step is disturbed.
func (d disturbance) hits(n int) bool {
	return d.step > 0 && (n == d.step || n > d.step && d.stays)
}

// traced is what became of a victim.
type traced struct {
	point string // at which it was killed, or the first step of it failed; "" if it ended before
	steps int    // that it took
	code  int    // that it ended with; -1 if it was killed
}
