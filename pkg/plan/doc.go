// Package plan resolves everything a job needs into one plan before the job is submitted.
//
// Rules:
//   - A plan is made in one pure step ([Build]) from what was asked for, checked, and never changed. A job reads
//     nothing else: profile, recipe and case are in it.
//   - Making a plan rehearses it: every template is rendered and every file merged with made-up data, so that a fault
//     shows before a job queues.
//   - Nothing here does I/O; files are read and looked for by the caller.
//
// Terms: the run id names one attempt of a plan.
package plan
