// Package slurm is everything that speaks Slurm: cluster profiles, the batch script, submitting and watching a job, and
// reading a step's environment.
//
// Rules:
//   - The batch script is minimal and readable: one srun a role, all started at once, no sleep, no poll. What needs
//     judgement is done by agents.
//   - Every value that comes from outside is quoted for the shell that reads it.
//   - A job is never cancelled from inside: COMPLETED means passed, FAILED means failed.
//
// Vocabulary: a profile says what a cluster needs. A step is one srun; its step arguments place a role on its nodes.
package slurm
