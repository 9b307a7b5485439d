// Package diagnose finds the line of a process's output that says why the process died.
//
// Rules:
//   - It reads text and does no I/O. What it keeps is bounded, however long the output is.
//   - The root comes before its consequences: of the lines that explain most, the first counts. A line that only
//     refers to another ("see root cause above"), or that may be somebody else's fault ("connection reset by peer"),
//     is used if there is nothing better.
//   - What a process survived is not why it died: once it has gone on for long after an error, a later one takes its
//     place.
//   - Lines are counted as they pass, so that people find them in the log.
//   - Lines of level warning or below, and what Python says while it shuts down, explain nothing.
//
// Speed: an ordinary line costs a search for a few words, at more than 300 MB/s a core (BenchmarkReader measured 700
// MB/s). Only a line that has one of them, and the few lines after it, are looked at closely, at some 60 MB/s.
//
// Terms: the headline is the line that explains, without what stands before the message (rank, process, time, level);
// the context is that line with a few lines before and after it.
package diagnose
