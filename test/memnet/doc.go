// Package memnet is a network in memory: listeners and connections as package net has them, with faults, for tests that
// run in bubbles of testing/synctest.
//
// It behaves as TCP on Linux does, as far as two programs can tell: what was sent arrives in order and in pieces, late
// when packets were lost, and not at all after a cut; a write succeeds until the buffers are full; closing a
// connection that has not been read to its end resets it; nobody listens: the connection is refused.
//
// Rules:
//   - When something breaks is known beforehand ([Way], [Link]) or told from outside ([Link.Reset]). How long a packet
//     takes follows from the seed, from the number of the connection and from what was sent over it before.
//   - It waits in ways that testing/synctest counts as durably blocked, and has no goroutine of its own.
//
// Terms: a link is how one client reaches a listener; a way is one direction of it; a span is a stretch of time since
// the network began.
package memnet
