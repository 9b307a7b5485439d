// Package local runs a job on this machine: one process plays the batch script, and every rank is an agent of its own.
//
// Rules:
//   - Everything after the start is the same as on a cluster: the same plan, agents, hub and run directory.
//   - A job ends with the process that started it, unless it is detached.
//   - A job is known by the mark of its first process, which only its own host can look up. Anywhere else it is
//     unknown, not ended.
package local
