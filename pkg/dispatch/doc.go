// Package dispatch runs the tests of a list: one run directory and one job a test, several at a time if that is wanted,
// with one summary.
//
// Rules:
//   - Every test is planned before the first is submitted: what cannot be run is known while nothing is held.
//   - A waived or skipped test is never submitted. What is none of ours is listed with its class.
//   - The end of the context ends the watching, and starts nothing more; jobs that were submitted go on.
//
// Terms: an entry is a test of the list and what became of it. The allowance is what a job gets beside its test's
// limit, for starting up.
package dispatch
