// Package runs tells what a user calls a run, and what became of it. It is pure: package catalog finds and reads runs.
//
// Rules:
//   - A name means one run or none. A name of several is refused, with the list.
//   - A verdict is what the run directory says. Without one the scheduler's word tells whether the run goes on; what
//     nobody knows is unknown, and never "running".
//
// Terms: a RUN is what a user calls a run by: its folder, its job's id, its own id or the beginning of that, or a part
// of its folder's name that no other run's has. A summary is what lists of runs show of one.
package runs
