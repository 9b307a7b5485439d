// Package steptime reads out of the log of a generation server how long the steps of decode took on the device, and
// describes them as upstream's test does, so that both say the same of a log.
//
// Rules:
//   - What counts is upstream's: a line that gives the device time of the step before it, from iteration 5 on, unless
//     the iteration before it had nothing to do: then the time is of waiting. Ranks that share a log are told apart.
//   - Of a log only the steps with the most common number of tokens are described; of two as common the larger one. If
//     no line tells its number of tokens, all steps are.
//   - At most [MaxSteps] steps of a log are kept, the first ones, each as the number that was printed: nothing is
//     rounded, and memory is bounded however long a log is.
//   - A log is anything that a process prints. A line that is torn, longer than [MaxLine] or without a whole number is
//     no step, and costs no more than its length.
//
// Terms: a step is one iteration of the engine's loop; its tokens are those that it generated for all requests.
package steptime
