// Package crash kills a process that records and sends results at every step that has an effect, and checks that
// nothing is lost and nothing is doubled: whatever was on the disk at that moment, running again leaves every record in
// every sink exactly once.
//
// Rules:
//   - A step is a system call that changes a file or talks to a server. The process is stopped before it, and killed
//     with SIGKILL there, which no code of its own can see: what is tested is what was built, without a hook in it.
//   - A seed decides at which step, and whether what runs again is killed too. A failure names its seed.
//
// Terms: a victim is the process that is killed. A point is a kind of step, such as the renaming of a record's file.
package crash

// traced is what became of a victim.
type traced struct {
	point string // at which it was killed, or a step of it failed; "" if it ended before
	steps int    // that it took
	code  int    // that it ended with; -1 if it was killed
}
