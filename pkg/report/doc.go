// Package report shows how a job went: live lines and the summary on a terminal, and the page that a run leaves behind.
//
// Rules:
//   - All views are made from one model, the verdict ([protocol.Result]) and the journal.
//   - A point that does not count is marked as such wherever it is shown.
//   - What a child printed is made printable before a terminal gets it.
//   - It does no I/O but to the writer it is given.
package report
