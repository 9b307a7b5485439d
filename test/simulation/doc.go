// Package simulation runs whole jobs in one thread and in virtual time: the hub's judgement (package decide), the ranks
// (decide/rank), the batch script (decide/steps) and the conversations between them (decide/session, decide/liveness)
// are the real ones; processes, network, disk and what Slurm, MPI and engines do are modelled.
//
// Everything that happens follows from a seed. A seed draws a layout, delays and one to three faults; the job runs to
// its end; then the invariants are checked (check.go): there is one verdict, its first cause is one of the faults and
// names the right role and host, nothing starts after the stop, everybody is told to stop, and the job is over in time.
//
// Rules:
//   - No clock, no goroutine, no map order: the same seed gives the same story.
//   - A model may be wrong about how often something happens, never about what can happen.
//
// Terms: a scenario is what a seed draws; a fault is what it breaks, in the grammar that the lab's runs use too
// ("GEN_0.1:kill-child@measuring+1.5s"); the story is what happened, for people.
package simulation
