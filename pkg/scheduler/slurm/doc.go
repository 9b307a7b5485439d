// Package slurm is the only package that speaks Slurm: its commands, its variables, its words.
//
// Rules:
//   - One answer of one command is no truth. What cannot be read is Unknown (package scheduler).
//   - Every command runs with a bound, and with an environment of our own: variables of the user's shell that Slurm
//     would take for options change neither what is asked nor how steps run ([cleanEnv]).
//   - Every value that reaches the batch script is quoted for whom reads it, and none has a control character.
//   - A job is never cancelled from inside: COMPLETED means passed, FAILED means failed.
//
// Terms: a step is one srun; its arguments place a role on its nodes. Versions: 22.05 to 26.05 were considered; what
// was measured was measured on 22.05.8.
package slurm
