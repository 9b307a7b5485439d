// Package hub feeds the judgement (package decide) with what happens and performs what it decides. It is the part of
// the BENCHMARK agent that every other agent is attached to.
//
// Rules:
//   - One goroutine decides, on one stream of inputs, and never waits for a disk or a network: commands are queued, and
//     everything in the run directory is written, read or looked for in other goroutines, whose answers come back as
//     inputs.
//   - It decides first and writes the journal afterwards.
//   - The verdict is written last. If the run directory does not answer, the verdict is handed back to the caller, who
//     passes it on another way.
//
// Terms: see package decide. The journal is events.ndjson.
package hub
