// Package decide is the hub's judgement: which role starts when, what failed first, and when the job is over.
//
// Rules:
//   - It is pure: a [Machine] takes one [Input] and the time, and returns [Effect]s. It has no clock, does no I/O,
//     starts no goroutine and logs nothing, so that a job can be decided again from its inputs, and simulated.
//   - Unknown is not an answer: what nobody has reported changes nothing but at a deadline.
//   - The stop is immediate, the verdict is not: everybody is told to stop as soon as something failed, and what is
//     learned until all of them have answered can still show what was there first ([Attribution]).
//   - Every wait has a deadline, and the deadline has a cause of its own. A pause of the hub itself is no one's fault:
//     all deadlines move by what it missed.
//   - A child that ends with code 0 before its work is done has failed.
//
// The phases of a job:
//
//	launching ──all agents attached──▶ preflight ──nothing fatal──▶ readying ──all is ready──▶ measuring
//	    │ first cause                      │ first cause                │ first cause              │ first cause, or
//	    │                                  │                            │                          │ the points count
//	    └──────────────────────────────────┴────────▶ stopping ◀────────┴──────────────────────────┘
//	                                                     │ no agent is left, or the deadline
//	                                                     ▼
//	                                                    over
//
// In the phase measuring the benchmark may be started again, on the same servers: as often as the plan says, or once
// more if what was measured is suspicious.
//
// When people start roles by hand (policy interactive) there is no preflight: launching goes straight to readying. So
// it does when servers were kept (policy keep), which means that they were there before: each of them is told to keep
// its child, instead of to stop, and leaves. What was kept introduces itself to the next machine, when that starts it.
//
// Terms: a fact is something that went wrong, as it is weighed; the first cause is the fact that was there first;
// everything else is secondary. A fact is provisional while a better explanation is awaited. A partition is a network
// that lets some hosts reach each other and others not.
package decide
