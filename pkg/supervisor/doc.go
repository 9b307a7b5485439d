// Package supervisor runs one child process tree: it starts it, logs it, stops it and accounts for it. It knows nothing
// of roles or Slurm.
//
// Rules:
//   - Nothing survives. The child leads a process group of its own, the supervising process is a subreaper, and a
//     process is only done when no descendant is left, whatever group or session the descendants moved to.
//   - Only untracked zombies are reaped one by one; wait4(-1) would steal the status of a tracked child.
//   - Stopping is one stop policy with one budget. It escalates by deadline, never by counting requests: a time limit
//     in Slurm sends TERM twice within milliseconds.
//   - The child is never blocked by whoever reads along: the log file is written first, and what a slow reader misses
//     is counted.
//   - The end of the leader is told when the kernel has freed it, or half a second after it was seen to end: it may be
//     kept for ever by a driver that hangs.
//   - How a process ended (code, signal) is kept apart from why it was stopped.
//
// Vocabulary: the leader is the child itself; its group is the process group it leads; its tree is every descendant of
// the supervising process that is not tracked as another child. The stop policy is how the child is stopped; the tree
// kill ends what is left after that. An orphan is a descendant whose parent died first and that was reaped here.
package supervisor
