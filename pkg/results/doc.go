// Package results holds what a job leaves behind: points measured, records of them, and the verdict.
//
// Rules:
//   - A point is recorded, durably, the moment it is complete. Whatever happens to the job afterwards, it is not lost.
//   - A client's exit code is no verdict: a point counts only if every request succeeded and every metric is there.
//   - The verdict names the first cause. What failed because of it is secondary.
//   - The id of a record is fixed before anything is sent, and depends on neither metrics, host nor environment.
//
// Vocabulary: a point is one measured concurrency; its metrics carry upstream's names (token_throughput, mean_ttft),
// times in milliseconds, throughputs per second. A record is a point with what is needed to understand it elsewhere.
package results
