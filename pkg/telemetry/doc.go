// Package telemetry makes of a run what tools for traces and metrics understand: a trace, and gauges.
//
// Rules:
//   - It is made after the end, from what the run has left behind. Times are those of the journal, by the hub's clock.
//   - Ids follow from the run's id alone: a run that is exported twice is the same trace.
//   - A point that does not count has no value anywhere, only the reason. Gauges are of the first measurement, which
//     the verdict is about.
//   - The labels of a gauge are bounded: what differs from run to run (ids, commits, job numbers) is a label of the one
//     gauge that only informs.
//   - It does no I/O; package prom writes the text of Prometheus, package otlp sends to a collector.
//
// The spans of a trace:
//
//	run
//	├── queued, installing, launching, preflight, readying, measuring, stopping   what the job waited for
//	│   ├── GEN_0 loads      below readying: each server until it is ready
//	│   └── concurrency 4    below measuring: each point, with its metrics; once more if it was measured again
//	└── GEN_0                each role, from its first agent to its last process: it lives through several phases
//	    └── GEN_0.3          each rank of it that failed, and no other
//
// The first cause is an event of the run's span, and of that of the rank that it names. The status of both is error.
//
// Terms: an attribute says something of a span, a label tells the samples of a gauge from each other. The statistic of
// a metric is what stands before its name: mean, median, std, max, p99.
package telemetry
