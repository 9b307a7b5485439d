// Package agent is the life of one rank: from its role in the environment to its exit code. It feeds the rank's machine
// (package rank) with what happens and performs what that decides: it starts the child that its recipe names, watches
// and probes it, reports to the hub, and does what the hub asks. The agent of BENCHMARK is also the hub.
//
// Rules:
//   - The agent is the task: nothing stands between it and the scheduler, and nothing of its child survives it.
//   - It reports before it logs. Nothing between the end of a child and its report, or between a request to stop and
//     the stop, touches the run directory: files are prepared, written and read in other goroutines.
//   - The child's environment is decided in one place ([childEnv]), last.
//
// Terms: see the packages roles, protocol and rank.
package agent
