// Package batch is the batch script's part: it starts one step per role, keeps their logs, notices the end of every
// step at once, and ends with the code of BENCHMARK. It also starts a single role by hand, and all roles on one
// machine.
//
// Rules:
//   - Once the steps run, nothing waits for the run directory: logs are written through a bounded queue, and the end
//     of the job does not depend on a disk.
//   - What is decided is decided elsewhere (package steps); here it is performed.
//   - A job always has a verdict: if its hub left none, one is given here; if it cannot be written, it is left as a
//     note with the scheduler.
//
// Terms: a step is what starts all ranks of a role (package scheduler).
package batch
