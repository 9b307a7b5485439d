// Package launch takes a job from what somebody asks for to its end: it makes the plan, prepares the run directory,
// starts the job with Slurm or on this machine, and follows it until there is a verdict.
//
// Rules:
//   - Both launchers start the same agents from the same plan; everything after the start is the same.
//   - Bad input is found before anything is left behind: the run directory is made last.
//   - A run directory holds one run. A second run needs another.
//
// Vocabulary: a request is what somebody asks for. A follower reads what the hub writes while the job runs.
package launch
