// Package testlist reads upstream's lists of tests, and decides which of their tests a run is about.
//
// Rules:
//   - A line is more than an id: it may have a marker, a limit and a comment. What cannot be read is an error that
//     names the file and the line; nothing is passed over in silence.
//   - Nothing here knows what a test needs, or whether it can be run: that is found out when it is planned.
//   - It does no I/O: whoever has the file hands over its bytes.
//
// Terms: a list is a YAML file of blocks, each with a condition and tests, or a text file with one test a line. A waive
// says that a test is not to be run for now. A marker is what a line says about its test: SKIP (not run), XFAIL and
// UNSTABLE (run, and not counted), TIMEOUT (its limit in minutes), ISOLATION (alone: each is).
package testlist
