// Package stats has the statistics behind regression verdicts and comparisons.
//
// Rules:
//   - Everything is a pure function of its arguments: no clock, no randomness, no I/O.
//   - A value that cannot be told (too few points, no spread) is said to be so, never replaced by a favourable one.
//   - Distributions and their quantiles are gonum's; what is built on them is here, with its source beside it.
//
// Terms: the level (alpha) of a test is how often it sees a change where there is none; its power is how often it sees
// one that is there. A prediction interval is where one more value of the same kind is expected. A change point is the
// first value of a series after its mean has changed for good.
package stats
