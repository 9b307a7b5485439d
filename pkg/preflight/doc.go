// Package preflight looks at a host before any model is loaded on it: what would fail an hour later is found in a
// second.
//
// Rules:
//   - A check that cannot tell passes: only what is known to be wrong fails a job.
//   - Every check is bounded, and all run at the same time: the whole takes less than two seconds.
//   - Nothing is cleaned up. What an earlier job left is somebody's evidence, and may be somebody's work.
//
// Vocabulary: a finding is something that a check has to say; a fatal one fails the job, any other is only told. A
// leftover is what a process that is gone, or an earlier job, still holds.
package preflight
