// Package logs puts the logs of a job's ranks side by side: it gives every line its time, merges by time, and chooses
// what was printed around a moment. It is pure; package source opens the logs of a run.
//
// Rules:
//   - A rank's log is raw: it has a time where the engine prints one. A line without one is taken to be printed with
//     the line before it; where that is too coarse, the reader is told.
//   - A log's order is never changed, whatever its times say.
//   - Times without a zone are those of the rank's host. Its zone is found by when the rank was started, which the
//     hub's journal tells; else it is taken for the reader's.
//   - What is shown does nothing to a terminal. Memory does not grow with the logs.
//
// Terms: a stamp is the date and time that a line begins with. A stream is one log with the times of its lines.
package logs
