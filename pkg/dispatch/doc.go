// Package dispatch makes several runs: the tests of a list, or cases, each maybe in several variants. Each run has a
// run directory and a job of its own; several go on at a time if that is wanted, and there is one summary.
//
// Rules:
//   - Every run is planned before the first is submitted: what cannot be run is known while nothing is held.
//   - A waived or skipped test is never submitted. What is none of ours is listed with its class.
//   - The end of the context ends the watching, and starts nothing more; jobs that were submitted go on.
//   - The order is that of the list or the cases, then that of the variants, in which the last key changes first.
//
// Terms: an entry is a run and what became of it. A variant is a case with some settings; an axis is a key that is
// varied, and its values. The allowance is what a job gets on top of its test's limit, for starting up.
package dispatch
