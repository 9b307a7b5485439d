// Package compare tells what is different between runs: first what they ran, then what they measured.
//
// Rules:
//   - Whether runs may be compared comes before any number. One difference is an experiment; of several nobody knows
//     which one did it, so all of them are named.
//   - A change counts if it is outside of what earlier runs of the same series span. Where there are too few of them
//     that is said, and nothing is claimed.
//   - Points that do not count never take part.
//   - What was not recorded is said to be unknown, and not taken for the same.
//
// Terms: a side is one run. A row is one concurrency that both sides have measured.
package compare
