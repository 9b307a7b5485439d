// Package imported makes records of results that nobody recorded when they were measured: of the logs of benchmark
// clients, and of the result files of InferenceX (formerly InferenceMAX).
//
// Rules:
//   - A record says that it was imported, from which file with which content, and where its time comes from.
//   - The id of a point that a plan asked for is the one it would have had. Any other follows from the content that was
//     read, the case and the point: the same content gives the same record, whatever its file is called.
//   - A point that does not count is not a record: it is refused with the reason, and keeps no other one back.
//   - What is not said is absent. Numbers are read whole or refused.
//   - Files are opened by the caller.
//
// Terms: a log is what one run of a client printed. A row is one point of a result file, as a JSON object.
package imported
