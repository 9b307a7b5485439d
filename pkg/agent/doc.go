// Package agent is the life of one rank: from its role in the environment to its exit code. It puts the other packages
// together: it starts the child that its recipe names, watches and probes it, tells the hub, and does what the hub
// says. The agent of BENCHMARK is also the hub.
//
// Rules:
//   - The agent is the task: nothing stands between it and Slurm, and nothing of its child survives it.
//   - Every wait is a race: against the child's death, the hub's directives, a deadline and a signal.
//   - The child's environment is decided in one place ([childEnv]), last.
//   - The exit code is truthful and low when others failed: srun reports the highest, so a stopped rank must not hide
//     the cause.
//
// Vocabulary: see the packages roles and control.
package agent
