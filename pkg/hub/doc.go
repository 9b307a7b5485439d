// Package hub decides: it is the part of the BENCHMARK agent that every other agent is attached to. It starts roles when
// what they need is there, notices the first failure, stops everyone, and gives the verdict.
//
// Rules:
//   - One goroutine decides, on one stream of what happened. The decision itself ([job]) neither waits nor does I/O.
//   - The first cause is kept. What fails afterwards is secondary: it was stopped because of the first, or fell with it.
//   - Every wait has a deadline, and the deadline has a cause of its own.
//   - A child that ends with code 0 before its work is done has failed.
//
// Vocabulary: a job is in one phase: launching (agents arrive), looking (hosts are
// looked at before any model is loaded), readying (servers load), measuring (the benchmark runs),
// stopping (everybody is told to end), over.
package hub
