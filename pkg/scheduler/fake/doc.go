// Package fake plays a scheduler in tests: its answers are set beforehand, and what it was asked is kept. Steps are
// small shell scripts, which have what a real step would have: the environment of the role's tasks and a standard
// error.
//
// Rules:
//   - The last of several answers, or scripts, is given again and again.
//   - A step's script speaks for the scheduler with lines on its standard error: see [Scheduler.Reader].
package fake
