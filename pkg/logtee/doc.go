// Package logtee moves a child's output to its log file and to those who read along.
//
// Rules:
//   - Nobody who reads or writes along may hold up the child for long: not a log file on a disk that does not answer,
//     nor a slow reader of the copy. What had to be left out is counted.
//   - Every byte goes to the file, raw and in order, as long as the disk answers. A disk that is only slow slows the
//     child down instead of losing anything.
//   - The copy is read from the file, so that it can be behind by any amount without holding anything in memory.
//   - Whoever reads aside costs the child nothing: a reader that is too slow misses the oldest lines, and is told.
//   - The copy and the lines that people see hold no secrets ([Redactor]). Line ends stay where they are.
//
// Terms: the copy is what somebody else gets of the output, for instance Slurm for the role's log; the tail is the
// end of the output, kept in memory for a post-mortem.
package logtee
