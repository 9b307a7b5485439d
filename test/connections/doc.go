// Package connections runs the real connections between agents and hub (package control) with all of their goroutines,
// over a network in memory that breaks (package memnet), in virtual time (testing/synctest).
//
// Everything that is drawn follows from a seed: the network, who says what and when, and what breaks. At the end the
// invariants are checked (check.go): what either side said arrived once and in order, or somebody had a reason to give
// the other up; nothing of a stranger arrives; what breaks comes back, or is given up, within its bounds; nothing waits
// for ever.
//
// Rules:
//   - Goroutines are real, so the order of what happens at one moment is not drawn. Delays differ by nanoseconds, so
//     that little happens at one moment.
//   - A reason to give somebody up is a fault that was drawn, and recent. Without one it is a violation.
//
// Terms: a session is one agent process; a fault is what a seed breaks; the story is what happened, for people.
package connections
