// Package golden plans and renders cases of every shape that is in use, with every recipe and for four clusters, and
// compares the outcome with files that somebody has reviewed: what runs where, which command, variables and files each
// kind of role gets, and what is asked of Slurm.
//
// A golden file has a section for the layout, one for each kind of role of each recipe, and one for each profile. What
// a recipe refuses, or hands to another, is one line with the reason.
//
// Rules:
//   - The cases are our own. Each has the keys of one config that is really used.
//   - What is compared is made by the code that makes it in a run, that of the agent's included. Made up is only what a
//     run finds out by itself: RUN, CHECKOUT, AGENT, JOB and AUTH-KEY, hosts (node0 is the first of the allocation),
//     ports, and that models are where the profile says.
//   - Nothing depends on the machine: neither what is installed there nor which folders it has.
//   - The files are written anew with -update. Whoever does that reads what has changed.
//
// With DISAGG_TEST_CONFIGS=DIR the same is done with the configs of a folder, and nothing is compared.
//
// Terms: a way is how a case is planned for a recipe, in a mode and with a version of upstream's test that fit it.
package golden
