// Package launch takes a job from what a person asks for to its end: it makes the plan, prepares the run directory,
// submits the job, and watches it until there is a verdict.
//
// Rules:
//   - All schedulers start the same agents from the same plan; everything after the start is the same.
//   - Bad input is found before anything is left behind: the run directory is made last, as a whole.
//   - A job that may exist is never said not to. Its id is shown as soon as it is known, whatever fails afterwards.
//   - A verdict on disk ends the wait; a job without one is never success.
//
// Terms: a request is what a person asks for.
package launch
